package load

import (
	"math"
	"testing"
	"time"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/line"
)

// Whatever a source says of a node that uses 7 cores and 6 GiB, and runs a pod:
// nothing panics, what can be believed counts as it is, what cannot lets the node
// look no idler than it was, and what is said later is believed again.
func FuzzReading(f *testing.F) {
	f.Fuzz(func(t *testing.T, cores, memory float64, stamped bool, ahead, length int64) {
		x := newFixture(t)
		x.SetNode("n", amount.Vector{8000, 1 << 34}, line.Own{})
		x.SetPod(running(boundPod("p", "n"), epoch.Add(-time.Hour)))
		x.read("n", 7, 6<<30)
		before := amount.Vector{7000, 6 << 30}
		x.now.Step(window)
		reading := Reading{Node: "n", Window: time.Duration(length), Usage: [amount.NumResources]float64{cores, memory}}
		if stamped {
			reading.Timestamp = x.now.Now().Add(time.Duration(ahead))
		}
		x.source.readings = []Reading{reading, {Node: "unknown", Usage: reading.Usage}}
		x.Poll(t.Context())

		n, state := x.node("n")
		if state == Missing {
			t.Fatalf("%+v: the node is no longer known", reading)
		}
		newer := reading.Timestamp.After(epoch) && reading.Window >= 0
		for r := range amount.NumResources {
			value := reading.Usage[r] * r.PerUnit()
			want := before[r]
			clockSet := r == amount.CPU && time.Duration(ahead) > maxClockSkew // then a rate is no news
			if newer && value > 0 && value <= absurd*float64(n.Allocatable[r]) && !clockSet {
				want = int64(math.Ceil(value))
			}
			measured, predicted := n.Measured[Latest][r], n.Predicted[Latest][r]
			if measured != want || predicted < want || predicted > want && reading.Window < time.Hour-warmUp {
				t.Errorf("%+v: of %s %d is measured and %d predicted, want %d", reading, r.Name(), measured, predicted, want)
			}
		}
		checkPositive(t, n)

		for range 4 { // more than the clocks of nodes may differ
			x.now.Step(window)
			x.read("n", 3, 5<<30)
		}
		if n, state := x.node("n"); state != Fresh || n.Predicted[Latest] != (amount.Vector{3000, 5 << 30}) {
			t.Errorf("after %+v what is measured is not believed: state %v, predicted %v", reading, state, n.Predicted[Latest])
		}
	})
}

// checkPositive checks that no statistic of the node is below zero, or beyond all
// bounds.
func checkPositive(t *testing.T, n *Node) {
	t.Helper()
	for s := range n.Predicted {
		for r := range amount.NumResources {
			for _, value := range []int64{n.Predicted[s][r], n.Measured[s][r], n.Deviation[r], n.Requested[r]} {
				if value < 0 || value > 2*amount.Limit {
					t.Errorf("statistic %d of %s: predicted %v, measured %v, deviation %v", s, r.Name(), n.Predicted[s], n.Measured[s], n.Deviation)
				}
			}
		}
	}
}
