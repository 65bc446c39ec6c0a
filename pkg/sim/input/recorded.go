package input

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll-scheduler/plimsoll/pkg/recording"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input/warning"
)

const (
	podsNotRecorded   warning.Kind = "pods that the recording does not have are left out"
	podsOfNoNode      warning.Kind = "pods of the recording that ran on nodes that are not in the snapshot are left out"
	podsUnknown       warning.Kind = "pods of the recording of which neither requests nor node are known are left out"
	podsOfBadRequests warning.Kind = "pods of the recording with impossible requests are left out"
)

// HasRecording reports whether the snapshot has recorded use over time.
func HasRecording(path string) (bool, error) {
	_, err := os.Stat(filepath.Join(path, recording.File))
	if errors.Is(err, fs.ErrNotExist) || err != nil && !isDir(path) {
		return false, nil
	}
	return err == nil, err
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// Recorded makes a scenario of a snapshot with a recording (see package recording): what
// happened is replayed as it was measured.
//
// Pods arrive when they were made, and are placed anew. Those that ran when the recording
// began, that belong to their node, or of which only the use is known stay where they
// were, from when to when they ran. A pod takes as long to start as it did. One that ended
// by itself runs for as long as it did, and uses what it used since its start; others end
// when they did, and use what they used at that time. Where a value is missing, the one
// before is taken. A pod without any uses what the model says (UseMedian, MemoryMedian).
// What nodes used beside their pods is the mean over the recording.
func Recorded(path string, m Model, seed uint64, warnings *warning.List) (*sim.Scenario, error) {
	if err := m.validate(); err != nil {
		return nil, err
	}
	recorded, err := recording.Open(filepath.Join(path, recording.File))
	if err != nil {
		return nil, err
	}
	files, err := readFiles(path)
	if err != nil {
		return nil, err
	}
	s, err := snapshotBy((*snapshot).takeForReplay, path, files, warnings)
	if err != nil {
		return nil, err
	}
	r := newReplay(s, recorded, &m)
	if err := r.run(path, warnings); err != nil {
		return nil, err
	}
	return r.finish(nameOf(filepath.Clean(path)), seed), nil
}

// takeForReplay takes nodes and pods, also those that have ended.
func (s *snapshot) takeForReplay(path string, from *objects, warnings *warning.List) error {
	known, err := s.takeNodes(path, from, warnings)
	if err != nil {
		return err
	}
	s.withEnded = true
	return s.takePods(path, from, known, warnings)
}

// replay makes a scenario of a recording.
type replay struct {
	from     *snapshot
	recorded *recording.Recording
	model    *Model
	objects  map[string]*v1.Pod // by UID
	siblings map[string]*v1.Pod // by workload, one each
	nodes    map[string]replayedNode
	names    map[types.NamespacedName]int
	scenario *sim.Scenario
	facts    *sim.RecordingFacts
	left     warning.List
	// ran and gaps are steps that measured pods ran, and those without a value.
	ran, gaps int
	// used is what the pods of a node used, by node and step.
	used map[string][]usage
}

// replayedNode is a node of the snapshot; the zero value is one that is not there.
type replayedNode struct {
	there  bool
	taints []v1.Taint
}

func newReplay(s *snapshot, recorded *recording.Recording, m *Model) *replay {
	r := &replay{
		from: s, recorded: recorded, model: m, objects: map[string]*v1.Pod{}, nodes: map[string]replayedNode{}, siblings: map[string]*v1.Pod{},
		names: map[types.NamespacedName]int{}, used: map[string][]usage{},
	}
	for _, node := range s.nodes {
		r.nodes[node.Name] = replayedNode{there: true, taints: node.Spec.Taints}
		r.used[node.Name] = make([]usage, recorded.Steps())
	}
	for _, pod := range slices.Concat(s.pods, s.ended) {
		r.objects[string(pod.UID)] = pod
		r.siblings[workloadOf(pod)] = pod
	}
	r.scenario = &sim.Scenario{
		Nodes: s.nodes, End: recorded.To.Sub(recorded.From), Background: map[string]sim.Background{},
		Metrics:     sim.MetricsServer{Interval: m.ScrapeInterval, Delay: m.ScrapeDelay, Missing: m.ScrapeMissing},
		Parameters:  m.describe(),
		ReplicaSets: s.replicaSets(),
		Recording: &sim.Recording{
			Step: recorded.Step(), CPU: map[string][]float64{}, Memory: map[string][]float64{},
			Facts: sim.RecordingFacts{From: recorded.From, To: recorded.To, StepSeconds: recorded.StepSeconds, Notes: recorded.Notes},
		},
	}
	r.facts = &r.scenario.Recording.Facts
	return r
}

// run takes the pods of the recording.
func (r *replay) run(path string, warnings *warning.List) error {
	file := filepath.Join(path, recording.File)
	has := map[string]bool{}
	for i := range r.recorded.Pods {
		pod := &r.recorded.Pods[i]
		has[pod.UID] = true
		r.add(file, pod)
	}
	for _, pod := range r.from.pods {
		if !has[string(pod.UID)] {
			r.facts.LeftOutPods++
			r.left.Add(podsNotRecorded, path, "pod %s is not in the recording: it is left out", nameOfPod(pod))
		}
	}
	var err error
	switch {
	case len(r.scenario.Pods) == 0:
		err = fmt.Errorf("%s: none of the %d pods in it can be replayed: make the snapshot anew, or simulate it with --modelled", file, len(r.recorded.Pods))
	case r.facts.MeasuredPods == 0:
		err = fmt.Errorf("%s: none of the %d pods in it was measured: make the snapshot anew with a Prometheus that scrapes the kubelets, or simulate it with --modelled", file, len(r.recorded.Pods))
	}
	return warnings.Settle(&r.left, err)
}

// add adds a pod, unless it did not exist while it was recorded, or too little is known.
func (r *replay) add(file string, pod *recording.Pod) {
	l := r.lifeOf(pod)
	if l.end <= 0 || l.arrival >= r.scenario.End || l.end <= l.arrival {
		return
	}
	object, fault := r.objectOf(pod)
	kind, known := podsUnknown, r.nodes[pod.Node].there
	name := pod.Namespace + "/" + pod.Name
	stays := object == nil || known && (l.start <= 0 && l.started || belongsToNode(object))
	switch {
	case fault != "":
		kind, fault = podsOfBadRequests, "pod "+name+": "+fault
	case stays && !known && pod.Node != "" || l.started && l.start <= 0 && pod.Node != "" && !known:
		kind, fault = podsOfNoNode, "pod "+name+" ran on node "+pod.Node+", which is not in the snapshot"
	case stays && !known || stays && !l.started:
		fault = "of pod " + name + " it is not known what it requests, or on which node it ran"
	}
	if fault != "" {
		r.facts.LeftOutPods++
		r.left.Add(kind, file, "%s: it is left out", fault)
		return
	}
	if object == nil {
		object = r.newObject(pod)
	}
	r.put(pod, r.named(object), l, stays)
}

// put adds a pod that is replayed.
func (r *replay) put(pod *recording.Pod, object *v1.Pod, l life, stays bool) {
	replayed := sim.Pod{Object: unbound(object, ""), Arrival: max(0, l.arrival), Use: r.useOf(pod, object, l, stays)}
	if l.end < r.scenario.End {
		replayed.Until = l.end
	}
	switch {
	case stays:
		replayed.Object, replayed.Arrival = fixed(object), l.start
		replayed.Object.Spec.NodeName = pod.Node
		r.facts.StayingPods++
	case l.started:
		replayed.StartDelay = l.delay
		if pod.Completed {
			replayed.Lifetime, replayed.Until = l.end-l.start, 0
		}
		if pod.Created != nil && pod.Scheduled != nil && l.arrival >= 0 {
			r.scenario.Recording.Waits = append(r.scenario.Recording.Waits, max(0, pod.Scheduled.Sub(*pod.Created)))
		}
	}
	placement := sim.Placement{}
	if l.started && r.nodes[pod.Node].there {
		placement = sim.Placement{Node: pod.Node, Start: l.start}
		r.count(pod.Node, &replayed.Use, l)
	}
	r.scenario.Pods = append(r.scenario.Pods, replayed)
	r.scenario.Recording.Placements = append(r.scenario.Recording.Placements, placement)
}

// finish returns the scenario, with what nodes used beside their pods.
func (r *replay) finish(name string, seed uint64) *sim.Scenario {
	r.scenario.Name, r.scenario.Seed = name, seed
	if r.ran > 0 {
		r.facts.GapsPercent = 100 * float64(r.gaps) / float64(r.ran)
	}
	unmeasured := maps.Clone(r.nodes)
	for i := range r.recorded.Nodes {
		node := &r.recorded.Nodes[i]
		if !r.nodes[node.Name].there || node.CPU.Known() == 0 {
			continue
		}
		delete(unmeasured, node.Name)
		r.scenario.Background[node.Name] = r.besides(node)
		r.scenario.Recording.CPU[node.Name] = whole(&node.CPU, r.recorded.Steps())
		r.scenario.Recording.Memory[node.Name] = whole(&node.Memory, r.recorded.Steps())
	}
	if len(unmeasured) > 0 {
		r.facts.Notes = append(r.facts.Notes, fmt.Sprintf("%d of %d nodes were not measured themselves: nothing but their pods uses them", len(unmeasured), len(r.nodes)))
	}
	return r.scenario
}

// besides returns what the node used beside its pods, the mean over its values.
func (r *replay) besides(node *recording.Node) sim.Background {
	var cpu, memory, cpus, memories float64
	for step, pods := range r.used[node.Name] {
		if value := node.CPU.At(step); !math.IsNaN(value) {
			cpu, cpus = cpu+max(0, value-pods.cpu), cpus+1
		}
		if value := node.Memory.At(step); !math.IsNaN(value) {
			memory, memories = memory+max(0, value-pods.memory), memories+1
		}
	}
	return sim.Background{CPU: cpu / max(1, cpus), Memory: int64(memory / max(1, memories))}
}

// whole returns the series with a value for each step, NaN where there is none.
func whole(s *recording.Series, steps int) []float64 {
	all := make([]float64, steps)
	for step := range all {
		all[step] = s.At(step)
	}
	return all
}

// life is when a pod came and went, since the start of the recording.
type life struct {
	arrival, start, end time.Duration
	started             bool          // else start means nothing
	delay               time.Duration // from its binding to its start
}

func (r *replay) lifeOf(pod *recording.Pod) life {
	since := func(t time.Time) time.Duration { return t.Sub(r.recorded.From) }
	l := life{end: sim.Forever}
	if pod.Ended != nil {
		l.end = since(*pod.Ended)
	}
	first, measured := firstKnown(&pod.Use)
	switch {
	case pod.Started != nil:
		l.start, l.started = since(*pod.Started), true
	case measured:
		l.start, l.started = time.Duration(first)*r.recorded.Step(), true
	}
	switch {
	case pod.Created != nil:
		l.arrival = since(*pod.Created)
	case l.started:
		l.arrival = l.start
	}
	if l.started && l.start >= l.end { // it was gone before it ran
		l.started = false
	}
	if l.started {
		l.arrival = min(l.arrival, l.start)
	}
	if l.started && pod.Scheduled != nil {
		l.delay = max(0, l.start-since(*pod.Scheduled))
	}
	return l
}

func firstKnown(u *recording.Use) (step int, known bool) {
	step = math.MaxInt
	for _, s := range []*recording.Series{&u.CPU, &u.Memory} {
		if s.Known() > 0 {
			step, known = min(step, s.First), true
		}
	}
	return step, known
}
