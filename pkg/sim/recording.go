package sim

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/world"
)

// Recording is what was measured of what a scenario replays.
type Recording struct {
	Facts RecordingFacts
	// Step is the time between two values of CPU and Memory, which are what was measured
	// of the nodes, by name: the mean of a step in cores, and bytes at its end. NaN is
	// what is not known.
	Step        time.Duration
	CPU, Memory map[string][]float64
	// Placements are where the scenario's pods ran, in their order.
	Placements []Placement
	// Waits are how long the pods waited for a node that arrived while it was recorded.
	Waits []time.Duration
}

// Placement is where a pod ran, and from when on.
type Placement struct {
	Node  string // empty if that is not known, or it did not run
	Start time.Duration
}

// RecordingFacts say what of a scenario is measured, and what is not.
type RecordingFacts struct {
	From        time.Time `json:"from"`
	To          time.Time `json:"to"`
	StepSeconds int64     `json:"stepSeconds"`
	// MeasuredPods are those whose use was recorded, ModelledPods the others. StayingPods
	// are those of both that no policy places: they ran when the recording began, belong
	// to their node, or nothing is known of them but their use.
	MeasuredPods int `json:"measuredPods"`
	ModelledPods int `json:"modelledPods"`
	StayingPods  int `json:"stayingPods"`
	// LeftOutPods are those of which too little is known.
	LeftOutPods int `json:"leftOutPods"`
	// GapsPercent is of the time that measured pods ran: where the value before was taken.
	GapsPercent float64 `json:"gapsPercent"`
	// Notes are what else was not recorded.
	Notes []string `json:"notes,omitempty"`
	// Fidelity is nil if no node was measured.
	Fidelity *Fidelity `json:"fidelity,omitempty"`
}

// Fidelity is how far the use of nodes is from the recorded one if each pod runs where
// and when it did. Errors are percent of what the node can allocate, whichever is larger.
type Fidelity struct {
	// Values is how many values were compared: a node and a step each.
	Values            int     `json:"values"`
	CPUMeanPercent    float64 `json:"cpuMeanPercent"`
	CPUP99Percent     float64 `json:"cpuP99Percent"`
	MemoryMeanPercent float64 `json:"memoryMeanPercent"`
	MemoryP99Percent  float64 `json:"memoryP99Percent"`
}

// RecordedPolicy is the name of the result of what was recorded.
const RecordedPolicy = "recorded"

// RunRecorded plays the scenario with each pod where and when it ran, and tells in its
// facts how far the use of nodes is from the recorded one. Nothing is scheduled: base is
// only what the players need.
func RunRecorded(ctx context.Context, s *Scenario, base Policy) (*PolicyResult, error) {
	pinned := s.asRecorded()
	base.Name, base.Note = RecordedPolicy, "what happened: each pod where it ran, from when to when it did"
	if err := pinned.validate(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p, err := newPlayer(ctx, pinned, &base, &Options{})
	if err != nil {
		return nil, err
	}
	f := &fidelity{recording: s.Recording, machines: p.machines, clock: p.clock, before: make([]float64, len(p.machines))}
	p.clock.Every(0, s.Recording.Step, f.step)
	p.clock.Every(s.Recording.Step/2, s.Recording.Step, f.within)
	if err := p.run(ctx, func(time.Duration) {}); err != nil {
		return nil, err
	}
	s.Recording.Facts.Fidelity = f.result()
	r := p.result()
	p.meter.waits = s.Recording.Waits
	r.PodsScheduled, r.WaitSeconds = len(s.Recording.Waits), p.meter.waitQuantiles()
	r.Timeline.Waits = s.Recording.Waits
	return &r, nil
}

// asRecorded returns the scenario with the pods bound to where they ran. Those of which
// that is not known do not come.
func (s *Scenario) asRecorded() *Scenario {
	pinned := *s
	pinned.Pods = nil
	for i, placement := range s.Recording.Placements {
		pod := s.Pods[i]
		if placement.Node == "" || placement.Start >= s.End || pod.Until != 0 && pod.Until <= max(0, placement.Start) {
			continue
		}
		pod.Object = pod.Object.DeepCopy()
		pod.Object.Spec.NodeName = placement.Node
		pod.Arrival, pod.StartDelay = placement.Start, 0
		pinned.Pods = append(pinned.Pods, pod)
	}
	return &pinned
}

// fidelity compares the use of nodes with the recorded one, step by step: the mean of CPU
// over a step at its end.
type fidelity struct {
	recording   *Recording
	machines    []*world.Machine
	clock       *world.Clock
	steps       int
	before      []float64 // core-seconds, by machine
	cpu, memory []float64 // errors, percent
}

func (f *fidelity) step() error {
	for i, m := range f.machines {
		m.Advance(f.clock.Elapsed())
		counters := m.Counters()
		if f.steps > 0 {
			mean := (counters.Demanded - f.before[i]) / f.recording.Step.Seconds()
			f.cpu = compare(f.cpu, f.recording.CPU[m.Name], f.steps-1, mean, m.CPU)
		}
		f.before[i] = counters.Demanded
	}
	f.steps++
	return nil
}

// within compares memory, in the middle of a step: at its end pods come and go.
func (f *fidelity) within() error {
	for _, m := range f.machines {
		f.memory = compare(f.memory, f.recording.Memory[m.Name], f.steps-1, float64(m.MemoryInUse()), float64(m.Memory))
	}
	return nil
}

// compare adds the error of a step, in percent of all, unless its value is not known.
func compare(errors, recorded []float64, step int, value, all float64) []float64 {
	if step >= len(recorded) || math.IsNaN(recorded[step]) {
		return errors
	}
	return append(errors, 100*math.Abs(value-recorded[step])/all)
}

func (f *fidelity) result() *Fidelity {
	if len(f.cpu) == 0 && len(f.memory) == 0 {
		return nil
	}
	r := &Fidelity{Values: max(len(f.cpu), len(f.memory)), CPUMeanPercent: mean(f.cpu), MemoryMeanPercent: mean(f.memory)}
	slices.Sort(f.cpu)
	slices.Sort(f.memory)
	r.CPUP99Percent, r.MemoryP99Percent = quantile(0.99, f.cpu), quantile(0.99, f.memory)
	return r
}
