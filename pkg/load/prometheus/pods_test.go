package prometheus

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

// podServer answers queries, and remembers them.
type podServer struct {
	answers map[string]answer // by query; others are answered with no series

	mu      sync.Mutex
	queries []string
}

// asked returns the queries so far. One that the source gave up may come later.
func (s *podServer) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.queries)
}

func (s *podServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.FormValue("query")
	s.mu.Lock()
	s.queries = append(s.queries, query)
	s.mu.Unlock()
	reply, ok := s.answers[query]
	if !ok {
		reply = vector()
	}
	if reply.status != 0 {
		w.WriteHeader(reply.status)
	}
	fmt.Fprint(w, reply.body)
}

// newPods returns what asks the server for `the cpu {NAMES}` and `the memory
// {NAMES}`, and the server's address.
func newPods(t *testing.T, s *podServer) (pods *Pods, address string) {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return newSource(t, Config{Address: server.URL}).Pods(PodConfig{
		NamespaceLabel: "ns", PodLabel: "po",
		Expression: func(r amount.Resource, names string) string { return "the " + string(r.Name()) + " {" + names + "}" },
	}), server.URL
}

func podSeries(namespace, name string, time float64, value string) string {
	return fmt.Sprintf(`{"metric":{"ns":%q,"po":%q},"value":[%f,%q]}`, namespace, name, time, value)
}

func named(namespace, name string) types.NamespacedName {
	return types.NamespacedName{Namespace: namespace, Name: name}
}

func checkPods(t *testing.T, got, want []load.PodReading) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("got %+v, want %+v", got, want)
	}
	for i := range want {
		if got[i].Pod != want[i].Pod || got[i].Window != time.Minute || !same(got[i].Usage, want[i].Usage) {
			t.Errorf("got %+v, want %+v", got[i], want[i])
		}
	}
}

func podReading(pod types.NamespacedName, cpu, memory float64) load.PodReading {
	return load.PodReading{Pod: pod, Reading: load.Reading{Usage: usage(cpu, memory)}}
}

func TestPodsThatAreAskedForAreRead(t *testing.T) {
	nan := math.NaN()
	s := &podServer{answers: map[string]answer{
		"the cpu {a[.]1|b|c|d|e}": vector(podSeries("x", "a.1", later, "2"), podSeries("x", "b", at, "0.5"), podSeries("y", "b", at, "7"),
			podSeries("z", "b", at, "8"), podSeries("x", "c", at, "1"), podSeries("x", "c", at, "1"), `{"metric":{"po":"e"},"value":[1700000000.25,"3"]}`),
		"the memory {a[.]1|b|c|d|e}": vector(podSeries("x", "a.1", at, "1e9"), podSeries("y", "b", at, "3e9"), podSeries("x", "c", at, "1e9"),
			podSeries("z", "stranger", at, "1e9")),
	}}
	pods, _ := newPods(t, s)
	got, err := pods.PollPods(t.Context(), []types.NamespacedName{
		named("x", "e"), named("y", "b"), named("x", "a.1"), named("x", "b"), named("x", "c"), named("x", "d"),
	})
	if err != nil {
		t.Fatal(err)
	}
	checkPods(t, got, []load.PodReading{
		podReading(named("y", "b"), 7, 3e9),
		podReading(named("x", "a.1"), 2, 1e9),
		podReading(named("x", "b"), 0.5, nan), // no memory
		podReading(named("x", "c"), nan, 1e9), // two series of CPU: which is the pod's?
	})
	if ms := got[1].Timestamp.UnixMilli(); ms != 1700000000250 {
		t.Errorf("timestamp %d, want the earlier evaluation", ms)
	}
	if len(s.asked()) != 2 {
		t.Errorf("asked %q, want one query a resource", s.asked())
	}
}

func TestListOfAllPods(t *testing.T) {
	pods, _ := newPods(t, &podServer{answers: map[string]answer{
		"the cpu {.+}":    vector(podSeries("y", "b", at, "7"), podSeries("x", "a", at, "2"), `{"metric":{"po":"e"},"value":[1,"3"]}`),
		"the memory {.+}": vector(podSeries("x", "a", at, "1e9"), podSeries("y", "b", at, "3e9")),
	}})
	got, err := pods.ListPods(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	checkPods(t, got, []load.PodReading{podReading(named("x", "a"), 2, 1e9), podReading(named("y", "b"), 7, 3e9)})
}

func TestNoPodsAreAskedForNothing(t *testing.T) {
	s := &podServer{}
	pods, _ := newPods(t, s)
	if got, err := pods.PollPods(t.Context(), nil); err != nil || len(got) > 0 || len(s.asked()) > 0 {
		t.Errorf("got %v, %v after %q", got, err, s.asked())
	}
}

// Pods that have just started are not known. That is to be told apart from an
// expression that matches nothing.
func TestUnknownPodsAreNoErrorUnlessNoneIsKnown(t *testing.T) {
	count := vector(`{"metric":{},"value":[1700000000.25,"12"]}`)
	for name, test := range map[string]struct {
		answers map[string]answer
		want    string
	}{
		"others are known": {
			map[string]answer{"count(\nthe cpu {.+}\n)": count, "count(\nthe memory {.+}\n)": count}, "",
		},
		"none is known": {nil, "the answer is empty: no series matches, or none has been scraped often enough in the last 1m0s; the expression is: the "},
		"none is known of one resource": {
			map[string]answer{"count(\nthe cpu {.+}\n)": count}, "for memory of pods: the answer is empty",
		},
		"it cannot be told": {
			map[string]answer{"count(\nthe cpu {.+}\n)": {503, ""}, "count(\nthe memory {.+}\n)": count}, "for cpu of pods: server_error: server error: 503",
		},
	} {
		t.Run(name, func(t *testing.T) {
			pods, address := newPods(t, &podServer{answers: test.answers})
			got, err := pods.PollPods(t.Context(), []types.NamespacedName{named("x", "a")})
			if len(got) > 0 || (err != nil) != (test.want != "") {
				t.Fatalf("got %v, error %v, want %q", got, err, test.want)
			}
			if err != nil && (!strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "ask Prometheus at "+address)) {
				t.Errorf("error %q, want %q and the address", err, test.want)
			}
		})
	}
}

func TestExpressionForAllPodsThatYieldsNone(t *testing.T) {
	s := &podServer{}
	pods, _ := newPods(t, s)
	pods.config.Expression = func(r amount.Resource, _ string) string { return "the " + string(r.Name()) }
	_, err := pods.PollPods(t.Context(), []types.NamespacedName{named("x", "a")})
	if err == nil || !strings.Contains(err.Error(), "the answer is empty") {
		t.Error(err)
	}
	if slices.ContainsFunc(s.asked(), func(query string) bool { return strings.HasPrefix(query, "count") }) {
		t.Errorf("asked %q: the first answer says it all", s.asked())
	}
}

func TestFailedAnswersFailThePodPoll(t *testing.T) {
	fine := vector(podSeries("x", "a", at, "2"))
	for name, test := range map[string]struct {
		reply answer
		want  string
	}{
		"no series has the labels": {
			vector(`{"metric":{"ns":"x"},"value":[1,"3"]}`, `{"metric":{"po":"a"},"value":[1,"3"]}`),
			"none of 2 series has a finite value and labels ns and po of its own, which must be the namespace and the name of a pod; the first is ",
		},
		"a warning":           {answer{body: strings.TrimSuffix(fine.body, "}") + `,"warnings":["store x is down"]}`}, "may lack a part, for it has warnings: store x is down"},
		"a scalar":            {answer{body: `{"status":"success","data":{"resultType":"scalar","result":[1,"3"]}}`}, "the answer is a scalar, must be an instant vector"},
		"a fault in the text": {answer{400, `{"status":"error","errorType":"bad_data","error":"1:5: parse error"}`}, "bad_data: 1:5: parse error"},
	} {
		for _, failing := range []string{"cpu", "memory"} {
			t.Run(name, func(t *testing.T) {
				answers := map[string]answer{"the cpu {a}": fine, "the memory {a}": fine}
				answers["the "+failing+" {a}"] = test.reply
				pods, address := newPods(t, &podServer{answers: answers})
				got, err := pods.PollPods(t.Context(), []types.NamespacedName{named("x", "a")})
				if err == nil || len(got) > 0 {
					t.Fatalf("got %v, %v", got, err)
				}
				for _, want := range []string{"ask Prometheus at " + address + " for " + failing + " of pods: ", test.want, "; the expression is: the " + failing + " {.+}"} {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("error %q, want %q", err, want)
					}
				}
			})
		}
	}
}

// What a regular expression of many names costs is bounded: then all are asked for.
func TestManyLongNames(t *testing.T) {
	var pods []types.NamespacedName
	for i := range 100 {
		pods = append(pods, named("x", fmt.Sprintf("%s-%d", strings.Repeat("n", 60), i)), named("y", fmt.Sprintf("%s-%d", strings.Repeat("n", 60), i)))
	}
	names := regexp.MustCompile("^(" + namesOf(pods) + ")$")
	for _, pod := range pods {
		if !names.MatchString(pod.Name) {
			t.Errorf("%s does not match", pod.Name)
		}
	}
	if names.MatchString("n") {
		t.Error("others match, too")
	}
	for i := range pods {
		pods[i].Name += strings.Repeat("m", 100)
	}
	if got := namesOf(pods); got != anyName {
		t.Errorf("a regular expression of %d bytes", len(got))
	}
}

func TestPodPollEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm() // the server sees that the client is gone only when it has read the request
		cancel()
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	pods := newSource(t, Config{Address: server.URL}).Pods(PodConfig{Expression: func(amount.Resource, string) string { return "x" }})
	if _, err := pods.PollPods(ctx, []types.NamespacedName{named("x", "a")}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestAnswersAreBounded(t *testing.T) {
	for _, size := range []int{100, 101} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, strings.Repeat("x", size))
		}))
		t.Cleanup(server.Close)
		client := http.Client{Transport: boundedTransport{RoundTripper: http.DefaultTransport, limit: 100}}
		response, err := client.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		_, err = fmt.Fscan(response.Body, new(string))
		response.Body.Close()
		if tooLarge := size > 100; errors.Is(err, errTooLarge) != tooLarge {
			t.Errorf("%d bytes of at most 100: %v", size, err)
		}
	}
	if err := explain(fmt.Errorf("read: %w", errTooLarge)); strings.Contains(err.Error(), "not one of Prometheus' API") {
		t.Error(err)
	}
}
