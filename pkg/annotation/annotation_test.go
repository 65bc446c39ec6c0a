package annotation

import (
	"fmt"
	"sync"
	"testing"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/line"
)

// with returns metadata with the annotation.
func with(annotation, value string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: "x", UID: "x", Annotations: map[string]string{annotation: value}}
}

func TestThresholds(t *testing.T) {
	cpu, both := [amount.NumResources]bool{amount.CPU: true}, [amount.NumResources]bool{true, true}
	for value, test := range map[string]struct {
		want  line.Own
		valid bool
	}{
		`{"cpu": 60}`:                {line.Own{Percent: amount.Vector{60, 0}, Set: cpu}, true},
		`{"cpu": 0}`:                 {line.Own{Set: cpu}, true}, // which turns the resource off, unlike none
		`{"cpu": 60, "memory": 70}`:  {line.Own{Percent: amount.Vector{60, 70}, Set: both}, true},
		`{"cpu": 160}`:               {},
		`{"cpu": -1}`:                {},
		`{"cpu": 60, "memory": 101}`: {},
		`{"cpu": "60"}`:              {},
		`{"gpu": 60}`:                {},
		`{}`:                         {},
		`60`:                         {},
		`nonsense`:                   {},
		``:                           {},
	} {
		got, err := Thresholds(&v1.Node{ObjectMeta: with(config.ThresholdsAnnotation, value)})
		if got != test.want || (err == nil) != test.valid {
			t.Errorf("%q: %+v, %v, want %+v", value, got, err, test.want)
		}
	}
	if got, err := Thresholds(&v1.Node{}); err != nil || got != (line.Own{}) {
		t.Errorf("without an annotation: %+v, %v", got, err)
	}
}

func TestAnEstimateReplacesWhatItNames(t *testing.T) {
	estimates := NewEstimates()
	for value, want := range map[string]amount.Vector{
		`{"cpu": "3", "memory": "4Gi"}`: {3000, 4 << 30},
		`{"cpu": "500m"}`:               {500, 7},
		`{"memory": "4Gi"}`:             {5, 4 << 30},
		`{"cpu": "0"}`:                  {0, 7}, // it uses nothing, which is not the same as not known
		`{"cpu": "9E"}`:                 {amount.Limit, 7},
		`{"cpu": "-1"}`:                 {5, 7},
		`{"cpu": "lots"}`:               {5, 7},
		`{"cpu": "3", "gpu": "1"}`:      {5, 7},
		`nonsense`:                      {5, 7},
		``:                              {5, 7},
	} {
		pod := &v1.Pod{ObjectMeta: with(config.EstimateAnnotation, value)}
		for range 2 { // the second time as it was read the first time
			estimate := estimates.Of(pod)
			if got := estimate.Over(amount.Vector{5, 7}); got != want {
				t.Errorf("%q: %v, want %v", value, got, want)
			}
		}
	}
	estimate := estimates.Of(&v1.Pod{})
	if got := estimate.Over(amount.Vector{5, 7}); got != (amount.Vector{5, 7}) {
		t.Errorf("without an annotation: %v", got)
	}
}

// Texts that are read are kept, but not without bound, also if each is another.
func TestEstimatesThatAreKeptAreBounded(t *testing.T) {
	estimates := NewEstimates()
	for i := range 2*maxParsed + 10 {
		estimate := estimates.Of(&v1.Pod{ObjectMeta: with(config.EstimateAnnotation, fmt.Sprintf(`{"cpu": "%dm"}`, i))})
		if got := estimate.Over(amount.Vector{}); got != (amount.Vector{int64(i), 0}) {
			t.Fatalf("%dm: %v", i, got)
		}
		if len(estimates.parsed) > maxParsed {
			t.Fatalf("%d texts are kept", len(estimates.parsed))
		}
	}
}

func TestEstimatesAreReadFromAnyGoroutine(t *testing.T) {
	estimates := NewEstimates()
	var group sync.WaitGroup
	for g := range 4 {
		group.Go(func() {
			for i := range 2 * maxParsed {
				cpu := int64((g + i) % (maxParsed + 50))
				estimate := estimates.Of(&v1.Pod{ObjectMeta: with(config.EstimateAnnotation, fmt.Sprintf(`{"cpu": "%dm"}`, cpu))})
				if got := estimate.Over(amount.Vector{}); got[amount.CPU] != cpu {
					t.Errorf("%dm: %v", cpu, got)
					return
				}
			}
		})
	}
	group.Wait()
}
