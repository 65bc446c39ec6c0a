package workload

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestHistogramPercentileAgreesWithASortedList(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 10))
	for range 300 {
		var h histogram
		var list []int64
		for range 1 + random.IntN(200) {
			amount := int64(math.Exp(random.Float64() * 30))
			h.add(amount, epoch, time.Second)
			list = append(list, amount)
		}
		slices.Sort(list)
		want := list[(90*len(list)+99)/100-1]
		if got := h.percentile(0.9); got < want-1 || float64(got) > 1.1*float64(want)+1 {
			t.Fatalf("percentile %d, want %d to a tenth more", got, want)
		}
	}
}

func TestHistogramDecays(t *testing.T) {
	var h histogram
	for i := range 100 {
		h.add(8000, epoch.Add(time.Duration(i)*time.Minute), time.Minute)
	}
	// After twenty half-lives an hour of the new use outweighs the old.
	for i := range 60 {
		h.add(1000, epoch.Add(20*halfLife+time.Duration(i)*time.Minute), time.Minute)
	}
	if got := h.percentile(0.9); got > 1100 {
		t.Errorf("percentile %d, want about 1000: the old use is long past", got)
	}
	for i := range 1000 { // years, without growing or overflowing
		h.add(1000, epoch.Add(time.Duration(i)*10*halfLife), time.Minute)
	}
	if got := h.percentile(0.9); got < 1000 || got > 1100 || len(h.weights) > 3 {
		t.Errorf("percentile %d from %d buckets", got, len(h.weights))
	}
}
