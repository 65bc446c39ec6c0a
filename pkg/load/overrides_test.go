package load

import (
	"fmt"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/line"
)

func annotatedNode(value string) *v1.Node {
	n := &v1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n", UID: "n"}}
	if value != "" {
		n.Annotations = map[string]string{config.ThresholdsAnnotation: value}
	}
	return n
}

// collectReports has the fixture keep what is reported.
func (f *fixture) collectReports() *[]string {
	reports := &[]string{}
	f.config.Report = func(object runtime.Object, err error) {
		*reports = append(*reports, fmt.Sprintf("%T %s: %v", object, object.(metav1.Object).GetName(), err))
	}
	return reports
}

func TestThresholdsOfANode(t *testing.T) {
	f := newFixture(t)
	reports := f.collectReports()
	f.Lead()
	f.nodeHandler().OnAdd(annotatedNode(`{"cpu": 60}`), false)
	if n, _ := f.node("n"); n.Own != (line.Own{Percent: amount.Vector{amount.CPU: 60}, Set: [amount.NumResources]bool{amount.CPU: true}}) {
		t.Errorf("thresholds %+v", n.Own)
	}
	for _, bad := range []string{`{"cpu": 160}`, `{"cpu": 160}`} { // the second update changes nothing
		f.nodeHandler().OnUpdate(nil, annotatedNode(bad))
	}
	if n, _ := f.node("n"); n.Own != (line.Own{}) {
		t.Errorf("thresholds %+v of an annotation that is not valid", n.Own)
	}
	if len(*reports) != 1 || !strings.Contains((*reports)[0], "*v1.Node n: metadata.annotations[plimsoll.io/thresholds][cpu]: Invalid value: 160") {
		t.Errorf("reports: %q, want one", *reports)
	}
	f.nodeHandler().OnUpdate(nil, annotatedNode(""))
	if n, _ := f.node("n"); n.Own != (line.Own{}) || len(*reports) != 1 {
		t.Errorf("thresholds %+v without an annotation; reports: %q", n.Own, *reports)
	}
}

func annotatedPod(estimate string) *v1.Pod {
	pod := boundPod("p", "n")
	pod.Annotations = map[string]string{config.EstimateAnnotation: estimate}
	return pod
}

func TestEstimateOfAPodsAnnotationWins(t *testing.T) {
	f, pods := newPodFixture(t)
	for estimate, want := range map[string]amount.Vector{
		`{"cpu": "3", "memory": "4Gi"}`: {3000, 4 << 30},
		`{"cpu": "500m"}`:               {500, 1 << 30}, // the memory is that of the request
		`{"cpu": "lots"}`:               {1000, 1 << 30},
		`nonsense`:                      {1000, 1 << 30},
	} {
		if got := f.Estimate(annotatedPod(estimate)); got != want {
			t.Errorf("%s: estimate %v, want %v", estimate, got, want)
		}
	}
	learned := f.warmPod(pods, "w", 8)
	f.runFor(2 * learnAfter)
	if got := f.Estimate(learned)[amount.CPU]; got < 8000 {
		t.Fatalf("estimate %d, want what was learned", got)
	}
	learned.Annotations = map[string]string{config.EstimateAnnotation: `{"cpu": "3"}`}
	if got := f.Estimate(learned)[amount.CPU]; got != 3000 {
		t.Errorf("estimate %d, want that of the annotation", got)
	}
	for i := range 2 * maxParsed {
		f.Estimate(annotatedPod(fmt.Sprintf(`{"cpu": "%dm"}`, i)))
		if len(f.parsed) > maxParsed {
			t.Fatalf("%d parsed estimates are kept", len(f.parsed))
		}
	}
}

// A standby replica reports nothing until it leads, and then each fault once.
func TestOnlyTheLeaderReports(t *testing.T) {
	f := newFixture(t)
	reports := f.collectReports()
	bad := annotatedPod("nonsense")
	f.podHandler().OnAdd(bad, true)
	f.podHandler().OnUpdate(bad, bad)
	if len(*reports) != 0 {
		t.Fatalf("a standby reports %q", *reports)
	}
	f.Lead()
	f.Lead()
	if len(*reports) != 1 || !strings.Contains((*reports)[0], "*v1.Pod p: metadata.annotations[plimsoll.io/estimate]") {
		t.Fatalf("reports: %q, want one", *reports)
	}
	worse := bad.DeepCopy()
	worse.Annotations[config.WhenUnsatisfiableAnnotation] = "Whenever"
	f.podHandler().OnUpdate(bad, worse)
	if len(*reports) != 2 || !strings.Contains((*reports)[1], "plimsoll.io/when-unsatisfiable") {
		t.Errorf("reports: %q, want one more", *reports)
	}
}
