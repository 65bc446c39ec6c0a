package status

import "time"

// Header is what each answer begins with.
type Header struct {
	// Version is Plimsoll's.
	Version string    `json:"version"`
	Time    time.Time `json:"time"`
	// Profile is the one that lines and devices are judged by.
	Profile string `json:"profile"`
	// Profiles are all those with one of Plimsoll's plugins.
	Profiles []string `json:"profiles"`
	// Observing are the schedulers whose pods are observed. If there are any, the scheduler
	// places no pod.
	Observing []string `json:"observing,omitempty"`
}

// Nodes is the answer to NodesPath.
type Nodes struct {
	Header `json:",inline"`
	Nodes  []Node `json:"nodes"`
}

// Node is a node as it is known now.
type Node struct {
	Name string `json:"name"`
	// State of its load sample: Fresh, Stale or Missing.
	State string `json:"state"`
	// Awaits says that it takes no pod before its first sample, which may yet come.
	Awaits bool `json:"awaits,omitempty"`
	// SampleAgeSeconds is the age of its newest sample; absent if it has none.
	SampleAgeSeconds *float64 `json:"sampleAgeSeconds,omitempty"`
	// ClockSkewSeconds is by how much its clock is ahead where that is too much to
	// be believed.
	ClockSkewSeconds float64 `json:"clockSkewSeconds,omitempty"`
	// Unschedulable says that it is cordoned.
	Unschedulable bool `json:"unschedulable,omitempty"`
	// Pods is how many are on it.
	Pods int `json:"pods"`
	// Over is the resource whose use is above the line, cpu or memory; empty if none is.
	Over    string    `json:"over,omitempty"`
	CPU     Amounts   `json:"cpu"`    // in cores
	Memory  Amounts   `json:"memory"` // in bytes
	Devices []Devices `json:"devices,omitempty"`
}

// Amounts are those of one resource of a node, in the resource's unit.
type Amounts struct {
	Allocatable float64 `json:"allocatable"`
	// Requested is what the requests of the pods on the node add up to.
	Requested float64 `json:"requested"`
	// Use is absent if nothing is known of the node's use, or its state has it
	// judged by requests alone.
	Use *Use `json:"use,omitempty"`
}

// Use is what a node uses of a resource, in the resource's unit.
type Use struct {
	// Measured is by the newest sample, or by filter.statistic of the samples.
	Measured float64 `json:"measured"`
	// InFlight is what pods will use on top that are on the node and that the sample
	// does not show. It is below zero where the sample still shows pods that are gone.
	InFlight  float64 `json:"inFlight"`
	Predicted float64 `json:"predicted"`
	// LinePercent is the line in percent of allocatable; 0 is no line. Line is the
	// same in the resource's unit, and Headroom what is left below it.
	LinePercent int64   `json:"linePercent"`
	Line        float64 `json:"line"`
	Headroom    float64 `json:"headroom"`
}

// Devices are a node's devices of one kind.
type Devices struct {
	// Resource is the extended resource, or deviceclass.resource.kubernetes.io/NAME.
	Resource    string `json:"resource"`
	Allocatable int64  `json:"allocatable"`
	Used        int64  `json:"used"`
	Free        int64  `json:"free"`
	// Fragmented are those of the free ones that are of no use to the pods that the
	// cluster typically runs, because of their count or of what is left for requests,
	// and Stranded those that are not either because the node is too loaded.
	Fragmented float64 `json:"fragmented"`
	Stranded   float64 `json:"stranded"`
	// Starved are those in use on a node of whose CPU 90 % or more is used, by the
	// newest sample.
	Starved int64 `json:"starved"`
}

// Add adds the counts of further devices.
func (d *Devices) Add(further *Devices) {
	d.Allocatable += further.Allocatable
	d.Used += further.Used
	d.Free += further.Free
	d.Fragmented += further.Fragmented
	d.Stranded += further.Stranded
	d.Starved += further.Starved
}

// Pods is the answer to PodsPath.
type Pods struct {
	Header `json:",inline"`
	Pods   []Pod `json:"pods"`
}

// Pod is a pod on a node.
type Pod struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Node      string `json:"node"`
	// Phase says how much of its use samples of the node show: Reserved, Assigned,
	// Starting, PartlyMeasured, Measured, Remeasuring. docs/design draws them.
	Phase string `json:"phase"`
	// Seen says that what is expected of it was measured rather than estimated.
	Seen bool `json:"seen"`
	// CPU, in cores, and Memory, in bytes.
	CPU    Expected `json:"cpu"`
	Memory Expected `json:"memory"`
	// Devices is how many it has of which kind.
	Devices map[string]int64 `json:"devices,omitempty"`
}

// Expected is what a pod asks for, and what it is expected to use.
type Expected struct {
	Requested float64 `json:"requested"`
	Expected  float64 `json:"expected"`
}

// Workloads is the answer to WorkloadsPath.
type Workloads struct {
	Header    `json:",inline"`
	Workloads []Workload `json:"workloads"`
}

// Workload is what was learned of the pods of one owner.
type Workload struct {
	Namespace  string `json:"namespace"`
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	Containers string `json:"containers"`
	// Pods is how many of it run.
	Pods   int     `json:"pods"`
	CPU    Learned `json:"cpu"`    // in cores
	Memory Learned `json:"memory"` // in bytes
}

// Learned is what was learned of one resource, of one pod, in the resource's unit.
type Learned struct {
	// Requested is what the requests suggest that a pod uses.
	Requested float64 `json:"requested"`
	// Seconds is how much time the samples stand for, older ones for less; 0 is that
	// nothing was measured, and then Mean and Deviation are 0.
	Seconds   float64 `json:"seconds"`
	Mean      float64 `json:"mean"`
	Deviation float64 `json:"deviation"`
	// Estimate is what its next pod is expected to use.
	Estimate float64 `json:"estimate"`
	// Error is the root mean square of what its pods used less what is estimated.
	Error float64 `json:"error"`
}

// DeviceKinds is the answer to DevicesPath.
type DeviceKinds struct {
	Header `json:",inline"`
	Kinds  []DeviceKind `json:"kinds"`
}

// DeviceKind is an extended resource or a device class, over all nodes.
type DeviceKind struct {
	Devices `json:",inline"`
	// Verdict is what it is taken for: device, counter or excluded. Only the devices
	// of what is taken for a device are counted.
	Verdict string `json:"verdict"`
	// Reason says why.
	Reason string `json:"reason"`
	// Nodes is how many nodes have it, and Most how many of it one of them has.
	Nodes int   `json:"nodes"`
	Most  int64 `json:"most"`
}
