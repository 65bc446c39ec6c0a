package world

import (
	"math"
	"testing"
)

func TestChanceIsEvenlySpreadAndOfItsArgumentsOnly(t *testing.T) {
	const draws = 100_000
	var parts [10]int
	for i := range uint64(draws) {
		c := Chance(3, i%300, i/300)
		if c < 0 || c >= 1 || c != Chance(3, i%300, i/300) {
			t.Fatalf("the chance is %v", c)
		}
		parts[int(c*10)]++
	}
	for i, count := range parts {
		if math.Abs(float64(count)/draws-0.1) > 0.005 {
			t.Errorf("%d of %d draws are in tenth %d", count, draws, i)
		}
	}
	if Chance(3, 1, 2) == Chance(4, 1, 2) {
		t.Error("two seeds give the same")
	}
}
