package explain

import (
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// Decision is what one scheduling cycle decided on a pod.
type Decision struct {
	Summary
	// Nodes are those considered: the one chosen, then by falling score, then
	// those rejected. At most MaxNodes.
	Nodes []Node `json:"nodes"`
	// told is when an event last told for what the pod waits; zero if none did.
	told time.Time
}

// Result is what became of a pod in a scheduling cycle.
type Result string

// The results.
const (
	// Placed: the pod was given to a node.
	Placed Result = "Placed"
	// TakenBack: it was given to a node, and that was taken back because it could
	// not be bound, or because the rest of its pod group found no place.
	TakenBack Result = "TakenBack"
	// Waits: no node took it.
	Waits Result = "Waits"
	// Observed: it is another scheduler's pod. Node is where it would have gone.
	Observed Result = "Observed"
)

// Summary is a decision in short.
type Summary struct {
	Pod     string    `json:"pod"` // namespace/name
	UID     types.UID `json:"uid"`
	Profile string    `json:"profile"`
	Time    time.Time `json:"time"`
	Result  Result    `json:"result"`
	// Node is the one that was chosen; empty if none was.
	Node string `json:"node,omitempty"`
	// Bound is the node that another scheduler gave an observed pod.
	Bound string `json:"bound,omitempty"`
	// WaitsSince is when a pod that waits was first rejected by one of Plimsoll's
	// plugins; absent for others.
	WaitsSince *time.Time `json:"waitsSince,omitempty"`
	// WaitsFor says what has to happen before the pod is tried again for load.
	WaitsFor string `json:"waitsFor,omitempty"`
	// Considered is how many nodes the plugins looked at, and Rejected how many
	// of them they rejected for which reason.
	Considered int            `json:"considered"`
	Rejected   map[string]int `json:"rejected,omitempty"`
}

// Node is what the plugins knew, and made, of a node.
type Node struct {
	Name string `json:"name"`
	// State of its load sample: Fresh, Stale or Missing.
	State string `json:"state"`
	// SampleAgeSeconds is the age of its newest sample; absent if it has none.
	SampleAgeSeconds *float64 `json:"sampleAgeSeconds,omitempty"`
	// HistorySeconds is how much of the window the node's samples stand for: the
	// statistics are of that much.
	HistorySeconds float64 `json:"historySeconds"`
	// Load is absent if the node was not judged by measured use, and in a profile
	// without NodeLoad.
	Load      *Loads  `json:"load,omitempty"`
	NodeLoad  Outcome `json:"nodeLoad"`
	DeviceFit Outcome `json:"deviceFit"`
	// Fragmentation is absent if DeviceFit did not rank the node by it.
	Fragmentation *Fragmentation `json:"fragmentation,omitempty"`
}

// Fragmentation is how many of a node's free devices are of no use to the pods
// that the cluster typically runs, before and after the pod is placed there.
type Fragmentation struct {
	Before float64 `json:"before"`
	After  float64 `json:"after"`
}

// Loads is the prediction for a node.
type Loads struct {
	CPU    Load `json:"cpu"`    // in cores
	Memory Load `json:"memory"` // in bytes
}

// Load is the prediction for one resource of a node, in the resource's unit.
type Load struct {
	Measured         float64 `json:"measured"`
	InFlight         float64 `json:"inFlight"`
	Estimate         float64 `json:"estimate"`
	Predicted        float64 `json:"predicted"`
	ThresholdPercent int64   `json:"thresholdPercent"` // 0 is off
	Threshold        float64 `json:"threshold"`
	// PredictedForScore is by the statistic that nodes are ranked by.
	PredictedForScore float64 `json:"predictedForScore"`
}

// Outcome is what a plugin made of a node.
type Outcome struct {
	Rejected string `json:"rejected,omitempty"`
	// Score is absent if the node was not scored.
	Score *int64 `json:"score,omitempty"`
}
