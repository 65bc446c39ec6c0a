package csvfile_test

import (
	"math"
	"strings"
	"testing"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input/csvfile"
)

func TestWholeNumbers(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "-0": 0, "64000": 64000, "64000.0": 64000, "64000.": 64000, "6.4e4": 64000, "6.4E+4": 64000, "640000e-1": 64000, "+7": 7, "007": 7, "0e5": 0, ".0": 0,
	} {
		if got, err := csvfile.Whole(text, 0, 100_000); err != nil || got != want {
			t.Errorf("%q is %d (%v), want %d", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", " ", "-", "1.5", "-1", "100001", "1e400", "1e-400", "0.0000001", "NaN", "Inf", "+Inf", "0x10", "0x1p4", "1_000", "1,000", "1 000", "1e", "e5", ".", "1.2.3", "--1", "many", "\u0661",
	} {
		if got, err := csvfile.Whole(text, 0, 100_000); err == nil || !strings.Contains(err.Error(), "must be a whole number from 0 to 100000") {
			t.Errorf("%q is %d, the error is %v", text, got, err)
		}
	}
}

func TestDecimalNumbers(t *testing.T) {
	for text, want := range map[string]float64{"0": 0, "12.5": 12.5, ".5": 0.5, "1.25e1": 12.5, "1e-300": 1e-300} {
		if got, err := csvfile.Number(text, 0, 100); err != nil || got != want {
			t.Errorf("%q is %v (%v), want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "-1", "101", "1e999", "1e-999", "NaN", "infinity", "5%", "12,5"} {
		if got, err := csvfile.Number(text, 0, 100); err == nil || !strings.Contains(err.Error(), "must be a number from 0 to 100") {
			t.Errorf("%q is %v, the error is %v", text, got, err)
		}
	}
	if got, err := csvfile.Number("-1e308", -math.MaxFloat64, math.MaxFloat64); err != nil || got != -1e308 {
		t.Errorf("-1e308 is %v, %v", got, err)
	}
}

func TestNumbersAsPeopleWriteThemAreExplained(t *testing.T) {
	for text, helped := range map[string]bool{"64,000": true, "64 000": true, "64'000": true, "50%": true, "many": false, "": false, "-1": false, "NaN": false} {
		_, err := csvfile.Whole(text, 0, 100_000)
		if err == nil || strings.Contains(err.Error(), "of digits and perhaps a decimal point only") != helped {
			t.Errorf("the error of %q is %v, want it to help: %v", text, err, helped)
		}
	}
	for text, want := range map[string]bool{"1": true, "1,000": true, "50%": true, "nan": true, "": false, "t0": false, "vm-1": false} {
		if got := csvfile.IsNumeric(text); got != want {
			t.Errorf("%q is numeric: %v, want %v", text, got, want)
		}
	}
}
