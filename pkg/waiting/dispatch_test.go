package waiting

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/utils/clock"
)

func TestBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		begun, blocked := time.Now(), make(chan struct{})
		var rounds atomic.Int32
		soon, later := Background(clock.RealClock{})(ctx, func(context.Context) {
			rounds.Add(1)
			<-blocked
		})
		want := func(when string, want int32) {
			t.Helper()
			synctest.Wait()
			if got := rounds.Load(); got != want {
				t.Errorf("%s, after %v: %d rounds, want %d", when, time.Since(begun), got, want)
			}
		}
		want("before any is due", 0)
		soon()
		want("when one is due", 1)
		for range 10 {
			soon() // does not wait for the one that runs
		}
		want("while it runs", 1)
		blocked <- struct{}{}
		want("after it", 2)
		blocked <- struct{}{}
		want("all that were due meanwhile are one", 2)
		close(blocked)

		later()
		want("when one is due later", 2)
		time.Sleep(retellDelay / 2)
		later()
		want("before it is due", 2)
		time.Sleep(retellDelay / 2)
		want("when it is", 3)
		time.Sleep(time.Hour)
		want("that was all", 3)
		later()
		synctest.Wait()
		soon()
		want("when one comes sooner", 4)
		time.Sleep(time.Hour)
		want("the later one is spared", 4)
		cancel()
		synctest.Wait()
		soon()
		later()
		want("after the end", 4)
	})
}

func TestInline(t *testing.T) {
	rounds := 0
	soon, later := Inline()(t.Context(), func(context.Context) { rounds++ })
	soon()
	later()
	if rounds != 1 {
		t.Errorf("%d rounds, want one within the call", rounds)
	}
}
