package amount_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
)

// A quantity that is larger than what fits into 64 bits is a large amount, not none.
func TestAbsurdQuantitiesAreLargeOnes(t *testing.T) {
	for _, text := range []string{
		"1e19", "1e30", "9223372036854775807", "9223372036854775808", "18446744073709551616",
		"99999999999999999999999999E", "8Ei", "16Ei", "1200G", "1.2e12",
	} {
		quantity := resource.MustParse(text) // Cmp would take for ever for exponents beyond these
		if got := amount.FromQuantity(amount.CPU, quantity); got != amount.Limit {
			t.Errorf("%s of cpu: %d, want %d", text, got, int64(amount.Limit))
		}
		want := int64(amount.Limit)
		if quantity.CmpInt64(amount.Limit) < 0 {
			want = quantity.Value()
		}
		if got := amount.FromQuantity(amount.Memory, quantity); got != want {
			t.Errorf("%s of memory: %d, want %d", text, got, want)
		}
	}
	for _, text := range []string{"-1", "-1n", "-9223372036854775808", "-1e30", "-18446744073709551615", "0", "-0"} {
		for r := range amount.NumResources {
			if got := amount.FromQuantity(r, resource.MustParse(text)); got != 0 {
				t.Errorf("%s of %s: %d, want 0", text, r.Name(), got)
			}
		}
	}
	for _, text := range []string{"1n", "1e-9", "0.0000000001", "1e-30"} {
		for r := range amount.NumResources {
			if got := amount.FromQuantity(r, resource.MustParse(text)); got != 1 {
				t.Errorf("%s of %s: %d, want 1: a little is not nothing", text, r.Name(), got)
			}
		}
	}
}
