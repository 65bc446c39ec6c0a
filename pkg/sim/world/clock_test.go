package world

import (
	"errors"
	"slices"
	"testing"
	"time"
)

func TestThingsHappenInTheOrderOfTimeAndOfPlanning(t *testing.T) {
	c := NewClock(time.Unix(1_000_000, 0))
	var happened []string
	note := func(what string) func() error {
		return func() error {
			happened = append(happened, what+" at "+c.Elapsed().String())
			if want := time.Unix(1_000_000, 0).Add(c.Elapsed()); !c.WithTicker().Now().Equal(want) || !c.Now().Equal(want) {
				t.Errorf("the clock says %v and %v, want %v", c.WithTicker().Now(), c.Now(), want)
			}
			return nil
		}
	}
	c.At(2*time.Second, note("c"))
	c.At(time.Second, func() error {
		c.At(2*time.Second, note("d"))
		return note("a")()
	})
	c.At(time.Second, note("b"))
	c.Every(0, 2*time.Second, note("every"))
	var before []time.Duration
	c.BeforeAdvance(func(to time.Duration) {
		if to != c.Elapsed() {
			before = append(before, to)
		}
	})
	if at, ok := c.Next(); !ok || at != 0 {
		t.Errorf("next is at %v, %v, want 0", at, ok)
	}
	if err := c.RunUntil(3 * time.Second); err != nil {
		t.Fatal(err)
	}
	want := []string{"every at 0s", "a at 1s", "b at 1s", "c at 2s", "every at 2s", "d at 2s"}
	if !slices.Equal(happened, want) {
		t.Errorf("what happened is %v, want %v", happened, want)
	}
	if want := []time.Duration{time.Second, 2 * time.Second, 3 * time.Second}; !slices.Equal(before, want) {
		t.Errorf("was told of %v before the clock was set, want %v", before, want)
	}
	if at, ok := c.Next(); !ok || at != 4*time.Second {
		t.Errorf("next is at %v, %v, want 4s", at, ok)
	}
}

func TestAnErrorEndsWhatHappens(t *testing.T) {
	c := NewClock(time.Unix(0, 0))
	failed := errors.New("failed")
	c.At(time.Second, func() error { return failed })
	c.At(2*time.Second, func() error {
		t.Error("went on after an error")
		return nil
	})
	if err := c.RunUntil(time.Minute); !errors.Is(err, failed) || c.Elapsed() != time.Second {
		t.Errorf("at %v the error is %v", c.Elapsed(), err)
	}
}
