package load

import (
	"fmt"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/line"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/workload"
)

// jobs is a cluster in which Jobs come and go, each of one pod and under a name that
// never comes again.
type jobs struct {
	*fixture
	pods  *fakePodSource
	nodes []string
	made  int
	// present are the pods that have not gone, oldest first.
	present []*v1.Pod
}

func newJobs(t *testing.T, interval time.Duration, nodes int) *jobs {
	f := newFixture(t)
	j := &jobs{fixture: f, pods: &fakePodSource{f: f, cores: map[string]float64{}}}
	f.source = &j.pods.fakeSource
	config := f.config
	config.Learn, config.Interval, config.Expiration, config.Window = true, interval, 3*interval, 2*interval
	f.Model = NewModel(config, j.pods)
	for i := range nodes {
		j.nodes = append(j.nodes, fmt.Sprintf("n%d", i))
		f.SetNode(j.nodes[i], amount.Vector{64000, 1 << 38}, line.Own{})
	}
	return j
}

// create has one Job come. One in eight says itself what its pod uses, and of some the
// pod does not get as far as to run.
func (j *jobs) create() {
	j.made++
	name, node := fmt.Sprintf("job-%d-x", j.made), j.nodes[j.made%len(j.nodes)]
	pod := boundPod(name, node)
	pod.OwnerReferences = []metav1.OwnerReference{{Kind: "Job", Name: fmt.Sprintf("job-%d", j.made), UID: types.UID(fmt.Sprint(j.made)), Controller: new(true)}}
	if j.made%8 == 0 {
		pod.Annotations = map[string]string{"plimsoll.io/estimate": fmt.Sprintf(`{"cpu": "%dm"}`, j.made)}
	}
	j.Reserve(pod, node)
	switch j.made % 10 {
	case 0: // it cannot be bound
		j.Unreserve(pod)
		return
	case 1: // it is deleted before its image is there
		j.SetPod(pod)
		j.RemovePod(pod)
		return
	}
	j.SetPod(pod)
	j.SetPod(running(pod, j.now.Now()))
	j.pods.cores[name] = 0.5
	j.present = append(j.present, pod)
}

// end has the oldest pod end in one of the ways in which pods do.
func (j *jobs) end() {
	pod := j.present[0]
	j.present = j.present[1:]
	delete(j.pods.cores, pod.Name)
	switch j.made % 4 {
	case 0: // it is seen to have ended, and deleted later
		ended := pod.DeepCopy()
		ended.Status.Phase = v1.PodSucceeded
		j.SetPod(ended)
		j.RemovePod(ended)
	case 1: // it is told to end, and then gone
		ending := running(pod, j.now.Now())
		ending.DeletionTimestamp = &metav1.Time{Time: j.now.Now()}
		j.SetPod(ending)
		j.Want(ending)
		j.RemovePod(ending)
	case 2: // it is made again under its name
		again := pod.DeepCopy()
		again.UID += "-again"
		j.podHandler().OnUpdate(pod, running(again, j.now.Now()))
		j.RemovePod(again)
	default:
		j.RemovePod(pod)
	}
}

// replaceNode has a node go and come back, at once, with its pods gone a moment later.
func (j *jobs) replaceNode() {
	name := j.nodes[j.made%len(j.nodes)]
	j.RemoveNode(name)
	j.SetNode(name, amount.Vector{64000, 1 << 38}, line.Own{})
}

// poll lets the interval pass and all nodes be read.
func (j *jobs) poll() {
	j.now.Step(j.config.Interval)
	readings := make([]Reading, 0, len(j.nodes))
	for _, name := range j.nodes {
		readings = append(readings, Reading{Node: name, Timestamp: j.now.Now(), Window: window, Usage: [amount.NumResources]float64{8, 1 << 32}})
	}
	j.pods.readings = readings
	j.Poll(j.t.Context())
	j.View()
}

// records are the numbers of what the model keeps.
type records struct {
	pods, podsOnNodes, departed, nodes, slots, samples int
	unread, victims, terminating                       int
	workloads                                          int
}

func (j *jobs) records() records {
	j.mu.Lock()
	defer j.mu.Unlock()
	r := records{
		pods: len(j.Model.pods), nodes: len(j.Model.nodes.byName), slots: len(j.Model.nodes.slots),
		unread: len(j.agenda.unread), victims: len(j.agenda.victims), terminating: len(j.agenda.terminating),
		workloads: j.workloads.Len(),
	}
	for _, n := range j.Model.nodes.byName {
		r.podsOnNodes += len(n.pods)
		r.departed += len(n.departed)
		r.samples += len(n.history.Samples())
	}
	return r
}

// A week of Jobs that come and go leaves nothing behind but what the bounds allow, and
// that only for as long as they say.
func TestAWeekOfJobsLeavesNothingBehind(t *testing.T) {
	const (
		week     = 7 * 24 * time.Hour
		interval = 30 * time.Minute // so that a week takes seconds
		total    = 100_000
		each     = total * int(interval) / int(week) // of a poll
		life     = 2                                 // polls
		nodes    = 50
	)
	j := newJobs(t, interval, nodes)
	largest := records{}
	for polls := 1; j.made < total; polls++ {
		for range each {
			j.create()
		}
		for len(j.present) > life*each {
			j.end()
		}
		if polls%100 == 0 {
			j.replaceNode()
		}
		j.poll()
		r := j.records()
		if r.pods != len(j.present) || r.podsOnNodes != r.pods || r.nodes != nodes || r.slots != nodes {
			t.Fatalf("after %d Jobs with %d pods left on %d nodes: %+v", j.made, len(j.present), nodes, r)
		}
		largest = largest.max(r)
	}
	// Two intervals, and the samples in which they begin and end; those that left since.
	if bound := nodes * 4; largest.samples > bound {
		t.Errorf("%d samples, want at most %d", largest.samples, bound)
	}
	if bound := each * 5; largest.departed > bound || largest.departed == 0 {
		t.Errorf("%d pods that have left, want at most %d: those of the last 5 polls", largest.departed, bound)
	}
	if bound := life * each; largest.unread > bound || largest.terminating > 0 || largest.victims > 0 {
		t.Errorf("to be measured: %+v; want at most %d that have started", largest, bound)
	}
	if largest.workloads > workload.Limit || largest.workloads < workload.Limit*9/10 {
		t.Errorf("%d workloads of %d Jobs, want their limit of %d", largest.workloads, j.made, workload.Limit)
	}

	for len(j.present) > 0 {
		j.end()
	}
	j.now.Step(workload.Grace)
	for range 10 {
		j.poll()
	}
	want := records{nodes: nodes, slots: nodes, samples: j.records().samples}
	if got := j.records(); got != want {
		t.Errorf("when all have gone: %+v, want %+v", got, want)
	}
}

// max returns the larger of each number.
func (r records) max(other records) records {
	return records{
		pods: max(r.pods, other.pods), podsOnNodes: max(r.podsOnNodes, other.podsOnNodes),
		departed: max(r.departed, other.departed), nodes: max(r.nodes, other.nodes), slots: max(r.slots, other.slots),
		samples: max(r.samples, other.samples), unread: max(r.unread, other.unread), victims: max(r.victims, other.victims),
		terminating: max(r.terminating, other.terminating), workloads: max(r.workloads, other.workloads),
	}
}
