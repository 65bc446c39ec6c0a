package workload

import (
	"fmt"
	"slices"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/history"
)

func ownedBy(controller string, labels map[string]string) *v1.Pod {
	return &v1.Pod{ObjectMeta: metav1.ObjectMeta{Labels: labels, OwnerReferences: []metav1.OwnerReference{
		{Kind: "Node", UID: "not the controller"},
		{Kind: "ReplicaSet", UID: types.UID(controller), Controller: new(true)},
	}}}
}

func TestKeyOf(t *testing.T) {
	deployment := func(hash string) map[string]string {
		return map[string]string{appsv1.DefaultDeploymentUniqueLabelKey: hash}
	}
	stateful := func(hash string) map[string]string {
		return map[string]string{appsv1.ControllerRevisionHashLabelKey: hash}
	}
	base, _ := KeyOf(ownedBy("web", deployment("1")), amount.Vector{1, 1})
	for name, test := range map[string]struct {
		pod      *v1.Pod
		requests amount.Vector
		same     bool
	}{
		"another pod of it":       {ownedBy("web", deployment("1")), amount.Vector{1, 1}, true},
		"of another controller":   {ownedBy("db", deployment("1")), amount.Vector{1, 1}, false},
		"of another template":     {ownedBy("web", deployment("2")), amount.Vector{1, 1}, false},
		"without a template":      {ownedBy("web", nil), amount.Vector{1, 1}, false},
		"that requests more":      {ownedBy("web", deployment("1")), amount.Vector{1, 2}, false},
		"of a StatefulSet's hash": {ownedBy("web", stateful("2")), amount.Vector{1, 1}, false},
	} {
		key, ok := KeyOf(test.pod, test.requests)
		if !ok || (key == base) != test.same || (key.compare(base) == 0) != test.same || key.compare(base) != -base.compare(key) {
			t.Errorf("%s: the same workload: %t, want %t", name, key == base, test.same)
		}
	}
	pod := ownedBy("web", nil)
	pod.OwnerReferences = pod.OwnerReferences[:1]
	if _, ok := KeyOf(pod, amount.Vector{}); ok {
		t.Error("a pod without a controller has a workload")
	}
}

func key(name string) Key { return Key{controller: types.UID(name)} }

// minute is a sample that stands for a minute.
func minute(i int, use amount.Vector) history.Sample {
	return history.Sample{Timestamp: epoch.Add(time.Duration(i) * time.Minute), Window: time.Minute, Usage: use}
}

func TestAWorkloadIsKnownOnceItWasSeenForLongEnough(t *testing.T) {
	b := NewBook[string]()
	w := b.Join(key("web"), "a")
	for i := range 5 {
		if _, known := b.Estimate(key("web")); known {
			t.Fatalf("known after %d minutes", i)
		}
		w.Learn(minute(i, amount.Vector{1000, 1 << 20}))
	}
	use, known := b.Estimate(key("web"))
	for r, want := range (amount.Vector{1000, 1 << 20}) {
		if !known || use[r] < want || float64(use[r]) > 1.1*float64(want)+1 {
			t.Errorf("resource %d: %d, known %t, want %d to a tenth more", r, use[r], known, want)
		}
	}
	if _, known := b.Estimate(key("db")); known {
		t.Error("a workload without pods is known")
	}
}

// A source without windows still teaches, a second with each sample.
func TestSamplesWithoutAWindowTeach(t *testing.T) {
	b := NewBook[string]()
	w := b.Join(key("web"), "a")
	for i := range int(LearnAfter.Seconds()) {
		w.Learn(history.Sample{Timestamp: epoch.Add(time.Duration(i) * time.Second), Usage: amount.Vector{1000, 1}})
	}
	if _, known := b.Estimate(key("web")); !known {
		t.Error("nothing is learned")
	}
}

func TestWorkloadsAreForgottenWhenTheyHaveBeenGoneForAWhile(t *testing.T) {
	b := NewBook[string]()
	w := b.Join(key("web"), "a")
	b.Join(key("web"), "b")
	left := epoch.Add(time.Hour)
	w.Leave("a", epoch)
	w.Leave("never was there", epoch)
	if b.Forget(epoch.Add(24 * time.Hour)); b.Len() != 1 {
		t.Fatal("forgotten while a pod runs")
	}
	w.Leave("b", left)
	if b.Forget(left.Add(Grace)); b.Len() != 1 {
		t.Error("forgotten too soon")
	}
	b.Join(key("web"), "c")
	if b.Forget(left.Add(24 * time.Hour)); b.Len() != 1 {
		t.Error("forgotten although a pod has come")
	}
	w.Leave("c", left)
	if b.Forget(left.Add(Grace + 1)); b.Len() != 0 {
		t.Error("never forgotten")
	}
	if len(w.pods) != 0 || cap(w.pods) > 0 && slices.ContainsFunc(w.pods[:cap(w.pods)], func(p string) bool { return p != "" }) {
		t.Errorf("it holds on to %v", w.pods[:cap(w.pods)])
	}
}

func TestWorkloadsAreBounded(t *testing.T) {
	b := NewBook[int]()
	for i := range Limit {
		if b.Join(key(fmt.Sprint(i)), i) == nil {
			t.Fatalf("no room for workload %d", i)
		}
	}
	if b.Join(key("one more"), 0) != nil || b.Len() != Limit {
		t.Errorf("%d workloads", b.Len())
	}
	if b.Join(key("7"), 8) == nil {
		t.Error("no room for a pod of a workload that is known")
	}
}

// Each workload, and each pod of one, gets its turn, whatever the order in which
// they came.
func TestWorkloadsAndPodsTakeTurns(t *testing.T) {
	b := NewBook[string]()
	for w := range 3 {
		for p := range w + 1 {
			b.Join(key(fmt.Sprint("w", w)), fmt.Sprint("w", w, "p", p))
		}
	}
	now, count := epoch, map[string]int{}
	for range 12 {
		now = now.Add(time.Second)
		b.InTurn(func(w *Workload[string]) bool {
			pod, found := w.Next(func(pod string) bool { return pod != "w2p1" }, now)
			if !found {
				t.Fatal("a workload without a pod that is ready")
			}
			count[pod]++
			return false // one a poll
		})
	}
	want := map[string]int{"w0p0": 4, "w1p0": 2, "w1p1": 2, "w2p0": 2, "w2p2": 2}
	if fmt.Sprint(count) != fmt.Sprint(want) {
		t.Errorf("asked for %v, want %v", count, want)
	}
}

func TestAWorkloadWithoutAPodThatIsReady(t *testing.T) {
	b := NewBook[string]()
	w := b.Join(key("web"), "a")
	if _, found := w.Next(func(string) bool { return false }, epoch); found || !w.asked.IsZero() {
		t.Error("it was asked for")
	}
}
