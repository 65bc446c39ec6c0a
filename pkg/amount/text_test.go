package amount_test

import (
	"testing"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
)

func TestTextForPeople(t *testing.T) {
	for want, got := range map[string]string{
		"0.50": amount.Cores(0.5), "12.3": amount.Cores(12.34), "-0.80": amount.Cores(-0.8),
		"512": amount.Bytes(512), "1.0Ki": amount.Bytes(1024), "1.5Gi": amount.Bytes(1.5 * (1 << 30)), "120Gi": amount.Bytes(120 * (1 << 30)), "-1.0Gi": amount.Bytes(-(1 << 30)),
		"6.80 cores": amount.CPU.Text(6804), "6.81 cores": amount.CPU.TextUp(6804), "12.6 cores": amount.CPU.TextUp(12501),
		"1.0Gi": amount.Memory.Text(1<<30 + 1), "1.1Gi": amount.Memory.TextUp(1<<30 + 1), "1Mi is 1.0Mi": "1Mi is " + amount.Memory.TextUp(1<<20), "0.01 cores": amount.CPU.TextUp(1),
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
