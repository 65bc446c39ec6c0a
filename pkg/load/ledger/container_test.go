package ledger

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/history"
)

const (
	warmUp = time.Minute
	window = 15 * time.Second
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// at returns a time of the tests: seconds from when they begin.
func at(second int) time.Time { return epoch.Add(time.Duration(second) * time.Second) }

// ran is a run of a container.
func ran(from, to int) Interval { return Interval{From: at(from), To: at(to)} }

// ending returns a sample, or a reading, of a window that ends at the second.
func ending(second int, use amount.Vector) history.Sample {
	return history.Sample{Timestamp: at(second), Window: window, Usage: use}
}

// both is the same amount of each resource.
func both(use int64) amount.Vector { return amount.Vector{use, use} }

// written returns the runs as "from-to", in seconds.
func (c *container) written() string {
	var runs []string
	for _, r := range c.runs {
		to := ""
		if !r.to.IsZero() {
			to = fmt.Sprint(r.to.Sub(epoch).Seconds())
		}
		runs = append(runs, fmt.Sprint(r.from.Sub(epoch).Seconds(), "-", to))
	}
	return strings.Join(runs, " ")
}

// seen is a status, and when it is seen.
type seen struct {
	state State
	now   int
}

func TestRunsOfAContainer(t *testing.T) {
	for name, test := range map[string]struct {
		seen        []seen
		runs        string
		interrupted []int // at which of seen
	}{
		"has not started": {seen: []seen{{State{}, 5}}},
		"runs":            {seen: []seen{{State{}, 5}, {State{Since: at(10)}, 11}}, runs: "10-"},
		"is seen again":   {seen: []seen{{State{Since: at(10)}, 11}, {State{Since: at(10)}, 20}}, runs: "10-"},
		"has failed":      {seen: []seen{{State{Since: at(10)}, 11}, {State{Before: ran(10, 100)}, 103}}, runs: "10-100", interrupted: []int{1}},
		"has failed and is seen again": {
			seen: []seen{{State{Since: at(10)}, 11}, {State{Before: ran(10, 100)}, 103}, {State{Before: ran(10, 100)}, 110}},
			runs: "10-100", interrupted: []int{1},
		},
		"was restarted": {
			seen: []seen{{State{Since: at(10)}, 11}, {State{Before: ran(10, 100)}, 103}, {State{Since: at(130), Before: ran(10, 100)}, 131}},
			runs: "10-100 130-", interrupted: []int{1},
		},
		"was restarted, which only the last state tells": {
			seen: []seen{{State{Since: at(10)}, 11}, {State{Since: at(130), Before: ran(10, 100)}, 131}},
			runs: "10-100 130-", interrupted: []int{1},
		},
		"was restarted, which only the start tells": {
			seen: []seen{{State{Since: at(10)}, 11}, {State{Since: at(130)}, 131}},
			runs: "10-130 130-", interrupted: []int{1},
		},
		"has failed, when is not told": {
			seen: []seen{{State{Since: at(10)}, 11}, {State{}, 103}},
			runs: "10-103", interrupted: []int{1},
		},
		"has not failed after all": {
			seen: []seen{{State{Since: at(10)}, 11}, {State{}, 103}, {State{Since: at(10)}, 105}},
			runs: "10-", interrupted: []int{1},
		},
		"was restarted twice, which is seen once": {
			seen: []seen{{State{Since: at(10)}, 11}, {State{Since: at(300), Before: ran(130, 200)}, 301}},
			runs: "10-130 130-200 300-", interrupted: []int{1},
		},
		"was restarted, and could not be started": {
			seen: []seen{{State{Since: at(10)}, 11}, {State{Before: ran(100, 100)}, 103}},
			runs: "10-100 100-100", interrupted: []int{1},
		},
		"was restarted within a second": {
			seen: []seen{{State{Since: at(10)}, 11}, {State{Before: ran(10, 10)}, 11}, {State{Since: at(10), Before: ran(10, 10)}, 12}},
			runs: "10-10 10-", interrupted: []int{1},
		},
		"a status from before it was restarted": {
			seen: []seen{{State{Since: at(0)}, 1}, {State{Since: at(130), Before: ran(0, 100)}, 131}, {State{Since: at(0)}, 140}},
			runs: "0-100 130-", interrupted: []int{1},
		},
		"a status from between two runs": {
			seen: []seen{{State{Since: at(0)}, 1}, {State{Since: at(130), Before: ran(0, 100)}, 131}, {State{Before: ran(0, 100)}, 140}},
			runs: "0-100 130-", interrupted: []int{1},
		},
		"a status from before it failed": {
			seen: []seen{{State{Since: at(0)}, 1}, {State{Before: ran(0, 100)}, 101}, {State{Since: at(0)}, 102}},
			runs: "0-100", interrupted: []int{1},
		},
		"was restarted after the clock was set back": {
			seen: []seen{{State{Since: at(7200)}, 7201}, {State{Since: at(130)}, 131}},
			runs: "7200-7200 130-", interrupted: []int{1},
		},
		"has failed before it is seen for the first time": {
			seen: []seen{{State{Before: ran(10, 100)}, 103}},
			runs: "10-100",
		},
		"was restarted before it is seen for the first time": {
			seen: []seen{{State{Since: at(130), Before: ran(10, 100)}, 200}},
			runs: "10-100 130-",
		},
		"has done its work": {
			seen: []seen{{State{Since: at(10)}, 11}, {State{Before: ran(10, 100), Ended: true}, 103}},
			runs: "10-100",
		},
		"ended before it began": {
			seen: []seen{{State{Since: at(10)}, 11}, {State{Before: ran(10, 7)}, 103}},
			runs: "10-10", interrupted: []int{1},
		},
		"a run before the one that is known": {
			seen: []seen{{State{Since: at(130)}, 131}, {State{Since: at(130), Before: ran(10, 100)}, 140}},
			runs: "130-",
		},
		"a run that began after the present one": {
			seen: []seen{{State{Since: at(130), Before: ran(200, 210)}, 300}},
			runs: "130-",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var c container
			var interrupted []int
			for i, s := range test.seen {
				if c.observe(s.state, at(s.now), warmUp) {
					interrupted = append(interrupted, i)
				}
			}
			if c.written() != test.runs {
				t.Errorf("runs %q, want %q", c.written(), test.runs)
			}
			if fmt.Sprint(interrupted) != fmt.Sprint(test.interrupted) {
				t.Errorf("interrupted at %v, want at %v", interrupted, test.interrupted)
			}
		})
	}
}

// A container that fails counts as one that is about to run, for as long as
// Patience, and from then on only while it runs.
func TestForHowLongAFailingContainerCounts(t *testing.T) {
	patience := int(Patience.Seconds())
	for name, test := range map[string]struct {
		seen []seen
		now  int
		want bool
	}{
		"has not started for an hour":        {[]seen{{State{}, 0}}, 3600, true},
		"runs":                               {[]seen{{State{Since: at(0)}, 0}}, 3600, true},
		"has done its work":                  {[]seen{{State{Since: at(0)}, 0}, {State{Before: ran(0, 100), Ended: true}, 100}}, 100, false},
		"has failed":                         {[]seen{{State{Since: at(0)}, 0}, {State{Before: ran(0, 100)}, 100}}, 100, true},
		"has failed a while ago":             {[]seen{{State{Since: at(0)}, 0}, {State{Before: ran(0, 100)}, 100}}, 100 + patience - 1, true},
		"has failed long ago":                {[]seen{{State{Since: at(0)}, 0}, {State{Before: ran(0, 100)}, 100}}, 100 + patience, false},
		"had failed long before it was seen": {[]seen{{State{Before: ran(0, 100)}, 3600}}, 3600, false},
		"fails again and again, each time soon": {
			[]seen{{State{Since: at(0)}, 0}, {State{Before: ran(0, 100)}, 100}, {State{Since: at(200), Before: ran(0, 100)}, 200}, {State{Before: ran(200, 230)}, 230}, {State{Since: at(390), Before: ran(200, 230)}, 390}, {State{Before: ran(390, 395)}, 395}},
			100 + patience, false,
		},
		"fails again and again, and runs now": {
			[]seen{{State{Since: at(0)}, 0}, {State{Before: ran(0, 100)}, 100}, {State{Since: at(200), Before: ran(0, 100)}, 200}, {State{Before: ran(200, 230)}, 230}, {State{Since: at(390), Before: ran(200, 230)}, 390}},
			100 + patience, true,
		},
		"fails again and again, each time soon, and every other run is not seen": {
			[]seen{{State{Since: at(0)}, 0}, {State{Since: at(180), Before: ran(90, 120)}, 180}, {State{Since: at(360), Before: ran(270, 300)}, 360}, {State{Before: ran(450, 480)}, 480}},
			90 + patience, false,
		},
		"failed, ran for long, and has failed": {
			[]seen{{State{Since: at(0)}, 0}, {State{Before: ran(0, 100)}, 100}, {State{Since: at(200), Before: ran(0, 100)}, 200}, {State{Before: ran(200, 390)}, 390}},
			100 + patience, true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var c container
			for _, s := range test.seen {
				c.observe(s.state, at(s.now), warmUp)
			}
			if got := c.counts(at(test.now)); got != test.want {
				t.Errorf("counts: %t, want %t; runs %s", got, test.want, c.written())
			}
		})
	}
}

// A sample shows a run in full that had warmed up when its window began, and went
// on until its end.
func TestWhichRunASampleShows(t *testing.T) {
	var c container
	c.observe(State{Since: at(0)}, at(0), warmUp)
	c.observe(State{Since: at(200), Before: ran(0, 150)}, at(201), warmUp)
	for end, want := range map[int]*run{
		60: nil, 74: nil, 75: &c.runs[0], 150: &c.runs[0], 151: nil, 199: nil, 274: nil, 275: &c.runs[1], 4000: &c.runs[1],
	} {
		s := ending(end, both(0))
		if got := c.shownBy(&s, warmUp); got != want {
			t.Errorf("a sample of %d to %d shows %v, want %v", end-15, end, got, want)
		}
	}
	instant := history.Sample{Timestamp: at(60)}
	if c.shownBy(&instant, warmUp) == nil {
		t.Error("a sample without a window does not show a run that has warmed up")
	}
}

// Whatever a container goes through, and however many of its states are not seen, as
// long as each run is told of once: no sample is taken to show it in full that does
// not, and every run that samples may show is known.
func TestAContainerIsNotTakenToRunWhenItDoesNot(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		var c container
		var truth []Interval
		now := 0
		for range 8 {
			from := now + random.IntN(100)
			to := from + 1 + random.IntN(200)
			truth = append(truth, ran(from, to))
			var before Interval
			if len(truth) > 1 {
				before = truth[len(truth)-2]
			}
			if random.IntN(2) == 0 { // else the next state tells of this run
				c.observe(State{Since: at(from), Before: before}, at(from+random.IntN(to-from)), warmUp)
			}
			now = to + random.IntN(20)
			c.observe(State{Before: truth[len(truth)-1]}, at(now), warmUp)
			for end := truth[max(0, len(truth)-2)].From; end.Before(at(now)); end = end.Add(time.Second) {
				s := history.Sample{Timestamp: end, Window: window}
				want := false
				for _, run := range truth {
					want = want || !s.Start().Before(run.From.Add(warmUp)) && !end.After(run.To)
				}
				if got := c.shownBy(&s, warmUp) != nil; got != want {
					t.Fatalf("it ran %v, which is known as %s: shown by the sample that ends at %v: %t, want %t", truth, c.written(), end, got, want)
				}
			}
		}
	}
}
