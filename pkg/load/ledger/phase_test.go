package ledger

import (
	"math/rand/v2"
	"testing"
)

// The whole of Next: for each phase, which one each event leads to.
func TestNext(t *testing.T) {
	table := [numPhases][numEvents]Phase{
		Absent: {
			Reserve: Reserved, Unreserve: Absent, Bind: Assigned, Run: Starting, Interrupt: Absent,
			ShowNothing: Absent, ShowPart: Absent, ShowAll: Absent, Leave: Absent, Forget: Absent,
		},
		Reserved: {
			Reserve: Reserved, Unreserve: Absent, Bind: Assigned, Run: Starting, Interrupt: Reserved,
			ShowNothing: Reserved, ShowPart: Reserved, ShowAll: Reserved, Leave: Absent, Forget: Reserved,
		},
		Assigned: {
			Reserve: Assigned, Unreserve: Assigned, Bind: Assigned, Run: Starting, Interrupt: Assigned,
			ShowNothing: Assigned, ShowPart: Assigned, ShowAll: Assigned, Leave: Absent, Forget: Assigned,
		},
		Starting: {
			Reserve: Starting, Unreserve: Starting, Bind: Starting, Run: Starting, Interrupt: Starting,
			ShowNothing: Starting, ShowPart: PartlyMeasured, ShowAll: Measured, Leave: Absent, Forget: Starting,
		},
		PartlyMeasured: {
			Reserve: PartlyMeasured, Unreserve: PartlyMeasured, Bind: PartlyMeasured, Run: PartlyMeasured, Interrupt: PartlyMeasured,
			ShowNothing: PartlyMeasured, ShowPart: PartlyMeasured, ShowAll: Measured, Leave: Departing, Forget: PartlyMeasured,
		},
		Measured: {
			Reserve: Measured, Unreserve: Measured, Bind: Measured, Run: Measured, Interrupt: Remeasuring,
			ShowNothing: Measured, ShowPart: Measured, ShowAll: Measured, Leave: Departing, Forget: Measured,
		},
		Remeasuring: {
			Reserve: Remeasuring, Unreserve: Remeasuring, Bind: Remeasuring, Run: Remeasuring, Interrupt: Remeasuring,
			ShowNothing: Remeasuring, ShowPart: Remeasuring, ShowAll: Measured, Leave: Departing, Forget: Remeasuring,
		},
		Departing: {
			Reserve: Departing, Unreserve: Departing, Bind: Departing, Run: Departing, Interrupt: Departing,
			ShowNothing: Departing, ShowPart: Departing, ShowAll: Departing, Leave: Departing, Forget: Absent,
		},
	}
	for phase := range numPhases {
		for event := range numEvents {
			if got, want := phase.Next(event), table[phase][event]; got != want {
				t.Errorf("%v, %v: %v, want %v", phase, event, got, want)
			}
		}
	}
}

func TestWhatCountsInAPhase(t *testing.T) {
	for phase, want := range [numPhases]struct{ inFlight, unseen bool }{
		Absent:         {},
		Reserved:       {inFlight: true, unseen: true},
		Assigned:       {inFlight: true, unseen: true},
		Starting:       {inFlight: true, unseen: true},
		PartlyMeasured: {inFlight: true},
		Measured:       {},
		Remeasuring:    {inFlight: true},
		Departing:      {},
	} {
		p := Phase(phase)
		if p.InFlight() != want.inFlight || p.Unseen() != want.unseen {
			t.Errorf("%v: in flight %t, unseen %t, want %+v", p, p.InFlight(), p.Unseen(), want)
		}
	}
}

// Events may be repeated, late or lost. Whichever come: only an Unreserve or a
// Leave ends that a pod counts, and no event is worth more the second time.
func TestEventsInAnyOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		p, bound := Absent, false
		for range 20 {
			event := Event(random.IntN(int(numEvents)))
			next := p.Next(event)
			if again := next.Next(event); again != next {
				t.Fatalf("%v: %v leads to %v, repeated to %v", p, event, next, again)
			}
			bound = next != Absent && (bound || event == Bind || event == Run)
			counted, counts := p != Absent && p != Departing, next != Absent && next != Departing
			if counted && !counts && event != Leave && (event != Unreserve || bound) {
				t.Fatalf("%v: a pod that is bound (%t) ceases to count by %v", p, bound, event)
			}
			p = next
		}
	}
}

func TestNamesOfPhasesAndEvents(t *testing.T) {
	for phase := range numPhases {
		if name := phase.String(); name == "" || phase > 0 && name == (phase-1).String() {
			t.Errorf("phase %d is called %q", phase, name)
		}
	}
	for event := range numEvents {
		if name := event.String(); name == "" || event > 0 && name == (event-1).String() {
			t.Errorf("event %d is called %q", event, name)
		}
	}
	if got := numPhases.String() + " " + numEvents.String(); got != "Phase(8) Event(10)" {
		t.Errorf("out of range: %s", got)
	}
}
