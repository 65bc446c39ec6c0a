package ledger

import (
	"time"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/history"
)

// Prediction is what is derived of a node's samples and the pods on it.
type Prediction struct {
	// Measured is each statistic of the samples as they are.
	Measured history.Statistics
	// Sampled is each statistic of the samples as they would have been had the
	// pods that are on the node now been running all along, but for those that no
	// sample shows any of, and Deviation their standard deviation.
	Sampled   history.Statistics
	Deviation amount.Vector
	// Unseen is what those pods are expected to use that no sample shows any of.
	Unseen amount.Vector
}

// Statistics returns each statistic of the use to expect.
func (p *Prediction) Statistics() history.Statistics { return p.Sampled.Shifted(p.Unseen) }

// CountUnseen adds up what the pods are expected to use that no sample shows any
// of. It is all that changes when a pod is reserved.
func CountUnseen(present []*Record, now time.Time, warmUp time.Duration) (sum amount.Vector) {
	for _, r := range present {
		if r.Phase.Unseen() {
			expected, _ := r.Expected(now, warmUp)
			sum = sum.Add(expected)
		}
	}
	return sum
}

// Predict folds the pods that are on a node, and those that have left, into its
// samples.
//
// A statistic over a window lags: with an average over five minutes, a pod that
// started a minute ago shows with a fifth of its use. So each sample is taken as
// it would have been had the present pods been running all along: to it is added
// what it does not show of them (Record.Missing). What it shows of pods that have
// left is taken off (Record.UsedIn), but never so much that less is left than the
// present pods were measured to use (goneFrom). A sample from before a pod ran whose use is
// not known although newer samples show it in full cannot be corrected, and is
// left out.
func Predict(h *history.History, present, departed []*Record, now time.Time, warmUp time.Duration, scratch *history.Scratch) Prediction {
	p := Prediction{Unseen: CountUnseen(present, now, warmUp)}
	oldest := h.Oldest()
	if oldest == nil {
		return p
	}
	p.Measured, p.Deviation = h.Statistics(nil, scratch)
	p.Sampled = p.Measured
	var inPart []*Record // shown by some samples, and not in full by all
	for _, r := range present {
		if r.Phase == PartlyMeasured || r.Phase == Remeasuring || r.Phase == Measured && !r.runsShownBy(oldest, now, warmUp) {
			inPart = append(inPart, r)
		}
	}
	if len(inPart)+len(departed) == 0 {
		return p
	}
	p.Sampled, p.Deviation = h.Statistics(func(s *history.Sample) (amount.Vector, bool) {
		missing, leaveOut := missingFrom(s, inPart, now, warmUp)
		return s.Usage.Sub(goneFrom(s, departed, present, warmUp)).Add(missing), leaveOut
	}, scratch)
	return p
}

// goneFrom returns what the sample shows of pods that have left, but no more than
// leaves what the pods that are on the node were measured to use in it.
func goneFrom(s *history.Sample, departed, present []*Record, warmUp time.Duration) (sum amount.Vector) {
	for _, r := range departed {
		gone, _ := r.UsedIn(s, warmUp)
		sum = sum.Add(gone)
	}
	if sum == (amount.Vector{}) {
		return sum
	}
	return sum.Min(s.Usage.Sub(leastOf(s, present, warmUp)).Max(amount.Vector{}))
}

// missingFrom returns what the sample does not show of the pods, and whether that
// cannot be said.
func missingFrom(s *history.Sample, inPart []*Record, now time.Time, warmUp time.Duration) (sum amount.Vector, unknown bool) {
	for _, r := range inPart {
		missing, known := r.Missing(s, now, warmUp)
		sum = sum.Add(missing)
		unknown = unknown || !known && (r.Phase == Measured || r.Phase == Remeasuring)
	}
	return sum, unknown
}

// leastOf returns what the pods on the node were measured to use in the sample.
func leastOf(s *history.Sample, present []*Record, warmUp time.Duration) (sum amount.Vector) {
	for _, r := range present {
		if r.Phase >= PartlyMeasured {
			sum = sum.Add(r.AtLeastIn(s, warmUp))
		}
	}
	return sum
}
