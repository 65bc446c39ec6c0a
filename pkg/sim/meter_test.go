package sim

import "testing"

func TestQuantile(t *testing.T) {
	values := []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	for part, want := range map[float64]float64{0.5: 5, 0.99: 10, 0.1: 1, 0: 1, 1: 10} {
		if got := quantile(part, values); got != want {
			t.Errorf("quantile %v is %v, want %v", part, got, want)
		}
	}
	if quantile(0.5, nil) != 0 {
		t.Error("of nothing it is not 0")
	}
}
