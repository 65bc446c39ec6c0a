package sim

import "time"

// Result is what a simulation found out.
type Result struct {
	Seed     uint64         `json:"seed"`
	Scenario Description    `json:"scenario"`
	Policies []PolicyResult `json:"policies"`
}

// Description says what was simulated.
type Description struct {
	Name    string `json:"name"`
	Nodes   int    `json:"nodes"`
	Pods    int    `json:"pods"`
	Devices int64  `json:"devices"`
	// MeasuredFrom and MeasuredTo are times since the start, in nanoseconds in JSON.
	MeasuredFrom time.Duration `json:"measuredFrom"`
	MeasuredTo   time.Duration `json:"measuredTo"`
	Parameters   []Parameter   `json:"parameters,omitempty"`
	// Recording is what is measured, and what is not; nil if all use is by a model.
	Recording *RecordingFacts `json:"recording,omitempty"`
}

// Parameter is a parameter of the model that a scenario was made by.
type Parameter struct {
	Name    string `json:"name"`
	Value   string `json:"value"`
	Meaning string `json:"meaning"`
}

// PolicyResult is what became of a scenario under one policy. All of it is of
// the measured part of the scenario, unless it says otherwise.
type PolicyResult struct {
	Name string `json:"name"`
	Note string `json:"note,omitempty"`

	// StarvedDeviceMinutes are minutes that running pods had devices on nodes
	// whose CPU demand was above their allocatable, summed over devices.
	StarvedDeviceMinutes float64 `json:"starvedDeviceMinutes"`
	// StarvedMovablePercent is of them, as looked at every five minutes: where it would
	// have ended if one pod had been on another node, which had room for what the pod
	// requested and used. Only CPU, memory and devices are looked at, so it is the most
	// that moving pods could save. StarvedOutgrownPercent is where it would not, and a
	// pod alone used more than its node has. Both are 0 if nothing starved.
	StarvedMovablePercent  float64 `json:"starvedMovablePercent"`
	StarvedOutgrownPercent float64 `json:"starvedOutgrownPercent"`
	// LostDeviceMinutes are StarvedDeviceMinutes, and minutes that devices were free in
	// vain: where a pod that waits could have had them, or where pods with devices, drawn
	// from the scenario's, could not use them (see FragmentedDevicesPercent). What is free
	// is looked at every five minutes.
	LostDeviceMinutes float64 `json:"lostDeviceMinutes"`
	// ShortPodMinutes are minutes that pods ran on nodes whose CPU demand was above
	// their allocatable, summed over pods with and without devices.
	ShortPodMinutes float64 `json:"shortPodMinutes"`
	// HotNodeMinutes80 and HotNodeMinutes100 are minutes that nodes had a CPU
	// demand above 80 and 100 percent of their allocatable, summed over nodes.
	HotNodeMinutes80  float64 `json:"hotNodeMinutes80"`
	HotNodeMinutes100 float64 `json:"hotNodeMinutes100"`
	// MemoryOvercommitEvents is how often a node's memory in use rose above its
	// allocatable.
	MemoryOvercommitEvents int `json:"memoryOvercommitEvents"`

	// PodsScheduled and PodsUnscheduled are of the pods that arrived in the whole
	// simulation: those that got a node, and those that wait at its end, or waited
	// when they were deleted.
	PodsScheduled   int `json:"podsScheduled"`
	PodsUnscheduled int `json:"podsUnscheduled"`
	// WaitSeconds is from the arrival of a pod until it got a node, of all pods
	// that arrived in the measured part. One that waits at the end, or did when it
	// was deleted, counts with the time that it has waited.
	WaitSeconds Quantiles `json:"waitSeconds"`

	// DevicesAllocatedPercent is of all devices, averaged over time.
	DevicesAllocatedPercent float64 `json:"devicesAllocatedPercent"`
	// FragmentedDevicesPercent is of all devices, averaged over time: those free
	// devices that a pod with devices, drawn from the scenario's, could not use
	// where they are, because the node has too few of them, or too little CPU or
	// memory that is not requested.
	FragmentedDevicesPercent float64 `json:"fragmentedDevicesPercent"`
	// Utilization is the CPU demand of nodes in percent of their allocatable.
	Utilization Utilization `json:"utilization"`

	// Estimates is how far off the estimates were of what pods use, by the kind of
	// their workload. There are none without Options.Estimates, and none of a policy
	// that makes no estimates.
	Estimates []EstimateErrors `json:"estimates,omitempty"`

	// Decisions is how many scheduling cycles there were in the whole simulation,
	// and DecisionsPerSecond how many in a second of real time spent in them, on
	// one core.
	Decisions          int     `json:"decisions"`
	DecisionsPerSecond float64 `json:"decisionsPerSecond"`

	Timeline Timeline `json:"-"`
}

// Quantiles are the median and the 99th percentile.
type Quantiles struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
}

// Utilization is of all nodes at all steps of the timeline.
type Utilization struct {
	Mean float64 `json:"mean"`
	// Stddev is the standard deviation across nodes, averaged over time.
	Stddev float64 `json:"stddev"`
	P50    float64 `json:"p50"`
	P95    float64 `json:"p95"`
	P99    float64 `json:"p99"`
}

// Timeline is the measured part over time.
type Timeline struct {
	// Step is the time between two entries, and the first is at the beginning of
	// the measured part.
	Step time.Duration
	// Utilization is, by step and then by node, the CPU demand at that moment in
	// percent of allocatable. It may be above 100.
	Utilization [][]float32
	// StarvedDeviceMinutes are cumulated, by step.
	StarvedDeviceMinutes []float64
	// Placements is, for each pod of the scenario, the node that it got, or -1.
	// A pod that has ended counts as having got none.
	Placements []int
	// Waits is, for each pod that arrived in the measured part and got a node,
	// how long it had waited.
	Waits []time.Duration
}
