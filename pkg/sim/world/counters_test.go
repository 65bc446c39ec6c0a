package world

import (
	"testing"
	"time"
)

func TestHistoryKeepsTheNewest(t *testing.T) {
	var h History
	if _, ok := h.Back(0); ok {
		t.Error("there are counters before any was added")
	}
	for i := range 20 {
		h.Add(Counters{At: time.Duration(i)})
	}
	for n := range len(h.ring) {
		if got, ok := h.Back(n); !ok || got.At != time.Duration(19-n) {
			t.Errorf("those %d back are of %d, %v", n, got.At, ok)
		}
	}
	if _, ok := h.Back(len(h.ring)); ok {
		t.Error("those are there that have been overwritten")
	}
}
