package load

import (
	"math"
	"testing"
	"time"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestReadingIsChecked(t *testing.T) {
	good := Reading{Node: "n", Timestamp: epoch, Window: 15 * time.Second, Usage: [amount.NumResources]float64{1.5, 1 << 30}}
	for _, test := range []struct {
		name   string
		change func(*Reading)
		want   dropReason
	}{
		{"good", func(*Reading) {}, ""},
		{"without a timestamp", func(r *Reading) { r.Timestamp = time.Time{} }, dropIncomplete},
		{"a window below zero", func(r *Reading) { r.Window = -1 }, dropNegative},
		{"not a number", func(r *Reading) { r.Usage[amount.CPU] = math.NaN() }, dropIncomplete},
		{"below zero", func(r *Reading) { r.Usage[amount.Memory] = -1 }, dropNegative},
		{"absurd", func(r *Reading) { r.Usage[amount.Memory] = 1e30 }, dropAbsurd},
		{"infinite", func(r *Reading) { r.Usage[amount.CPU] = math.Inf(1) }, dropAbsurd},
	} {
		t.Run(test.name, func(t *testing.T) {
			reading := good
			test.change(&reading)
			sample, got := reading.check()
			if got != test.want {
				t.Fatalf("dropped for %q, want %q", got, test.want)
			}
			if got == "" && sample.Usage != (amount.Vector{1500, 1 << 30}) {
				t.Errorf("usage %v", sample.Usage)
			}
		})
	}
}

func TestUseIsRoundedUp(t *testing.T) {
	reading := Reading{Timestamp: epoch, Usage: [amount.NumResources]float64{0.0001, 0.5}}
	if sample, _ := reading.check(); sample.Usage != (amount.Vector{1, 1}) {
		t.Errorf("usage %v: a little use must not count as none", sample.Usage)
	}
}
