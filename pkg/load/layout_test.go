package load

import (
	"testing"
	"unsafe"

	"github.com/plimsoll-scheduler/plimsoll/pkg/load/history"
)

// What Filter and Score read of a node that is not in the processor's cache is fetched in
// as few pieces as it can be.
func TestWhatIsReadOfANodeLiesTogether(t *testing.T) {
	const piece = 64
	var n Node
	if end := unsafe.Offsetof(n.Predicted) + unsafe.Sizeof(n.Predicted[0])*(1+uintptr(history.Average)); end > piece {
		t.Errorf("what all plugins read ends at %d, want %d at the most", end, piece)
	}
	start, end := unsafe.Offsetof(n.Deviation), unsafe.Offsetof(n.UnseenUse)+unsafe.Sizeof(n.UnseenUse)
	if start%(2*piece) != 0 || end > start+2*piece { // of which processors fetch two at once
		t.Errorf("what LeastExpectedLoss reads besides lies from %d to %d, want two pieces beside each other", start, end)
	}
	if size := unsafe.Sizeof(pod{}); size > 240 {
		t.Errorf("%d bytes a pod: want 240 at the most, above which Go allocates 256", size)
	}
	if size := unsafe.Sizeof(n); size > 416 {
		t.Errorf("%d bytes: want 416 at the most, above which Go allocates 448", size)
	}
}
