package ledger

import (
	"testing"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/history"
)

// A pod has the name of one that was there before, and a source that is behind
// answers with what that one used.
func TestWhichReadingsAreNews(t *testing.T) {
	runs := State{Since: at(100)}
	for name, test := range map[string]struct {
		story *story
		end   int
		want  bool
	}{
		"before anything of it runs":         {ofContainers(10).says(100, State{}), 120, false},
		"of the one that had its name":       {ofContainers(10).says(100, runs), 90, false},
		"that began before it did":           {ofContainers(10).says(100, runs), 114, false},
		"that began with it":                 {ofContainers(10).says(100, runs), 115, true},
		"the same again":                     {ofContainers(10).says(100, runs).used(4, 130), 130, false},
		"a late one":                         {ofContainers(10).says(100, runs).used(4, 130), 129, false},
		"the next":                           {ofContainers(10).says(100, runs).used(4, 130), 131, true},
		"after it has failed":                {ofContainers(10).says(103, State{Before: ran(100, 130)}), 130, true},
		"before the last of two has started": {ofContainers(5, 5).says(100, runs, State{}), 130, true},
	} {
		if got := test.story.Read(ending(test.end, both(7)), warmUp); got != test.want {
			t.Errorf("%s: is news: %t, want %t", name, got, test.want)
		}
		if got := test.story.LastRead().Equal(at(test.end)); got != test.want && name != "the same again" {
			t.Errorf("%s: last read at %v", name, test.story.LastRead())
		}
	}
}

func TestReadingsAreBounded(t *testing.T) {
	s := ofContainers(10).says(0, State{Since: at(0)})
	for end := 15; end < 15_000; end += 15 {
		if s.used(4, end); len(s.readings) > maxReadings || cap(s.readings) > 2*maxReadings {
			t.Fatalf("%d readings are kept", len(s.readings))
		}
	}
	if !s.LastRead().Equal(at(14_985)) {
		t.Errorf("last read at %v", s.LastRead())
	}
}

func TestLastUse(t *testing.T) {
	expiration := int(ReadingExpiration.Seconds())
	for name, test := range map[string]struct {
		story *story
		now   int
		want  bool
	}{
		"never read":              {ofContainers(10).says(0, State{Since: at(0)}), 100, false},
		"read in its warm-up":     {ofContainers(10).says(0, State{Since: at(0)}).used(4, 74), 100, false},
		"read when it had warmed": {ofContainers(10).says(0, State{Since: at(0)}).used(4, 75), 75 + expiration, true},
		"read too long ago":       {ofContainers(10).says(0, State{Since: at(0)}).used(4, 75), 76 + expiration, false},
		"read when one of two ran": {
			ofContainers(5, 5).says(0, State{Since: at(0)}, State{}).used(4, 75), 75, false,
		},
		"read since, when it starts anew": {
			ofContainers(10).says(0, State{Since: at(0)}).used(4, 75).says(101, State{Since: at(100), Before: ran(0, 90)}).used(3, 120), 120, false,
		},
	} {
		if use, known := test.story.LastUse(at(test.now), warmUp); known != test.want || known && use != both(4) {
			t.Errorf("%s: %v, known %t, want %t", name, use, known, test.want)
		}
	}
}

// What is taken off a sample is what the pod surely used in it.
func TestWhatAPodUsedInASample(t *testing.T) {
	runs, failed := State{Since: at(0)}, State{Before: ran(0, 105)}
	for name, test := range map[string]struct {
		story *story
		end   int
		want  amount.Vector
		known bool
	}{
		"a reading of that window":                       {ofContainers(10).says(0, runs).used(9, 90), 90, both(9), true},
		"a reading of more than half of it":              {ofContainers(10).says(0, runs).used(9, 90), 97, both(9), true},
		"one of less than half says nothing":             {ofContainers(10).says(0, runs).used(9, 90), 98, both(0), false},
		"the least of two that do not cover it":          {ofContainers(10).says(0, runs).used(9, 90).used(6, 105), 150, both(6), true},
		"of these, those that are recent":                {ofContainers(10).says(0, runs).used(6, 90).used(9, 390).used(8, 405), 400 + 100, both(8), true},
		"one that is recent says nothing":                {ofContainers(10).says(0, runs).used(6, 90).used(9, 390), 500, both(0), false},
		"of those that cover it, the one that does most": {ofContainers(10).says(0, runs).used(6, 82).used(9, 89), 90, both(9), true},
		"it began a third of the window after its start": {ofContainers(10).says(0, runs).used(9, 15), 10, amount.Vector{6, 9}, true},
		"it began after it":                              {ofContainers(10).says(0, runs).used(9, 75, 90), -1, both(0), true},
		"it left a third of the window after its start":  {ofContainers(10).says(0, runs).used(9, 90).left(80), 90, amount.Vector{3, 0}, true},
		"it left as it ended":                            {ofContainers(10).says(0, runs).used(9, 90).left(90), 90, both(9), true},
		"it did not run any more":                        {ofContainers(10).says(0, runs).used(9, 90, 105).says(110, failed).left(160), 150, both(0), true},
		"it ran for two thirds of it":                    {ofContainers(10).says(0, runs).used(9, 90, 105).says(110, failed).left(160), 110, amount.Vector{6, 0}, true},
		"one of two did not run any more":                {ofContainers(5, 5).says(0, runs, runs).used(8, 90, 105).says(110, runs, failed).left(160), 150, both(4), true},
		"its container was started again in it":          {ofContainers(10).says(0, runs).says(101, State{Since: at(100), Before: ran(0, 95)}).used(9, 105).left(160), 105, amount.Vector{6, 9}, true},
		"its container was started again as it ended":    {ofContainers(10).says(0, runs).used(9, 105).says(106, State{Since: at(105), Before: ran(0, 105)}).left(160), 105, both(9), true},
		"it had not run for long":                        {ofContainers(10).says(0, runs).used(9, 90, 105).left(106), 20, both(0), false},
		"the least of its first seconds":                 {ofContainers(10).says(0, runs).used(9, 15, 30).left(160), 150, both(0), false},
		"of readings of long after":                      {ofContainers(10).says(0, runs).used(9, 900, 915).left(920), 200, both(0), false},
		"of those before it was resized downwards":       {ofContainers(30).says(0, runs).used(30, 75, 90).resized(100, 10).left(201), 200, both(0), false},
		"of those after it was resized upwards":          {ofContainers(10).says(0, runs).resized(100, 30).used(30, 175, 190).left(201), 95, both(0), false},
		"of those since it was resized":                  {ofContainers(10).says(0, runs).resized(100, 30).used(30, 175, 190).left(301), 300, both(30), true},
		"of those from before it was resized once more":  {ofContainers(10).says(0, runs).used(9, 75, 90).resized(200, 30).left(301), 150, both(9), true},
		"one that is expected to use nothing":            {ofContainers(0).says(0, runs).used(9, 90, 105).left(160), 150, both(9), true},
		"it left before it":                              {ofContainers(10).says(0, runs).used(9, 90).used(9, 105).left(105), 120, both(0), true},
	} {
		if use, known := test.story.usedIn(test.end); use != test.want || known != test.known {
			t.Errorf("%s: %v, known %t, want %v, known %t", name, use, known, test.want, test.known)
		}
	}
}

// left has the pod have left.
func (s *story) left(second int) *story {
	s.Depart(at(second), warmUp)
	return s
}

// What a pod on the node used at the least is known from one reading.
func TestWhatAPodUsedAtTheLeast(t *testing.T) {
	runs := State{Since: at(0)}
	for name, test := range map[string]struct {
		story *story
		end   int
		want  int64
	}{
		"never read":                       {ofContainers(10).says(0, runs), 90, 0},
		"a reading of that window":         {ofContainers(10).says(0, runs).used(9, 90), 90, 9},
		"a reading of another":             {ofContainers(10).says(0, runs).used(9, 90), 150, 9},
		"the least of readings of others":  {ofContainers(10).says(0, runs).used(9, 90).used(6, 105), 150, 6},
		"a reading of long ago":            {ofContainers(10).says(0, runs).used(9, 90), 500, 0},
		"it began within the sample":       {ofContainers(10).says(0, runs).used(9, 15), 8, 4},
		"and little of it is in a reading": {ofContainers(10).says(0, runs).used(9, 15), 5, 0},
		"it had not run for long":          {ofContainers(10).says(0, runs).used(9, 90), 60, 0},
		"it did not run":                   {ofContainers(10).says(0, runs).used(9, 90, 105).says(110, State{Before: ran(0, 106)}), 150, 0},
		"it began after the sample":        {ofContainers(10).says(0, runs).used(9, 15), -1, 0},
	} {
		s := ending(test.end, both(0))
		if use := test.story.AtLeastIn(&s, warmUp); use[amount.CPU] != test.want {
			t.Errorf("%s: %v, want %d", name, use, test.want)
		}
	}
}

// CPU of a reading is of all its window, memory of the end.
func TestMemoryOfAReadingIsOfItsEnd(t *testing.T) {
	s := ofContainers(10).says(0, State{Since: at(0)}).sampled(30)
	s.Read(ending(45, amount.Vector{9, 10}), warmUp)
	for end, want := range map[int]amount.Vector{
		30: {10, 10},
		40: {4, 10},
		45: {1, 0},
		60: {1, 0}, // what it was seen to use, it uses still
	} {
		sample := ending(end, both(0))
		if use, _ := s.Missing(&sample, at(end), warmUp); use != want {
			t.Errorf("%v is missing of the sample that ends at %d, want %v", use, end, want)
		}
	}
}

// A source without windows says what is used at an instant.
func TestReadingsWithoutWindows(t *testing.T) {
	instant := func(second int, use int64) history.Sample {
		return history.Sample{Timestamp: at(second), Usage: both(use)}
	}
	s := ofContainers(10).says(0, State{Since: at(0)})
	for _, second := range []int{60, 75} {
		s.Read(instant(second, 9), warmUp)
	}
	if use, seen := s.Expected(at(75), warmUp); use != both(9) || !seen {
		t.Errorf("%v expected, seen %t", use, seen)
	}
	covered, between := instant(75, 0), instant(70, 0)
	for _, sample := range []history.Sample{covered, between} {
		if use, known := s.UsedIn(&sample, warmUp); use != both(9) || !known {
			t.Errorf("%v used at %v, known %t", use, sample.Timestamp, known)
		}
	}
	if s.at(&covered) == nil || s.at(&between) != nil {
		t.Error("a reading of an instant covers that instant alone")
	}
}
