package ledger

import (
	"reflect"
	"testing"
	"time"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/history"
)

// story is a record to which things happen, one after another.
type story struct{ Record }

// ofContainers returns the record of a pod with such containers, each of which is
// expected to use its share.
func ofContainers(shares ...int64) *story {
	s := &story{}
	for _, share := range shares {
		s.Estimate = s.Estimate.Add(both(share))
	}
	s.Requested = s.Estimate
	return s
}

// says has the pod's status say this of its containers.
func (s *story) says(now int, states ...State) *story {
	for i := range states {
		if states[i].Share == (amount.Vector{}) {
			states[i].Share = both(s.Estimate[amount.CPU] / int64(len(states)))
		}
	}
	s.Observe(states, at(now), warmUp)
	return s
}

// resized has the pod be resized, and be expected to use as much as its requests
// suggest.
func (s *story) resized(now int, to int64) *story {
	s.Resize(both(to), at(now))
	s.Estimate = both(to)
	for i := range s.containers {
		s.containers[i].share = both(to / int64(len(s.containers)))
	}
	return s
}

// sampled has samples of the node arrive that end then.
func (s *story) sampled(ends ...int) *story {
	for _, end := range ends {
		sample := ending(end, both(0))
		s.Sampled(&sample, at(end), warmUp)
	}
	return s
}

// used has the pod be seen to use this in windows that end then.
func (s *story) used(use int64, ends ...int) *story {
	for _, end := range ends {
		s.Read(ending(end, both(use)), warmUp)
	}
	return s
}

// missing is Missing of the sample that ends at the second, when it arrives.
func (s *story) missing(end int) (int64, bool) {
	sample := ending(end, both(0))
	use, known := s.Missing(&sample, at(end), warmUp)
	return use[amount.CPU], known
}

// usedIn is UsedIn of the sample that ends at the second.
func (s *story) usedIn(end int) (amount.Vector, bool) {
	sample := ending(end, both(0))
	return s.UsedIn(&sample, warmUp)
}

func TestPhasesOfARecord(t *testing.T) {
	runs, failed := State{Since: at(10)}, State{Before: ran(10, 100)}
	again := State{Since: at(130), Before: ran(10, 100)}
	for name, test := range map[string]struct {
		story *story
		want  Phase
	}{
		"nothing":                                     {ofContainers(1), Absent},
		"a status without a run":                      {ofContainers(1).says(0, State{}), Assigned},
		"samples show nothing of it":                  {ofContainers(1).says(0, State{}).sampled(20), Assigned},
		"one of two runs":                             {ofContainers(1, 1).says(11, runs, State{}), Starting},
		"a sample from before":                        {ofContainers(1).says(11, runs).sampled(10), Starting},
		"a sample that may show a part":               {ofContainers(1).says(11, runs).sampled(11), PartlyMeasured},
		"a window that began in the warm-up":          {ofContainers(1).says(11, runs).sampled(84), PartlyMeasured},
		"a window that began after it":                {ofContainers(1).says(11, runs).sampled(85), Measured},
		"one of two is measured":                      {ofContainers(1, 1).says(11, runs, State{}).sampled(85), PartlyMeasured},
		"one of two has done its work":                {ofContainers(1, 1).says(11, runs, State{Before: ran(1, 5), Ended: true}).sampled(85), Measured},
		"a run that has ended is a run":               {ofContainers(1).says(103, failed), Starting},
		"it failed before it was measured":            {ofContainers(1).says(11, runs).sampled(11).says(103, failed), PartlyMeasured},
		"it failed":                                   {ofContainers(1).says(11, runs).sampled(90).says(103, failed), Remeasuring},
		"it failed, and samples show it still":        {ofContainers(1).says(11, runs).sampled(90).says(103, failed).sampled(100), Remeasuring},
		"it failed, and no sample shows it":           {ofContainers(1).says(11, runs).sampled(90).says(103, failed).sampled(101), Remeasuring},
		"it runs again":                               {ofContainers(1).says(11, runs).sampled(90).says(131, again).sampled(204), Remeasuring},
		"it runs again, and is measured":              {ofContainers(1).says(11, runs).sampled(90).says(131, again).sampled(205), Measured},
		"it fails for so long that it does not count": {ofContainers(1).says(11, runs).sampled(90).says(103, failed).sampled(401), Measured},
		"one of two has done its work since":          {ofContainers(1, 1).says(11, runs, runs).sampled(90).says(103, runs, State{Before: ran(10, 100), Ended: true}), Measured},
	} {
		if test.story.Phase != test.want {
			t.Errorf("%s: %v, want %v", name, test.story.Phase, test.want)
		}
	}
}

func TestWhatIsExpectedOfAPod(t *testing.T) {
	runs, failed, ended := State{Since: at(0)}, State{Before: ran(0, 100)}, State{Before: ran(0, 100), Ended: true}
	patience := int(Patience.Seconds())
	for name, test := range map[string]struct {
		story *story
		now   int
		want  int64
		seen  bool
	}{
		"its estimate, before it runs":                      {ofContainers(10, 20), 0, 30, false},
		"its estimate, when it runs":                        {ofContainers(10, 20).says(0, runs, runs), 50, 30, false},
		"not what it used in the warm-up":                   {ofContainers(30).says(0, runs).used(4, 50, 70), 80, 30, false},
		"what it was seen to use":                           {ofContainers(30).says(0, runs).used(4, 75), 80, 4, true},
		"the mean of what it was seen to use":               {ofContainers(30).says(0, runs).used(4, 50).used(10, 75).used(20, 90), 90, 15, true},
		"of late":                                           {ofContainers(30).says(0, runs).used(99, 75).used(10, 90, 105, 120, 135, 150, 165), 165, 10, true},
		"a container that has just failed is to":            {ofContainers(10, 20).says(0, runs, runs).says(100, runs, failed), 100 + patience - 1, 30, false},
		"one that fails for long is not":                    {ofContainers(20, 20).says(0, runs, runs).says(100, runs, failed), 100 + patience, 20, false},
		"what it used with both, though one fails for long": {ofContainers(20, 20).says(0, runs, runs).used(30, 90).says(100, runs, failed), 100 + patience, 30, true},
		"not one that has done its work":                    {ofContainers(10, 20).says(0, runs, ended), 100, 15, false},
		"what it used is not forgotten while it warms up": {
			ofContainers(10).says(0, runs).used(30, 75).says(101, State{Since: at(100), Before: ran(0, 90)}).used(1, 115, 125, 135, 145, 155, 165), 165, 30, true,
		},
		"nor when it is restarted again and again": {
			ofContainers(10).says(0, runs).used(30, 75).says(101, State{Since: at(100), Before: ran(0, 90)}).
				says(121, State{Since: at(120), Before: ran(100, 110)}).says(141, State{Since: at(140), Before: ran(120, 130)}).
				says(161, State{Since: at(160), Before: ran(140, 150)}).says(181, State{Since: at(180), Before: ran(160, 170)}), 185, 30, true,
		},
		"nor while a container fails for long": {
			ofContainers(10, 10).says(0, runs, runs).used(30, 90).says(100, runs, failed).used(20, 415, 430, 445, 460, 475, 490, 505).
				says(511, runs, State{Since: at(510), Before: ran(0, 100)}), 511, 30, true,
		},
		"not what it used in a run of which it was not known": {
			ofContainers(30).says(0, runs).used(1, 130).says(140, State{Since: at(120), Before: ran(0, 100)}), 140, 30, false,
		},
		"not what it used before it was resized upwards": {
			ofContainers(10).says(0, runs).used(4, 75, 90).resized(100, 30), 200, 30, false,
		},
		"nor while it warmed up again": {
			ofContainers(10).says(0, runs).resized(100, 30).used(4, 115, 174), 200, 30, false,
		},
		"nothing if nothing is to run": {ofContainers(0, 0).says(0, ended, failed), 100 + patience, 0, false},
	} {
		if use, seen := test.story.Expected(at(test.now), warmUp); use != both(test.want) || seen != test.seen {
			t.Errorf("%s: %v, seen %t, want %d, seen %t", name, use, seen, test.want, test.seen)
		}
	}
}

// Shares are of estimates of containers, which are not all of a pod's: init containers
// have some of their own, and what is requested for the pod as a whole, or is its
// overhead, is no container's.
func TestWhatIsEstimatedOfContainersThatCount(t *testing.T) {
	runs, ended := State{Since: at(110)}, State{Before: ran(0, 100), Ended: true}
	for name, test := range map[string]struct {
		estimate int64
		shares   [2]int64
		want     int64
	}{
		"of two":                          {40, [2]int64{30, 10}, 10},
		"after an init container":         {10, [2]int64{4, 10}, 10},
		"after one that was larger":       {10, [2]int64{30, 10}, 10},
		"with an overhead":                {45, [2]int64{30, 10}, 15},
		"with requests for the whole pod": {40, [2]int64{1, 1}, 39},
	} {
		s := ofContainers(test.estimate)
		first, second := ended, runs
		first.Share, second.Share = both(test.shares[0]), both(test.shares[1])
		s.Observe([]State{first, second}, at(110), warmUp)
		if use, _ := s.Expected(at(110), warmUp); use != both(test.want) {
			t.Errorf("%s: %v expected, want %d", name, use, test.want)
		}
	}
}

// A container that fails is read while it runs, too: never has it warmed up.
func TestAReadingOfAContainerThatFailsIsNotOfAllOfThePod(t *testing.T) {
	s := ofContainers(30)
	for second := 0; second < 720; second += 90 {
		s.says(second, State{Since: at(second)}).says(second+30, State{Before: ran(second, second+30)}).sampled(second+29).used(1, second+29)
		if use, known := s.LastUse(at(second+30), warmUp); known {
			t.Fatalf("second %d: %v is what it uses", second, use)
		}
	}
	if use, seen := s.Expected(at(720), warmUp); seen {
		t.Errorf("%v expected, as it was seen: it has never warmed up", use)
	}
}

// Of many restarts the last are remembered. A reading of a run that is forgotten says
// nothing of what went on, and a sample of one is not known to show nothing.
func TestARunThatIsForgottenDoesNotGoOn(t *testing.T) {
	for name, test := range map[string]struct {
		others []State
		want   int64
	}{
		"the only container":      {nil, 60},
		"beside one that has not": {[]State{{Since: at(0)}}, 120},
	} {
		t.Run(name, func(t *testing.T) {
			s := ofContainers(make([]int64, 1+len(test.others))...)
			s.Estimate, s.Requested = both(test.want), both(test.want)
			say := func(now int, state State) { s.says(now, append([]State{state}, test.others...)...) }
			say(0, State{Since: at(0)}) // lasts, so that it is kept
			s.used(test.want, 80)
			say(100, State{Before: ran(0, 100)})
			for from := 200; from < 400; from += 50 {
				say(from, State{Since: at(from), Before: ran(0, 100)})
				if from == 200 {
					s.used(test.want, 230)
				}
				say(from+40, State{Before: ran(from, from+40)})
			}
			say(400, State{Since: at(400)})
			if got, _ := s.missing(395); got != 60 {
				t.Errorf("of a sample of a run that was not read %d is missing, want 60", got)
			}
			if got, known := s.missing(260); known {
				t.Errorf("what a sample lacks is thought to be known, %d, although it shows a run that is forgotten", got)
			}
			if got, known := s.missing(95); got != 0 || !known {
				t.Errorf("of a sample of the run that is kept %d is missing (%t), want nothing", got, known)
			}
		})
	}
}

func TestShareOfAnEstimateIsNeverBelowZero(t *testing.T) {
	s := ofContainers(10)
	failed := State{Before: ran(0, 100), Share: both(11)} // rounding may give more
	s.Observe([]State{failed}, at(100), warmUp)
	if use, _ := s.Expected(at(3600), warmUp); use != both(0) {
		t.Errorf("%v expected", use)
	}
}

// What a sample does not show of a pod: of two containers that are expected to use
// 10 each, or of one that is expected to use 20.
func TestWhatASampleDoesNotShow(t *testing.T) {
	runs, later := State{Since: at(0)}, State{Since: at(50)}
	for name, test := range map[string]struct {
		story *story
		end   int
		want  int64
		known bool
	}{
		"a sample from before":              {ofContainers(20).says(0, runs), 0, 20, false},
		"a sample that may show a part":     {ofContainers(20).says(0, runs), 1, 20, false},
		"a sample that shows all":           {ofContainers(20).says(0, runs), 75, 0, true},
		"one of two containers in full":     {ofContainers(10, 10).says(50, runs, later), 75, 10, false},
		"both containers":                   {ofContainers(10, 10).says(50, runs, later), 125, 0, true},
		"one that has not started":          {ofContainers(10, 10).says(50, runs, State{}), 500, 10, false},
		"one that has done its work":        {ofContainers(10, 10).says(50, runs, State{Before: ran(0, 5), Ended: true}), 75, 0, true},
		"it is seen to use a part":          {ofContainers(20).says(0, runs).used(8, 30), 30, 12, false},
		"of a third of the window":          {ofContainers(20).says(0, runs).used(9, 30), 20, 17, false},
		"and at the end of an earlier one":  {ofContainers(20).says(0, runs).used(8, 30), 60, 12, false},
		"it is seen to use more than that":  {ofContainers(20).says(0, runs).used(25, 30), 30, 0, false},
		"all but a fifteenth is seen":       {ofContainers(20).says(0, runs).used(15, 75), 74, 0, true},
		"a third is from before that":       {ofContainers(20).says(0, runs).used(15, 75), 70, 5, true},
		"a sample from before, use is seen": {ofContainers(20).says(0, runs).used(4, 75), 0, 4, true},
		"shares are of what is believed":    {ofContainers(10, 10).says(50, runs, later).used(4, 130), 75, 2, false},
	} {
		if use, known := test.story.missing(test.end); use != test.want || known != test.known {
			t.Errorf("%s: %d is missing, known %t, want %d, known %t", name, use, known, test.want, test.known)
		}
	}
}

// Of many runs the last are remembered, and that in which the pod was last seen at its
// best.
func TestRunsAreBounded(t *testing.T) {
	for read, want := range map[bool]string{false: "800-890 900-990 1000-1090 1100-", true: "100-190 900-990 1000-1090 1100-"} {
		s := ofContainers(10).says(0, State{Since: at(0)})
		for second := 100; second <= 1100; second += 100 {
			s.says(second+1, State{Since: at(second), Before: ran(second-100, second-10)})
			if read && second == 100 {
				s.used(7, 180)
			}
		}
		if got := s.containers[0].written(); got != want {
			t.Errorf("read %t: runs %q, want %q", read, got, want)
		}
		if use, seen := s.Expected(at(1101), warmUp); seen != read || read && use != both(7) {
			t.Errorf("read %t: %v expected, seen %t", read, use, seen)
		}
	}
}

// A reading of a run that is not remembered any more does not go on.
func TestReadingOfAForgottenRun(t *testing.T) {
	s := ofContainers(10).says(0, State{Since: at(0)}).used(10, 75).says(101, State{Since: at(100), Before: ran(0, 90)}).used(8, 115)
	for second := 120; second <= 180; second += 20 {
		s.says(second+1, State{Since: at(second), Before: ran(second-20, second-10)})
	}
	for end, want := range map[int]int64{115: 2, 150: 10, 185: 10} {
		if use, _ := s.missing(end); use != want {
			t.Errorf("the sample that ends at %d lacks %d, want %d; runs %s", end, use, want, s.containers[0].written())
		}
	}
}

// What a pod was measured to use before it was resized upwards says little of what
// it will use.
func TestResizedUpwards(t *testing.T) {
	s := ofContainers(10).says(0, State{Since: at(0)}).sampled(75).used(4, 75)
	s.resized(100, 30).says(101, State{Since: at(0)}).sampled(120)
	if use, seen := s.Expected(at(120), warmUp); s.Phase != Remeasuring || use != both(30) || seen {
		t.Errorf("%v, %v expected, seen %t: want the new estimate", s.Phase, use, seen)
	}
	for end, want := range map[int]int64{
		75:  26, // what it was seen to use then
		90:  26,
		130: 26, // and uses still
		175: 0,
	} {
		if use, _ := s.missing(end); use != want {
			t.Errorf("the sample that ends at %d lacks %d, want %d", end, use, want)
		}
	}
	if since := s.RunningSince(at(120)); !since.Equal(at(100)) {
		t.Errorf("running as it does now since %v", since)
	}
	if s.sampled(174); s.Phase != Remeasuring {
		t.Errorf("%v in the warm-up after it was resized", s.Phase)
	}
	if s.sampled(175).used(25, 180); s.Phase != Measured {
		t.Errorf("%v after it", s.Phase)
	}
	if use, seen := s.Expected(at(180), warmUp); use != both(25) || !seen {
		t.Errorf("%v expected, seen %t, want what it was seen to use since", use, seen)
	}
	s.says(300, State{Since: at(310), Before: ran(0, 300)}).sampled(330)
	if s.Phase != Remeasuring || s.containers[0].written() != "0-300 310-" {
		t.Errorf("restarted after it was resized: %v, runs %s", s.Phase, s.containers[0].written())
	}
}

func TestResizedBeforeItRuns(t *testing.T) {
	s := ofContainers(10).says(0, State{}).resized(5, 20)
	if s.says(11, State{Since: at(10)}).sampled(85); s.Phase != Measured {
		t.Errorf("%v", s.Phase)
	}
}

func TestResizedUpwardsTwice(t *testing.T) {
	s := ofContainers(10).says(0, State{Since: at(0)}).sampled(90)
	if s.resized(100, 20); s.Phase != Remeasuring {
		t.Errorf("resized to 20: %v", s.Phase)
	}
	if use, _ := s.missing(105); use != 10 {
		t.Errorf("resized to 20: %d is missing, want 10", use)
	}
	if s.sampled(290).resized(300, 30); s.Phase != Remeasuring {
		t.Errorf("resized to 30: %v", s.Phase)
	}
	for end, want := range map[int]int64{90: 20, 174: 20, 175: 10, 374: 10, 375: 0} {
		if use, _ := s.missing(end); use != want {
			t.Errorf("resized to 30: the sample that ends at %d lacks %d, want %d", end, use, want)
		}
	}
}

// Of more sizes than are kept, samples are taken to show no more than the least.
func TestResizedOften(t *testing.T) {
	s := ofContainers(10).says(0, State{Since: at(0)}).sampled(90)
	for i := range 2 * maxSizes {
		s.resized(100+100*i, 20+10*int64(i))
	}
	if use, _ := s.missing(90); len(s.sizes) != maxSizes || use != 60 {
		t.Errorf("%d sizes are kept, and %d of 70 is missing, want 60", len(s.sizes), use)
	}
}

// A pod that was resized downwards is measured as it was before: samples show no less
// than it is to use.
func TestResizedDownwards(t *testing.T) {
	s := ofContainers(30).says(0, State{Since: at(0)}).sampled(90).resized(100, 10)
	if s.Phase != Measured {
		t.Errorf("%v", s.Phase)
	}
	for _, end := range []int{90, 105, 175} {
		if use, _ := s.missing(end); use != 0 {
			t.Errorf("the sample that ends at %d lacks %d", end, use)
		}
	}
	if s.resized(200, 20); s.Phase != Remeasuring {
		t.Errorf("%v, and upwards again", s.Phase)
	}
	if use, _ := s.missing(195); use != 10 {
		t.Errorf("%d is missing, want 10", use)
	}
}

func TestAResizeDoesNotMakeAContainerOneThatFails(t *testing.T) {
	s := ofContainers(10).says(0, State{Since: at(0)}).says(101, State{Before: ran(0, 100)}).says(111, State{Since: at(110), Before: ran(0, 100)})
	s.resized(1000, 20).says(1031, State{Before: ran(110, 1030)})
	if !s.containers[0].counts(at(1031)) {
		t.Error("it ran for a quarter of an hour, has just failed, and does not count")
	}
}

func TestResizedByAClockThatIsBehind(t *testing.T) {
	s := ofContainers(10).says(300, State{Since: at(300)}).sampled(310).resized(10, 20)
	if s.sampled(320); s.Phase == Measured {
		t.Errorf("%v, runs %s: it has run for 20 s", s.Phase, s.containers[0].written())
	}
}

// What a pod is expected to use may change while it runs, without a resize: it is
// learned from its workload.
func TestSharesOfAnEstimateThatHasChanged(t *testing.T) {
	runs, failed := State{Since: at(0)}, State{Before: ran(0, 100)}
	s := ofContainers(20, 20).says(0, runs, runs).sampled(90)
	s.Estimate = both(10)
	s.says(101, runs, failed).sampled(130)
	if use, _ := s.missing(130); use != 5 {
		t.Errorf("%d is missing, want 5: one of two equal containers does not run", use)
	}
}

func TestACloneSharesNothing(t *testing.T) {
	build := func() *story {
		return ofContainers(10, 10).says(0, State{Since: at(0)}, State{Since: at(0)}).sampled(75).used(4, 75, 90)
	}
	original, untouched := build(), build()
	clone := story{original.Clone()}
	change := func(s *story) {
		s.says(100, State{Since: at(101), Before: ran(0, 100)}, State{Before: ran(0, 99)}).used(5, 105)
		s.Resize(both(40), at(110))
		s.readings[0].Usage = both(1)
		s.Depart(at(120), warmUp)
	}
	if change(&clone); !reflect.DeepEqual(original, untouched) {
		t.Errorf("a change of the clone has made %+v of the original", original)
	}
	clone = story{original.Clone()}
	if change(original); !reflect.DeepEqual(&clone, untouched) {
		t.Errorf("a change of the original has made %+v of the clone", clone)
	}
}

func TestDepart(t *testing.T) {
	s := ofContainers(10).says(0, State{Since: at(0)}).sampled(75)
	if !s.Left().IsZero() {
		t.Errorf("left at %v while it is there", s.Left())
	}
	s.Depart(at(80), warmUp)
	if s.Phase != Departing || !s.Left().Equal(at(80)) || s.containers[0].written() != "0-80" {
		t.Errorf("%v, left at %v, runs %s", s.Phase, s.Left(), s.containers[0].written())
	}
	s.sampled(90).says(91, State{Since: at(0)})
	if s.Phase != Departing {
		t.Errorf("a late status brings it back: %v", s.Phase)
	}
	unseen := ofContainers(10).says(0, State{})
	if unseen.Depart(at(80), warmUp); unseen.Phase != Absent {
		t.Errorf("a pod that no sample shows is %v after it left", unseen.Phase)
	}
}

func TestRunningSince(t *testing.T) {
	runs, later, ended := State{Since: at(0)}, State{Since: at(60)}, State{Before: ran(0, 10), Ended: true}
	for name, test := range map[string]struct {
		states []State
		now    int
		want   time.Time
	}{
		"the last one's start counts": {[]State{later, runs}, 100, at(60)},
		"one has not started":         {[]State{runs, {}}, 100, time.Time{}},
		"one has failed":              {[]State{runs, {Before: ran(0, 10)}}, 100, time.Time{}},
		"one fails for long":          {[]State{runs, {Before: ran(0, 10)}}, 3600, at(0)},
		"one has done its work":       {[]State{runs, ended}, 100, at(0)},
		"all have":                    {[]State{ended, ended}, 100, time.Time{}},
		"nothing is known":            {nil, 100, time.Time{}},
	} {
		s := ofContainers(10).says(0, test.states...)
		if got := s.RunningSince(at(test.now)); !got.Equal(test.want) {
			t.Errorf("%s: since %v, want %v", name, got, test.want)
		}
	}
}

func TestARecordOfNothing(t *testing.T) {
	var r Record
	s := history.Sample{Timestamp: at(100), Window: window}
	r.Sampled(&s, at(100), warmUp)
	if use, _ := r.Missing(&s, at(100), warmUp); r.Phase != Absent || use != both(0) || r.AtLeastIn(&s, warmUp) != both(0) {
		t.Errorf("%v, %v is missing, %v used at the least", r.Phase, use, r.AtLeastIn(&s, warmUp))
	}
	if use, known := r.UsedIn(&s, warmUp); known || use != both(0) {
		t.Errorf("it is known to have used %v", use)
	}
}

// What a pod was seen to use before a container stopped is not in samples of the
// time after that.
func TestARestartIsNoRelief(t *testing.T) {
	const warmUp = time.Minute
	start := epoch
	at := func(after time.Duration) history.Sample {
		return history.Sample{Timestamp: start.Add(after), Window: 15 * time.Second, Usage: amount.Vector{30_000, 0}}
	}
	r := Record{Estimate: amount.Vector{2000, 0}}
	r.Observe([]State{{Share: r.Estimate, Since: start}}, start, warmUp)
	s := at(10 * time.Minute)
	r.Sampled(&s, s.Timestamp, warmUp)
	if !r.Read(history.Sample{Timestamp: s.Timestamp, Window: s.Window, Usage: amount.Vector{20_000, 0}}, warmUp) {
		t.Fatal("the reading is not taken in")
	}
	stopped := start.Add(10*time.Minute + 5*time.Second)
	r.Observe([]State{{Share: r.Estimate, Before: Interval{From: start, To: stopped}}}, stopped, warmUp)
	for after := 11 * time.Minute; after < 13*time.Minute; after += 15 * time.Second {
		s := at(after)
		r.Sampled(&s, s.Timestamp, warmUp)
		if missing, _ := r.Missing(&s, s.Timestamp, warmUp); missing[amount.CPU] != 20_000 || r.Phase != Remeasuring {
			t.Fatalf("%v after the start, in phase %v: %v are missing, want 20 cores", after, r.Phase, missing)
		}
	}
}
