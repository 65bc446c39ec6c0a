package workload

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/history"
)

// teach has the workload of that name, which requests this much, learn for so long
// from one pod that uses that much.
func teach(b *Book[int], name string, requests, use amount.Vector, long time.Duration) Key {
	key, _ := KeyOf(podOf("StatefulSet", name, nil), requests)
	w := b.Join(key, 1)
	for at := time.Duration(0); at < long; at += 15 * time.Second {
		w.Learn(history.Sample{Timestamp: epoch.Add(at), Window: 15 * time.Second, Usage: use}, [amount.NumResources]bool{})
	}
	return key
}

// What is known of the workloads of a cluster tells of one that is new.
func TestAnUnknownWorkloadIsTakenForAUsualOne(t *testing.T) {
	requests := amount.Vector{1000, 1 << 30}
	unknown, _ := KeyOf(podOf("StatefulSet", "unknown", nil), requests)
	b := NewBook[int]()
	if d := b.Demand(unknown); d.Mean[amount.CPU] != 500 || math.Sqrt(d.Variance[amount.CPU]) < 500 {
		t.Errorf("with no evidence: mean %v, deviation %v, want half of the request, give or take as much", d.Mean[amount.CPU], math.Sqrt(d.Variance[amount.CPU]))
	}
	for i := range 95 {
		teach(b, fmt.Sprint(i), requests, amount.Vector{200, 1 << 28}, 10*time.Minute)
	}
	b.Renew()
	d := b.Demand(unknown)
	if d.Mean[amount.CPU] < 200 || d.Mean[amount.CPU] > 230 || math.Sqrt(d.Variance[amount.CPU]) > 200 {
		t.Errorf("all others use a fifth: mean %v, deviation %v", d.Mean[amount.CPU], math.Sqrt(d.Variance[amount.CPU]))
	}
	short := teach(b, "short", requests, amount.Vector{100_000, 1 << 40}, time.Minute)
	b.Renew()
	if again := b.Demand(unknown); again.Mean != d.Mean {
		t.Errorf("one minute of %v tells of all workloads: mean %v after %v", short, again.Mean, d.Mean)
	}
}

// A workload that is well known is taken for what it is: for more than is usual
// almost at once, for less once there is evidence.
func TestAWorkloadIsBelievedAsEvidenceGrows(t *testing.T) {
	requests := amount.Vector{1000, 1 << 30}
	b := NewBook[int]()
	for i := range 20 {
		teach(b, fmt.Sprint("usual-", i), requests, amount.Vector{500, 1 << 29}, time.Hour)
	}
	more := teach(b, "more", requests, amount.Vector{4000, 1 << 31}, time.Minute)
	less := teach(b, "less", requests, amount.Vector{50, 1 << 26}, time.Minute)
	known := teach(b, "known", requests, amount.Vector{50, 1 << 26}, 12*time.Hour)
	b.Renew()
	for _, tt := range []struct {
		name      string
		key       Key
		low, high float64
	}{{"more, for a minute", more, 3500, 4000}, {"less, for a minute", less, 51, 450}, {"less, for half a day", known, 50, 60}} {
		if got := b.Demand(tt.key).Mean[amount.CPU]; got < tt.low || got > tt.high {
			t.Errorf("%s: mean %v, want %v to %v", tt.name, got, tt.low, tt.high)
		}
	}
	if minute, day := b.Demand(less).Variance[amount.CPU], b.Demand(known).Variance[amount.CPU]; day >= minute {
		t.Errorf("variance %v after half a day, %v after a minute: it is to fall with evidence", day, minute)
	}
}

// Nothing that was learned or requested makes a demand that is no number.
func TestDemandsAreNumbers(t *testing.T) {
	for _, requests := range []amount.Vector{{}, {1, 1}, {amount.Limit, amount.Limit}} {
		for _, use := range []amount.Vector{{}, {1, 1}, {amount.Limit, amount.Limit}} {
			for _, long := range []time.Duration{0, time.Second, time.Hour} {
				b := NewBook[int]()
				key := teach(b, "w", requests, use, long)
				b.Renew()
				d := b.Demand(key)
				for r := range d.Mean {
					if math.IsNaN(d.Mean[r]) || math.IsInf(d.Mean[r], 0) || d.Mean[r] < 0 || math.IsNaN(d.Variance[r]) || math.IsInf(d.Variance[r], 0) || d.Variance[r] < 0 {
						t.Errorf("requests %v, use %v for %v: %+v", requests, use, long, d)
					}
				}
			}
		}
	}
}
