package input

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input/textfile"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input/warning"
)

// odd are values that no field of a snapshot should have, or hardly one.
func odd() []any {
	return []any{nil, "", "x", " ", "-1", -1, 0, 0.5, "9e18", "1e-12", 1e30, true, []any{}, []any{nil}, map[string]any{}, map[string]any{"x": "y"}, "NaN", "2026-01-01T00:00:00Z"}
}

// Wherever an odd value stands in a snapshot, the snapshot is read or refused with the
// name of its file, and can be simulated if it is read. No amount that is odd passes
// without a word.
func TestOddValuesAnywhere(t *testing.T) {
	file, err := textfile.Read("testdata/clusters/pod-readings.json")
	if err != nil {
		t.Fatal(err)
	}
	model := Calm()
	model.FillTime, model.ChurnTime = time.Minute, time.Minute
	var root any
	if err := json.Unmarshal([]byte(file.Text), &root); err != nil {
		t.Fatal(err)
	}
	count := 0
	substitute(root, "", func(path string, value any) {
		text, err := json.Marshal(root)
		if err != nil {
			t.Fatal(err)
		}
		count++
		var warnings warning.List
		s, err := newSnapshot(fuzzed, []*textfile.File{{Name: fuzzed, Text: string(text)}}, &warnings)
		if err != nil {
			checkNamed(t, err)
		} else {
			checkSnapshot(t, s, &model)
		}
		if err == nil && len(warnings.Lines()) == 0 && isAmount(path) && isNoAmount(value) {
			t.Errorf("%s is %#v, and nothing is said", path, value)
		}
		if t.Failed() {
			t.Fatalf("that was with %#v at %s", value, path)
		}
	})
	if count < 1000 {
		t.Errorf("%d values have been tried, want thousands", count)
	}
}

// substitute puts each odd value in place of each value in turn, and calls try.
func substitute(value any, path string, try func(path string, value any)) {
	switch value := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			before := value[key]
			for _, x := range odd() {
				value[key] = x
				try(path+"."+key, x)
			}
			value[key] = before
			substitute(before, path+"."+key, try)
		}
	case []any:
		for i, before := range value {
			for _, x := range odd() {
				value[i] = x
				try(fmt.Sprintf("%s[%d]", path, i), x)
			}
			value[i] = before
			substitute(before, fmt.Sprintf("%s[%d]", path, i), try)
		}
	}
}

// isAmount reports whether an amount stands at the path that counts: those of pods that
// have ended do not, nor does what nodes have beside their allocatable.
func isAmount(path string) bool {
	return strings.HasSuffix(path, ".cpu") && !strings.Contains(path, ".capacity.") && !strings.HasPrefix(path, ".items[6]") && !strings.HasPrefix(path, ".items[11]")
}

// isNoAmount reports whether the value is no amount of CPU that could be meant.
func isNoAmount(value any) bool {
	switch value {
	case "1e-12", 0, 0.5:
		return false
	}
	return true
}
