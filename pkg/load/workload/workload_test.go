package workload

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/history"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func podOf(kind, controller string, labels map[string]string) *v1.Pod {
	return &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Labels: labels, OwnerReferences: []metav1.OwnerReference{
			{Kind: kind, Name: controller, UID: types.UID(controller), Controller: new(true)},
		}},
		Spec: v1.PodSpec{Containers: []v1.Container{{Name: "main"}}},
	}
}

func TestWhatAWorkloadIsKnownBy(t *testing.T) {
	hash := func(value string) map[string]string { return map[string]string{"pod-template-hash": value} }
	for name, test := range map[string]struct {
		a, b *v1.Pod
		same bool
	}{
		"revisions of a Deployment":         {podOf("ReplicaSet", "web-5d9f", hash("5d9f")), podOf("ReplicaSet", "web-77c4", hash("77c4")), true},
		"two Deployments":                   {podOf("ReplicaSet", "web-5d9f", hash("5d9f")), podOf("ReplicaSet", "db-5d9f", hash("5d9f")), false},
		"a ReplicaSet that nobody owns":     {podOf("ReplicaSet", "web-5d9f", nil), podOf("ReplicaSet", "web-77c4", nil), false},
		"revisions of a Rollout":            {podOf("ReplicaSet", "web-1", map[string]string{"rollouts-pod-template-hash": "1"}), podOf("ReplicaSet", "web-2", map[string]string{"rollouts-pod-template-hash": "2"}), true},
		"runs of a CronJob":                 {podOf("Job", "report-29000000", nil), podOf("Job", "report-29000060", nil), true},
		"runs of two CronJobs":              {podOf("Job", "report-29000000", nil), podOf("Job", "backup-29000000", nil), false},
		"Jobs that end in other numbers":    {podOf("Job", "train-1", nil), podOf("Job", "train-2", nil), false},
		"Jobs of a JobSet":                  {podOf("Job", "set-a-0", map[string]string{"jobset.sigs.k8s.io/jobset-name": "set"}), podOf("Job", "set-a-1", map[string]string{"jobset.sigs.k8s.io/jobset-name": "set"}), true},
		"a StatefulSet, made again":         {podOf("StatefulSet", "db", nil), podOf("StatefulSet", "db", nil), true},
		"a StatefulSet and a DaemonSet":     {podOf("StatefulSet", "db", nil), podOf("DaemonSet", "db", nil), false},
		"a Deployment with a new container": {podOf("StatefulSet", "db", nil), withContainer(podOf("StatefulSet", "db", nil), "proxy"), false},
	} {
		a, aOK := KeyOf(test.a, amount.Vector{1, 1})
		b, bOK := KeyOf(test.b, amount.Vector{1, 1})
		if !aOK || !bOK || (a == b) != test.same {
			t.Errorf("%s: %+v and %+v, want the same: %t", name, a, b, test.same)
		}
	}
	if _, ok := KeyOf(&v1.Pod{}, amount.Vector{}); ok {
		t.Error("a pod without a controller has a workload")
	}
}

func withContainer(pod *v1.Pod, name string) *v1.Pod {
	pod.Spec.Containers = append(pod.Spec.Containers, v1.Container{Name: name})
	return pod
}

// The fast form agrees with the sums by definition.
func TestMomentsAgreeWithTheReference(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var m moments
		var values, weights []float64
		at := epoch
		for i := range 1 + random.IntN(100) {
			step := time.Duration(random.IntN(7200)) * time.Second
			window := time.Duration(1+random.IntN(60)) * time.Second
			at = at.Add(step)
			for j := range weights {
				weights[j] *= math.Exp2(-step.Hours() / 6)
			}
			stands := window
			if i > 0 {
				stands = max(window, min(step, time.Minute))
			}
			value := 1e4 * random.Float64()
			values, weights = append(values, value), append(weights, stands.Seconds())
			m.add(value, at, window)
		}
		var total, mean, variance float64
		for i := range values {
			total += weights[i]
			mean += weights[i] * values[i]
		}
		mean /= total
		for i := range values {
			variance += weights[i] * (values[i] - mean) * (values[i] - mean) / total
		}
		if math.Abs(m.weight-total) > 1e-6*total || math.Abs(m.mean-mean) > 1e-6*mean || math.Abs(m.deviation()-math.Sqrt(variance)) > 1e-4*mean {
			t.Fatalf("weight %v, mean %v, deviation %v; want %v, %v, %v", m.weight, m.mean, m.deviation(), total, mean, math.Sqrt(variance))
		}
	}
}

func TestHowSoonUseIsBelieved(t *testing.T) {
	for _, test := range []struct {
		name      string
		resource  amount.Resource
		requested int64
		use       float64
		seen      time.Duration
		low, high int64
	}{
		{"nothing seen", amount.CPU, 1000, 0, 0, 1000, 1000},
		{"more, for half a minute", amount.CPU, 100, 4000, 30 * time.Second, 3400, 3500},
		{"less, for half a minute", amount.CPU, 4000, 100, 30 * time.Second, 3600, 3700},
		{"less, for half an hour", amount.CPU, 4000, 100, 30 * time.Minute, 600, 700},
		{"less memory, for half an hour", amount.Memory, 4000, 100, 30 * time.Minute, 2650, 2750},
		{"less memory, for a day", amount.Memory, 4000, 100, 24 * time.Hour, 500, 600},
	} {
		var m moments
		for at := time.Duration(0); at < test.seen; at += 15 * time.Second {
			m.add(test.use, epoch.Add(at), 15*time.Second)
		}
		if got := m.estimate(test.resource, test.requested); got < test.low || got > test.high {
			t.Errorf("%s: estimate %d, want %d to %d", test.name, got, test.low, test.high)
		}
	}
}

// Old use counts for less than new, years pass without harm, and one absurd value
// does not outlast them.
func TestOldUseFades(t *testing.T) {
	var m moments
	for i := range 100 {
		m.add(8000, epoch.Add(time.Duration(i)*time.Minute), time.Minute)
	}
	later := epoch.Add(20 * halfLife)
	for i := range 60 {
		m.add(1000, later.Add(time.Duration(i)*time.Minute), time.Minute)
	}
	if got := m.estimate(amount.CPU, 1000); got > 1100 {
		t.Errorf("estimate %d, want about 1000: the old use is long past", got)
	}
	for i := range 1000 {
		m.add(1000, later.Add(time.Duration(i)*10*halfLife), time.Minute)
	}
	if got := m.estimate(amount.CPU, 1000); got < 1000 || got > 1010 {
		t.Errorf("estimate %d after years of 1000", got)
	}
}

// Jobs that come and go for a week leave no more than the limit behind, and what
// runs is kept.
func TestWorkloadsAreBounded(t *testing.T) {
	b := NewBook[int]()
	kept, _ := KeyOf(podOf("StatefulSet", "kept", nil), amount.Vector{})
	b.Join(kept, -1).Learn(history.Sample{Timestamp: epoch, Window: time.Minute, Usage: amount.Vector{5000, 0}}, [amount.NumResources]bool{})
	now := epoch
	for i := range 5 * Limit {
		now = now.Add(7 * 24 * time.Hour / (5 * Limit))
		key, _ := KeyOf(podOf("Job", fmt.Sprint("job-", i), nil), amount.Vector{})
		w := b.Join(key, i)
		if w == nil || b.Len() > Limit {
			t.Fatalf("job %d of a week: %v, %d workloads known", i, w, b.Len())
		}
		w.Leave(i, now)
		if i%1000 == 0 {
			b.Forget(now)
		}
	}
	if b.Estimate(kept, amount.Vector{})[amount.CPU] < 4000 {
		t.Error("a workload that runs is forgotten for Jobs that have ended")
	}
	b.Forget(now.Add(2 * Grace))
	if b.Len() != 1 {
		t.Errorf("%d workloads are known long after all but one are gone", b.Len())
	}
}

// With as many workloads running as are remembered, another one is estimated by
// its requests.
func TestTooManyWorkloads(t *testing.T) {
	b := NewBook[int]()
	for i := range Limit {
		key, _ := KeyOf(podOf("StatefulSet", fmt.Sprint(i), nil), amount.Vector{})
		b.Join(key, i)
	}
	key, _ := KeyOf(podOf("StatefulSet", "one more", nil), amount.Vector{7, 7})
	if w := b.Join(key, Limit); w != nil || b.Estimate(key, amount.Vector{7, 7}) != (amount.Vector{7, 7}) {
		t.Errorf("workload %v, estimate %v", w, b.Estimate(key, amount.Vector{7, 7}))
	}
}

func TestWorkloadsAreMeasuredInTurn(t *testing.T) {
	b := NewBook[int]()
	for i := range 3 {
		key, _ := KeyOf(podOf("StatefulSet", fmt.Sprint(i), nil), amount.Vector{})
		b.Join(key, 10*i)
		b.Join(key, 10*i+1)
	}
	var asked []int
	for round := range 4 {
		b.InTurn(func(w *Workload[int]) bool {
			pod, ok := w.Next(func(pod int) bool { return pod != 21 })
			if !ok {
				t.Fatal("no pod is ready")
			}
			w.Asked(epoch.Add(time.Duration(len(asked)) * time.Second))
			asked = append(asked, pod)
			return len(asked)%2 != 0
		})
		_ = round
	}
	counts := map[int]int{}
	for _, pod := range asked {
		counts[pod]++
	}
	if len(asked) != 8 || counts[21] != 0 || counts[20] < 2 || counts[0] == 0 || counts[1] == 0 || counts[10] == 0 || counts[11] == 0 {
		t.Errorf("asked in turn: %v", asked)
	}
}

// What the model holds for each workload that is remembered.
func BenchmarkLearn(b *testing.B) {
	book := NewBook[int]()
	key, _ := KeyOf(podOf("StatefulSet", "w", nil), amount.Vector{1000, 1 << 30})
	w := book.Join(key, 1)
	s := history.Sample{Timestamp: epoch, Window: 15 * time.Second, Usage: amount.Vector{500, 1 << 29}}
	b.ReportAllocs()
	for b.Loop() {
		s.Timestamp = s.Timestamp.Add(15 * time.Second)
		w.Learn(s, [amount.NumResources]bool{})
		_ = book.Estimate(key, amount.Vector{1000, 1 << 30})
	}
}
