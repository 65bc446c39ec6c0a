package cluster_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-scheduler/plimsoll/test/cluster"
)

func TestWaitForSaysWhatAndTheLastState(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	state := errors.New("2 of 3 are ready")
	err := cluster.WaitFor(ctx, "the nodes", func(context.Context) (bool, error) { return false, state })
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, state) || !strings.Contains(err.Error(), "the nodes") {
		t.Errorf("got error %v, want what was waited for, the deadline and the last state", err)
	}
}

func TestWaitForOutlastsErrors(t *testing.T) {
	t.Parallel()
	calls := 0
	err := cluster.WaitFor(t.Context(), "the third call", func(context.Context) (bool, error) {
		calls++
		return calls == 3, errors.New("not yet")
	})
	if err != nil || calls != 3 {
		t.Errorf("got error %v after %d calls, want none after 3", err, calls)
	}
}
