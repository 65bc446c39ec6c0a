package annotation

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
)

// reports are what Watch says, in no order.
type reports struct {
	mu   sync.Mutex
	said []string
}

func (r *reports) report(object runtime.Object, reason, message string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.said = append(r.said, fmt.Sprintf("%s %T %s: %s", reason, object, object.(metav1.Object).GetName(), message))
}

func (r *reports) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.said)
}

// watched starts informers of a cluster with the objects.
func watched(t *testing.T, objects ...runtime.Object) (kubernetes.Interface, *reports) {
	client, r := fake.NewClientset(objects...), &reports{}
	factory := informers.NewSharedInformerFactory(client, 0)
	if err := Watch(factory, r.report); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	factory.Start(ctx.Done())
	t.Cleanup(func() { cancel(); factory.Shutdown() })
	factory.WaitForCacheSync(ctx.Done())
	return client, r
}

// become waits until so much has been said, and that each of the parts is said once.
func (r *reports) become(t *testing.T, parts ...string) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), time.Millisecond, 10*time.Second, true, func(context.Context) (bool, error) {
		return len(r.all()) >= len(parts), nil
	})
	said := r.all()
	if err != nil || len(said) != len(parts) {
		t.Fatalf("said: %q, want %q", said, parts)
	}
	for _, part := range parts {
		if !slices.ContainsFunc(said, func(s string) bool { return strings.Contains(s, part) }) {
			t.Errorf("said: %q, want %q", said, part)
		}
	}
}

func node(name, thresholds string) *v1.Node {
	return &v1.Node{ObjectMeta: metav1.ObjectMeta{
		Name: name, UID: types.UID(name), Annotations: map[string]string{config.ThresholdsAnnotation: thresholds},
	}}
}

func pod(name string, annotations map[string]string) *v1.Pod {
	return &v1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "ns", UID: types.UID(name), Annotations: annotations}}
}

const (
	badNode     = "InvalidAnnotation *v1.Node bad: metadata.annotations[plimsoll.io/thresholds][cpu]: Invalid value: 160"
	badEstimate = "InvalidAnnotation *v1.Pod bad: metadata.annotations[plimsoll.io/estimate]"
	badPolicy   = "InvalidAnnotation *v1.Pod bad: metadata.annotations[plimsoll.io/when-unsatisfiable]"
	last        = "InvalidAnnotation *v1.Node last:"
)

func TestWhatIsNotValidWhenTheProcessStartsIsReported(t *testing.T) {
	_, r := watched(t,
		node("good", `{"cpu": 60}`), &v1.Node{ObjectMeta: metav1.ObjectMeta{Name: "plain"}}, node("bad", `{"cpu": 160}`),
		pod("plain", nil), pod("good", map[string]string{config.EstimateAnnotation: `{"cpu": "3"}`, config.WhenUnsatisfiableAnnotation: "ScheduleAnyway"}),
		pod("bad", map[string]string{config.EstimateAnnotation: "nonsense", config.WhenUnsatisfiableAnnotation: "Whenever"}),
	)
	r.become(t, badNode, badEstimate, badPolicy)
	if said := r.all(); !strings.HasSuffix(said[0], "; the annotation is ignored") {
		t.Errorf("%q does not say what becomes of it", said[0])
	}
}

func TestAFaultIsReportedWhenTheAnnotationChanges(t *testing.T) {
	client, r := watched(t, node("bad", `{"cpu": 60}`), pod("bad", nil))
	update := func(n *v1.Node, p *v1.Pod) {
		t.Helper()
		if n != nil {
			if _, err := client.CoreV1().Nodes().Update(t.Context(), n, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		if p != nil {
			if _, err := client.CoreV1().Pods("ns").Update(t.Context(), p, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	update(node("bad", `{"cpu": 160}`), nil)
	r.become(t, badNode)
	// A heartbeat, with the same annotation, is not news.
	beats := node("bad", `{"cpu": 160}`)
	beats.Status.Phase = v1.NodeRunning
	update(beats, nil)
	// Nor is that it is gone, or valid.
	update(&v1.Node{ObjectMeta: metav1.ObjectMeta{Name: "bad", UID: "bad"}}, nil)
	update(node("bad", `{"cpu": 50}`), nil)
	// The same fault once more is.
	update(node("bad", `{"cpu": 160}`), nil)
	r.become(t, badNode, badNode)

	estimate := map[string]string{config.EstimateAnnotation: "nonsense"}
	update(nil, pod("bad", estimate))
	r.become(t, badNode, badNode, badEstimate)
	update(nil, pod("bad", map[string]string{config.EstimateAnnotation: "nonsense", config.WhenUnsatisfiableAnnotation: "Whenever"}))
	r.become(t, badNode, badNode, badEstimate, badPolicy)
}

// An object that is made again under its name is another one.
func TestAFaultOfAnObjectThatIsMadeAgainIsReportedAgain(t *testing.T) {
	client, r := watched(t, node("bad", `{"cpu": 160}`))
	r.become(t, badNode)
	again := node("bad", `{"cpu": 160}`)
	again.UID = "again" // which an interrupted watch shows as an update
	if _, err := client.CoreV1().Nodes().Update(t.Context(), again, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	r.become(t, badNode, badNode)
	if err := client.CoreV1().Nodes().Delete(t.Context(), "bad", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.CoreV1().Nodes().Create(t.Context(), node("last", `{}`), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	r.become(t, badNode, badNode, last) // and nothing of the deletion
}

// An annotation that looks like ours, and that nobody reads, is a slip of the pen.
func TestAnnotationsThatDoNotExistAreReported(t *testing.T) {
	odd := node("odd", `{"cpu": 60}`)
	odd.Annotations["plimsoll.io/threshold"], odd.Annotations["example.com/threshold"] = `{"cpu": 50}`, "1"
	_, r := watched(t, odd,
		pod("odd", map[string]string{"plimsoll.io/estimates": "1", config.ThresholdsAnnotation: `{"cpu": 1}`, "test.plimsoll.io/x": "1"}),
		pod("fine", map[string]string{config.ScheduleAnnotation: "disabled"}),
	)
	r.become(t,
		"*v1.Node odd: metadata.annotations[plimsoll.io/threshold]: Forbidden: there is no such annotation of a node; known here: plimsoll.io/thresholds",
		"*v1.Pod odd: metadata.annotations[plimsoll.io/estimates]: Forbidden: there is no such annotation of a pod; known here: plimsoll.io/estimate, plimsoll.io/isolated, plimsoll.io/schedule, plimsoll.io/when-unsatisfiable",
		"*v1.Pod odd: metadata.annotations[plimsoll.io/thresholds]: Forbidden: there is no such annotation of a pod",
	)
}
