package metricsserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/metrics/pkg/apis/metrics/v1beta1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

const apiPath = "/apis/metrics.k8s.io/v1beta1/"

var scraped = time.Unix(1700000000, 0)

// source returns a source that asks an API server which answers so.
func source(t *testing.T, handler http.HandlerFunc) *Source {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	s, err := New(&rest.Config{Host: server.URL, QPS: -1}) // no limit of requests a second
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// answer writes an object as the API server does, in JSON.
func answer(w http.ResponseWriter, status int, object any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(object) // the client sees it if this fails
}

// refuse writes an error as metrics-server does.
func refuse(w http.ResponseWriter, err *apierrors.StatusError) {
	status := err.Status()
	status.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
	answer(w, int(status.Code), status)
}

func notFound(name string) *apierrors.StatusError {
	return apierrors.NewNotFound(schema.GroupResource{Group: v1beta1.GroupName, Resource: "pods"}, name)
}

func usage(cpu, memory string) v1.ResourceList {
	list := v1.ResourceList{}
	for name, value := range map[v1.ResourceName]string{v1.ResourceCPU: cpu, v1.ResourceMemory: memory} {
		if value != "" {
			list[name] = resource.MustParse(value)
		}
	}
	return list
}

// podMetrics are of a pod whose containers use this much.
func podMetrics(namespace, name string, containers ...v1.ResourceList) *v1beta1.PodMetrics {
	metrics := &v1beta1.PodMetrics{
		TypeMeta:   metav1.TypeMeta{Kind: "PodMetrics", APIVersion: v1beta1.SchemeGroupVersion.String()},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Timestamp:  metav1.NewTime(scraped), Window: metav1.Duration{Duration: 15 * time.Second},
	}
	for i, use := range containers {
		metrics.Containers = append(metrics.Containers, v1beta1.ContainerMetrics{Name: fmt.Sprint("c", i), Usage: use})
	}
	return metrics
}

// asked returns the pod that a request is for.
func asked(r *http.Request) types.NamespacedName {
	namespace, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, apiPath+"namespaces/"), "/pods/")
	return types.NamespacedName{Namespace: namespace, Name: name}
}

func pod(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: "default", Name: name}
}

func pods(count int) []types.NamespacedName {
	all := make([]types.NamespacedName, count)
	for i := range all {
		all[i] = pod(fmt.Sprint("p", i))
	}
	return all
}

func same(got load.Reading, cpu, memory float64) bool {
	equal := func(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }
	return equal(got.Usage[amount.CPU], cpu) && equal(got.Usage[amount.Memory], memory) &&
		got.Timestamp.Equal(scraped) && got.Window == 15*time.Second
}

func TestNodeReadings(t *testing.T) {
	s := source(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != apiPath+"nodes" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		node := func(name string, use v1.ResourceList) v1beta1.NodeMetrics {
			return v1beta1.NodeMetrics{
				ObjectMeta: metav1.ObjectMeta{Name: name}, Usage: use,
				Timestamp: metav1.NewTime(scraped), Window: metav1.Duration{Duration: 15 * time.Second},
			}
		}
		answer(w, http.StatusOK, &v1beta1.NodeMetricsList{
			TypeMeta: metav1.TypeMeta{Kind: "NodeMetricsList", APIVersion: v1beta1.SchemeGroupVersion.String()},
			Items:    []v1beta1.NodeMetrics{node("a", usage("1500m", "1Gi")), node("b", usage("2", ""))},
		})
	})
	readings, err := s.Poll(t.Context())
	if err != nil || len(readings) != 2 || readings[0].Node != "a" || readings[1].Node != "b" {
		t.Fatalf("got %v, %v", readings, err)
	}
	if !same(readings[0], 1.5, 1<<30) || !same(readings[1], 2, math.NaN()) {
		t.Errorf("got %+v", readings)
	}
}

func TestPodReadingsAreSumsOfContainers(t *testing.T) {
	nan := math.NaN()
	for name, test := range map[string]struct {
		containers  []v1.ResourceList
		cpu, memory float64
	}{
		"one":                              {[]v1.ResourceList{usage("250m", "64Mi")}, 0.25, 64 << 20},
		"two":                              {[]v1.ResourceList{usage("250m", "64Mi"), usage("1", "1Gi")}, 1.25, 1088 << 20},
		"one that uses nothing":            {[]v1.ResourceList{usage("250m", "64Mi"), usage("0", "0")}, 0.25, 64 << 20},
		"one of two without CPU":           {[]v1.ResourceList{usage("250m", "64Mi"), usage("", "1Gi")}, nan, 1088 << 20},
		"one of two without any":           {[]v1.ResourceList{usage("250m", "64Mi"), nil}, nan, nan},
		"none, which is not a use of zero": {nil, nan, nan},
	} {
		t.Run(name, func(t *testing.T) {
			s := source(t, func(w http.ResponseWriter, r *http.Request) {
				answer(w, http.StatusOK, podMetrics("default", asked(r).Name, test.containers...))
			})
			got, err := s.PollPods(t.Context(), pods(1))
			if err != nil || len(got) != 1 || got[0].Pod != pod("p0") || !same(got[0].Reading, test.cpu, test.memory) {
				t.Errorf("got %+v, %v, want %v cores, %v bytes", got, err, test.cpu, test.memory)
			}
		})
	}
}

// Each pod is read by itself: those that can be read are, whatever becomes of
// the others.
func TestPodsThatCannotBeReadCostNoOtherItsReading(t *testing.T) {
	const count = 100
	for name, test := range map[string]struct {
		refused func(w http.ResponseWriter, pod types.NamespacedName) // for p0
		want    []string                                              // in the error; none if there is to be none
	}{
		"not scraped yet": {func(w http.ResponseWriter, pod types.NamespacedName) {
			refuse(w, notFound(pod.String()))
		}, nil},
		"forbidden": {func(w http.ResponseWriter, pod types.NamespacedName) {
			refuse(w, apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, pod.Name, errors.New("no such role")))
		}, []string{"1 of 100 pods could not be read: ", "get PodMetrics default/p0 of metrics.k8s.io: ", "forbidden: no such role"}},
		"metrics-server fails": {func(w http.ResponseWriter, _ types.NamespacedName) {
			refuse(w, apierrors.NewInternalError(errors.New("failed pod metrics")))
		}, []string{"1 of 100", "default/p0", "failed pod metrics"}},
		"metrics-server is not reachable": {func(w http.ResponseWriter, _ types.NamespacedName) {
			http.Error(w, "service unavailable", http.StatusServiceUnavailable)
		}, []string{"1 of 100", "default/p0", "unable to handle the request"}},
		"the API is not served": {func(w http.ResponseWriter, _ types.NamespacedName) {
			http.NotFound(w, nil)
		}, []string{"1 of 100", "default/p0: the API server does not serve metrics.k8s.io/v1beta1, so metrics-server may be missing: "}},
		"nonsense": {func(w http.ResponseWriter, _ types.NamespacedName) {
			answer(w, http.StatusOK, "nonsense")
		}, []string{"1 of 100", "default/p0"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := source(t, func(w http.ResponseWriter, r *http.Request) {
				if pod := asked(r); pod.Name == "p0" {
					test.refused(w, pod)
				} else {
					answer(w, http.StatusOK, podMetrics(pod.Namespace, pod.Name, usage("1", "1Gi")))
				}
			})
			got, err := s.PollPods(t.Context(), pods(count))
			if len(got) != count-1 {
				t.Errorf("%d readings, want %d", len(got), count-1)
			}
			for _, reading := range got {
				if reading.Pod == pod("p0") || !same(reading.Reading, 1, 1<<30) {
					t.Errorf("got %+v", reading)
				}
			}
			if (err != nil) != (test.want != nil) {
				t.Fatalf("error %v, want %q", err, test.want)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q, want %q", err, want)
				}
			}
		})
	}
}

// However many pods fail, the error is short, and tells how many.
func TestErrorsAreBounded(t *testing.T) {
	s := source(t, func(w http.ResponseWriter, r *http.Request) {
		refuse(w, apierrors.NewInternalError(fmt.Errorf("broken: %s", asked(r).Name)))
	})
	got, err := s.PollPods(t.Context(), pods(100))
	if err == nil || len(got) > 0 {
		t.Fatalf("got %v, %v", got, err)
	}
	for _, want := range []string{"100 of 100 pods could not be read: ", "broken: p0", "broken: p1", "broken: p2", "and 97 more"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q, want %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "broken: p3") || len(err.Error()) > 1000 {
		t.Errorf("an error of %d bytes: %v", len(err.Error()), err)
	}
	if status := apierrors.APIStatus(nil); !errors.As(err, &status) {
		t.Errorf("the API's own error is lost: %v", err)
	}
}

// When time is up what was read is kept, what hangs is given up, and nothing
// more is asked for.
func TestEndOfTheContextEndsAllReads(t *testing.T) {
	const count = 100
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var answered, hanging atomic.Int32
	s := source(t, func(w http.ResponseWriter, r *http.Request) {
		pod := asked(r)
		if slices.Contains(pods(count)[:count/2], pod) {
			answer(w, http.StatusOK, podMetrics(pod.Namespace, pod.Name, usage("1", "1Gi")))
			answered.Add(1)
			return
		}
		if hanging.Add(1) == concurrency { // each connection waits: the others have been answered
			cancel()
		}
		<-r.Context().Done()
	})
	got, err := s.PollPods(ctx, pods(count))
	if len(got) != count/2 || answered.Load() != count/2 || hanging.Load() != concurrency {
		t.Errorf("%d readings, %d pods answered for, %d asked for in vain", len(got), answered.Load(), hanging.Load())
	}
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "50 of 100 pods could not be read: 50 were not answered in time: context canceled") {
		t.Errorf("error %v", err)
	}
}

func TestDeadlineAndFailuresAreToldApart(t *testing.T) {
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	err := summarize(ctx, []error{nil, errors.New("broken"), ctx.Err(), ctx.Err()})
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "3 of 4 pods") ||
		!strings.Contains(err.Error(), "broken\n2 were not answered in time") {
		t.Errorf("error %v", err)
	}
	if err := summarize(ctx, []error{nil, nil}); err != nil {
		t.Errorf("without a failure: %v", err)
	}
}

func TestNoPodsAreAskedForNothing(t *testing.T) {
	s := source(t, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("asked for %s", r.URL.Path) })
	if got, err := s.PollPods(t.Context(), nil); err != nil || len(got) > 0 {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestListOfAllPods(t *testing.T) {
	var requests atomic.Int32
	s := source(t, func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if r.URL.Path != apiPath+"pods" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		answer(w, http.StatusOK, &v1beta1.PodMetricsList{
			TypeMeta: metav1.TypeMeta{Kind: "PodMetricsList", APIVersion: v1beta1.SchemeGroupVersion.String()},
			Items: []v1beta1.PodMetrics{
				*podMetrics("a", "p", usage("1", "1Gi"), usage("500m", "1Gi")),
				*podMetrics("b", "p", usage("2", "1Gi"), usage("", "1Gi")),
			},
		})
	})
	got, err := s.ListPods(t.Context())
	if err != nil || len(got) != 2 || requests.Load() != 1 {
		t.Fatalf("got %+v, %v, with %d requests", got, err, requests.Load())
	}
	if got[0].Pod != (types.NamespacedName{Namespace: "a", Name: "p"}) || !same(got[0].Reading, 1.5, 2<<30) {
		t.Errorf("got %+v", got[0])
	}
	if got[1].Pod != (types.NamespacedName{Namespace: "b", Name: "p"}) || !same(got[1].Reading, math.NaN(), 2<<30) {
		t.Errorf("got %+v", got[1])
	}
}

func TestListsThatFail(t *testing.T) {
	broken := apierrors.NewInternalError(errors.New("broken"))
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		want    string
	}{
		"metrics-server fails":  {func(w http.ResponseWriter, _ *http.Request) { refuse(w, broken) }, "Metrics of metrics.k8s.io: Internal error occurred: broken"},
		"the API is not served": {http.NotFound, "Metrics: the API server does not serve metrics.k8s.io/v1beta1, so metrics-server may be missing: "},
	} {
		t.Run(name, func(t *testing.T) {
			s := source(t, test.handler)
			nodes, err := s.Poll(t.Context())
			if err == nil || len(nodes) > 0 || !strings.HasPrefix(err.Error(), "list Node"+test.want) {
				t.Errorf("got %v, %v", nodes, err)
			}
			pods, err := s.ListPods(t.Context())
			if err == nil || len(pods) > 0 || !strings.HasPrefix(err.Error(), "list Pod"+test.want) {
				t.Errorf("got %v, %v", pods, err)
			}
		})
	}
}
