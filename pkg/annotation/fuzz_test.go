package annotation_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/annotation"
	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/line"
)

// checkFault checks that the error names the annotation, and what is wrong, in few
// words, or that there is none.
func checkFault(t *testing.T, name, value string, err error) {
	t.Helper()
	if err != nil && (!strings.Contains(err.Error(), "metadata.annotations["+name+"]") || len(value) < 50 && len(err.Error()) > 2000) {
		t.Errorf("%q: %v", value, err)
	}
}

// given returns what a JSON object names that is not null; nil if it is none.
func given(value string) map[string]any {
	decoder := json.NewDecoder(strings.NewReader(value))
	decoder.UseNumber()
	var object map[string]any
	if err := decoder.Decode(&object); err != nil {
		return nil
	}
	for name, v := range object {
		if v == nil {
			delete(object, name)
		}
	}
	return object
}

// isNumber reports whether what was said is this number.
func isNumber(said any, number int64) bool {
	text, ok := said.(json.Number)
	value, err := text.Int64()
	return ok && err == nil && value == number
}

// Whatever the annotation says, it is refused, or each value of it counts.
func FuzzThresholds(f *testing.F) {
	f.Fuzz(func(t *testing.T, value string) {
		own, err := annotation.Thresholds(&v1.Node{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{config.ThresholdsAnnotation: value}}})
		checkFault(t, config.ThresholdsAnnotation, value, err)
		if err != nil {
			if own != (line.Own{}) {
				t.Errorf("%q: refused, and %+v counts", value, own)
			}
			return
		}
		said := given(value)
		if len(said) == 0 {
			t.Errorf("%q says nothing, and is not refused", value)
		}
		for r := range amount.NumResources {
			percent, named := said[string(r.Name())]
			if own.Set[r] != named || named && !isNumber(percent, own.Percent[r]) {
				t.Errorf("%q: %+v", value, own)
			}
			delete(said, string(r.Name()))
		}
		if len(said) > 0 {
			t.Errorf("%q: what counts for nothing is not refused: %v", value, said)
		}
	})
}

// Whatever the annotation says, it is refused, or counts for what it says: more than
// nothing is not nothing. A pod never counts for less than the arguments allow, and
// for no more than the larger of what it says and what it would count for without.
func FuzzEstimate(f *testing.F) {
	f.Fuzz(func(t *testing.T, value string) {
		without := amount.Vector{8001, 64<<30 + 1}
		overrides := annotation.DefaultOverrides()
		said := annotation.NewEstimates().Of(annotated(config.EstimateAnnotation, value))
		counts := overrides.Estimate(&said, without)
		quantities, err := config.ParseEstimate(value)
		checkFault(t, config.EstimateAnnotation, value, err)
		if err != nil {
			if counts != without {
				t.Errorf("%q: refused, and it counts as %v", value, counts)
			}
			return
		}
		names := given(value)
		if len(names) == 0 || len(names) != len(quantities) {
			t.Errorf("%q: %v, %v", value, names, quantities)
		}
		least := amount.Vector{801, 16<<30 + 1} // 10 and 25 percent, rounded up
		for r := range amount.NumResources {
			text, named := names[string(r.Name())]
			if !named {
				if said.Set[r] || counts[r] != without[r] {
					t.Errorf("%q: %s counts as %d", value, r.Name(), counts[r])
				}
				continue
			}
			positive := resource.MustParse(fmt.Sprint(text))
			if !said.Set[r] || (said.Use[r] > 0) != (positive.Sign() > 0) || said.Use[r] < 0 || said.Use[r] > amount.Limit {
				t.Errorf("%q: %s is %v, and reads as %d", value, r.Name(), text, said.Use[r])
			}
			if want := max(said.Use[r], least[r]); counts[r] != want {
				t.Errorf("%q: %s counts as %d, want %d", value, r.Name(), counts[r], want)
			}
		}
	})
}

// Whatever the annotation says, it is one of two words, or refused.
func FuzzWhenUnsatisfiable(f *testing.F) {
	f.Fuzz(func(t *testing.T, value string) {
		said, counts := annotation.DefaultOverrides().WhenUnsatisfiable(annotated(config.WhenUnsatisfiableAnnotation, value))
		_, err := config.ParseWhenUnsatisfiable(value)
		checkFault(t, config.WhenUnsatisfiableAnnotation, value, err)
		valid := value == "DoNotSchedule" || value == "ScheduleAnyway"
		if counts != valid || (err == nil) != valid || counts && string(said) != value {
			t.Errorf("%q counts: %t, as %s; %v", value, counts, said, err)
		}
	})
}
