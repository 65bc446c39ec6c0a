package recall

import (
	"fmt"
	"math"
	"testing"
)

// What is kept of a node holds for one version of it, and one shape of pod.
func TestFindingsHoldForAVersion(t *testing.T) {
	var sheets Sheets[string, int]
	if sheet := sheets.Of("a", 4); sheet != nil {
		t.Fatal("there is a sheet for the first pod of its shape")
	}
	sheet := sheets.Of("a", 4)
	if len(sheet) != 4 {
		t.Fatalf("%d slots for the second pod, want 4", len(sheet))
	}
	is := Version{Generation: 7, Record: 3}
	if _, known := sheet.At(1, is); known {
		t.Error("something is known of a node that nobody has looked at")
	}
	sheet.Keep(1, is, 42)
	if finding, known := sheets.Of("a", 4).At(1, is); !known || finding != 42 {
		t.Errorf("the third pod finds %d, known %t, want 42", finding, known)
	}
	for _, other := range []Version{{Generation: 8, Record: 3}, {Generation: 7, Record: 4}, {Record: 3}, {}} {
		if _, known := sheet.At(1, other); known {
			t.Errorf("version %+v is taken for %+v", other, is)
		}
	}
	if _, known := sheet.At(2, is); known {
		t.Error("one node is taken for another")
	}
	sheets.Of("b", 4)
	if _, known := sheets.Of("b", 4).At(1, is); known {
		t.Error("what holds for one shape is taken to hold for another")
	}
}

func TestUnknownVersionsAreNotKept(t *testing.T) {
	sheet := make(Sheet[int], 2)
	sheet.Keep(0, Version{}, 1)
	if _, known := sheet.At(0, Version{}); known {
		t.Error("a version that is not known is found")
	}
	var none Sheet[int]
	none.Keep(5, Version{Generation: 1}, 1)
	if _, known := none.At(5, Version{Generation: 1}); known {
		t.Error("no sheet keeps something")
	}
}

// A shape with a number that is none is no shape: it equals nothing.
func TestShapesThatEqualNothing(t *testing.T) {
	var sheets Sheets[float64, int]
	for range 3 * maxShapes {
		if sheet := sheets.Of(math.NaN(), 10); sheet != nil {
			t.Fatal("there is a sheet for it")
		}
	}
	if len(sheets.shapes) > 0 {
		t.Errorf("%d are remembered", len(sheets.shapes))
	}
}

// A cluster that grows has sheets that grow.
func TestSheetsGrow(t *testing.T) {
	var sheets Sheets[string, int]
	sheets.Of("a", 2)
	sheets.Of("a", 2)
	if got := len(sheets.Of("a", 200)); got < 200 {
		t.Errorf("%d slots, want 200", got)
	}
	if sheets.sheets != 1 {
		t.Errorf("%d sheets are counted, want 1", sheets.sheets)
	}
}

// The shapes that were asked for the longest time ago are forgotten, and memory is
// bounded; what a shape gets that another had is empty.
func TestMemoryIsBounded(t *testing.T) {
	for _, slots := range []int{10, 5000, 15000, 2 * maxEntries} {
		t.Run(fmt.Sprint(slots), func(t *testing.T) {
			var sheets Sheets[int, int]
			is := Version{Generation: 1, Record: 1}
			for shape := range 3 * maxShapes {
				sheets.Of(shape, slots)
				sheet := sheets.Of(shape, slots)
				if _, known := sheet.At(0, is); known {
					t.Fatalf("shape %d begins with what another has found", shape)
				}
				sheet.Keep(0, is, shape)
				if sheets.Of(0, slots); shape > 0 && shape < maxShapes/2 && slots == 10 {
					if got, known := sheets.Of(0, slots).At(0, is); !known || got != 0 {
						t.Fatalf("what is asked for all the time is forgotten: %d %t", got, known)
					}
				}
			}
			entries, counted := 0, 0
			for _, of := range sheets.shapes {
				if entries += len(of.sheet); of.sheet != nil {
					counted++
				}
			}
			if entries > max(maxEntries, slots) || len(sheets.shapes) > maxShapes || counted != sheets.sheets {
				t.Errorf("%d entries, %d shapes, %d sheets, counted as %d", entries, len(sheets.shapes), counted, sheets.sheets)
			}
			if last, known := sheets.Of(3*maxShapes-1, slots).At(0, is); slots == 10 && (!known || last != 3*maxShapes-1) {
				t.Errorf("of the last shape %d is known: %t", last, known)
			}
		})
	}
}

// Asking allocates nothing once shapes are known.
func TestAskingAllocatesNothing(t *testing.T) {
	var sheets Sheets[int, int]
	for range 2 {
		for shape := range 10 {
			sheets.Of(shape, 100)
		}
	}
	shape := 0
	if got := testing.AllocsPerRun(100, func() { shape = (shape + 1) % 10; sheets.Of(shape, 100) }); got != 0 {
		t.Errorf("%v allocations", got)
	}
}
