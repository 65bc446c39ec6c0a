package selfcheck

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/component-base/metrics/testutil"
	testingclock "k8s.io/utils/clock/testing"
)

func newChecker(t *testing.T, checks ...Check) (*Checker, *[]string) {
	t.Helper()
	var told []string
	c := New(checks, func(_ context.Context, check string, f Finding) { told = append(told, check+": "+f.What) }, testingclock.NewFakeClock(time.Now()))
	c.gauge.Create(nil)
	return c, &told
}

// A finding is told once for as long as it stands, and again if it comes back. What cannot
// be told is not mended.
func TestFindingsAreToldOnce(t *testing.T) {
	var found []Finding
	var failure error
	c, told := newChecker(t, Check{Name: "x", Run: func(context.Context) ([]Finding, error) { return found, failure }})
	a, b := Finding{What: "a"}, Finding{What: "b"}
	for i, step := range []struct {
		found   []Finding
		err     error
		wrong   bool
		gauge   float64
		toldNow string
	}{
		{nil, nil, false, 0, "[]"},
		{[]Finding{a}, nil, true, 1, "[x: a]"},
		{[]Finding{a, b}, nil, true, 2, "[x: b]"},
		{nil, errors.New("timeout"), true, 2, "[]"},
		{[]Finding{b}, nil, true, 1, "[]"},
		{[]Finding{a}, nil, true, 1, "[x: a]"},
		{nil, nil, false, 0, "[]"},
	} {
		found, failure, *told = step.found, step.err, nil
		wrong := c.Once(t.Context())
		gauge, err := testutil.GetGaugeMetricValue(c.gauge.WithLabelValues("x"))
		if err != nil || wrong != step.wrong || gauge != step.gauge || fmt.Sprint(*told) != step.toldNow {
			t.Errorf("step %d: wrong %t, gauge %v (%v), told %v; want %+v", i, wrong, gauge, err, *told, step)
		}
	}
}

// server answers for the API server.
func server(t *testing.T, answer http.HandlerFunc) (kubernetes.Interface, *httptest.Server) {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	client, err := kubernetes.NewForConfig(&rest.Config{Host: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	return client, s
}

func TestMetricsAPI(t *testing.T) {
	for code, want := range map[int]string{
		http.StatusOK:                  "",
		http.StatusNotFound:            "serves no metrics.k8s.io",
		http.StatusServiceUnavailable:  "nobody answers for it",
		http.StatusInternalServerError: "error",
	} {
		client, _ := server(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/apis/metrics.k8s.io/v1beta1" {
				t.Errorf("asks for %s", r.URL)
			}
			w.WriteHeader(code)
		})
		found, err := MetricsAPI(client).Run(t.Context())
		switch {
		case want == "error":
			if err == nil {
				t.Errorf("%d: %v, want an error", code, found)
			}
		case err != nil || (want == "") != (len(found) == 0) || want != "" && (!strings.Contains(found[0].What, want) || found[0].Remedy == ""):
			t.Errorf("%d: %v %v, want %q", code, found, err, want)
		}
	}
}

func TestVersion(t *testing.T) {
	const failed = "error"
	for _, test := range []struct {
		answer, minor, want string // want is the kubernetes of the image that is right, or an error
	}{
		{`{"gitVersion": "v1.37.1"}`, "1.37", ""},
		{`{"gitVersion": "v1.37.0-alpha.1"}`, "1.37", ""},
		{`{"gitVersion": "v1.38.0"}`, "1.37", ""},
		{`{"gitVersion": "v2.0.0"}`, "1.37", ""},
		{`{"gitVersion": "v1.36.3"}`, "1.37", "for Kubernetes 1.36:"},
		{`{"gitVersion": "v1.36.3-gke.1200+abc"}`, "1.37", "for Kubernetes 1.36:"},
		{`{"gitVersion": "v1.9.1"}`, "1.35", "for Kubernetes 1.9:"},
		{`{"gitVersion": "unknown"}`, "1.37", failed},
		{`{"gitVersion": 1}`, "1.37", failed},
		{``, "1.37", failed},
	} {
		client, _ := server(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/version" {
				t.Errorf("asks for %s", r.URL)
			}
			fmt.Fprint(w, test.answer)
		})
		found, err := Version(client, test.minor).Run(t.Context())
		switch {
		case test.want == failed:
			if err == nil {
				t.Errorf("%s: %v, want an error", test.answer, found)
			}
		case err != nil || (test.want == "") != (len(found) == 0) || test.want != "" && !strings.Contains(found[0].Remedy, test.want):
			t.Errorf("%s, built on %s: %v %v, want an image %q", test.answer, test.minor, found, err, test.want)
		}
	}
}

func TestRights(t *testing.T) {
	client := fake.NewClientset()
	client.PrependReactor("create", "selfsubjectaccessreviews", func(action clienttesting.Action) (bool, runtime.Object, error) {
		review := action.(clienttesting.CreateAction).GetObject().(*authorizationv1.SelfSubjectAccessReview)
		review.Status.Allowed = review.Spec.ResourceAttributes.Resource != "nodes"
		return true, review, nil
	})
	found, err := Rights(client, []Right{
		{Resource: "pods", Subresource: "binding", Verb: "create", For: "no pod gets a node"},
		{Group: "metrics.k8s.io", Resource: "nodes", Verb: "list", For: "load is not measured"},
	}, "bind it").Run(t.Context())
	if err != nil || len(found) != 1 || found[0].What != "The scheduler may not list nodes.metrics.k8s.io in all namespaces: load is not measured" || found[0].Remedy != "bind it" {
		t.Errorf("%+v %v", found, err)
	}
	if right := (&Right{Resource: "leases", Verb: "update", Namespace: "a"}).String(); right != "update leases in the namespace a" {
		t.Error(right)
	}
}

func TestClock(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	for by, want := range map[time.Duration]string{
		0: "", 4 * time.Second: "", -4 * time.Second: "",
		time.Minute: "The clock here is 59s ahead", -time.Minute: "The clock here is 1m0s behind",
	} {
		clock := testingclock.NewFakePassiveClock(time.Now().Truncate(time.Second).Add(by))
		found, err := Clock(server.Client(), server.URL, clock).Run(t.Context())
		said := ""
		if len(found) > 0 {
			said = found[0].What
		}
		// The server's clock goes on, and its date is of whole seconds.
		if err != nil || (want == "") != (said == "") || want != "" && !strings.HasPrefix(said, want[:len("The clock here is ")]) || want != "" && !strings.Contains(said, want[strings.LastIndex(want, " "):]) {
			t.Errorf("%v: %v %q, want %q", by, err, said, want)
		}
	}
}

func TestEventsOnThePod(t *testing.T) {
	client := fake.NewClientset()
	EventsOn(client, "ns", "plimsoll-0", testingclock.NewFakePassiveClock(time.Now()))(t.Context(), "x", Finding{What: "it is broken", Remedy: strings.Repeat("long ", 1000)})
	list, err := client.EventsV1().Events("ns").List(t.Context(), metav1.ListOptions{})
	if err != nil || len(list.Items) != 1 {
		t.Fatal(list, err)
	}
	if e := &list.Items[0]; e.Regarding.Name != "plimsoll-0" || e.Type != "Warning" || e.Reason != "SelfCheckFailed" || len(e.Note) > 1024 || !strings.HasPrefix(e.Note, "it is broken. To mend it: long") {
		t.Errorf("%+v", e)
	}
}
