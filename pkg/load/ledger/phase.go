package ledger

import "fmt"

// Phase says how much of a pod's use the samples of its node show. What counts
// in each phase is said in the comment of Record; docs/design draws the
// transitions.
type Phase uint8

// The phases.
const (
	// Absent: the pod is not on the node, or no sample shows any more that it was.
	Absent Phase = iota
	// Reserved: a scheduling cycle of this process holds it on the node. The API
	// server does not say so yet.
	Reserved
	// Assigned: it is bound to the node. None of its containers has run.
	Assigned
	// Starting: a container has run, but no sample of the node can show it yet.
	Starting
	// PartlyMeasured: the newest sample may show some of its use, but not all.
	PartlyMeasured
	// Measured: the newest sample shows all of its use.
	Measured
	// Remeasuring: it was measured, and since then a container has stopped or
	// started anew, or it was resized upwards.
	Remeasuring
	// Departing: it has left, and samples still show it.
	Departing
	numPhases
)

// String returns the phase's name.
func (p Phase) String() string {
	if p >= numPhases {
		return fmt.Sprintf("Phase(%d)", uint8(p))
	}
	return [numPhases]string{"Absent", "Reserved", "Assigned", "Starting", "PartlyMeasured", "Measured", "Remeasuring", "Departing"}[p]
}

// Event is something that is learned of a pod.
type Event uint8

// The events.
const (
	// Reserve: a scheduling cycle gives the pod to the node.
	Reserve Event = iota
	// Unreserve: it takes that back.
	Unreserve
	// Bind: the API server says that the pod is bound to the node.
	Bind
	// Run: a container of it runs or has run.
	Run
	// Interrupt: a container has stopped or started anew, or the pod was resized
	// upwards.
	Interrupt
	// ShowNothing, ShowPart and ShowAll: this is how much the newest sample of the
	// node shows.
	ShowNothing
	ShowPart
	ShowAll
	// Leave: the pod is deleted, or has ended.
	Leave
	// Forget: no sample shows the pod any more.
	Forget
	numEvents
)

// String returns the event's name.
func (e Event) String() string {
	if e >= numEvents {
		return fmt.Sprintf("Event(%d)", uint8(e))
	}
	return [numEvents]string{"Reserve", "Unreserve", "Bind", "Run", "Interrupt", "ShowNothing", "ShowPart", "ShowAll", "Leave", "Forget"}[e]
}

// Next returns the phase after an event. An event that means nothing in a phase
// leaves it as it is: events may be repeated, late or lost, and none of that
// makes a pod count twice, or not at all.
func (p Phase) Next(e Event) Phase {
	switch e {
	case Reserve:
		return max(p, Reserved)
	case Unreserve:
		if p == Reserved {
			return Absent // else it has turned out to be bound
		}
	case Bind:
		return max(p, Assigned)
	case Run:
		return max(p, Starting)
	case Interrupt:
		if p == Measured {
			return Remeasuring
		}
	case ShowPart:
		if p == Starting {
			return PartlyMeasured
		}
	case ShowAll:
		if p >= Starting && p < Departing {
			return Measured
		}
	case Leave:
		if p < PartlyMeasured {
			return Absent // nothing shows it
		}
		return Departing
	case Forget:
		if p == Departing {
			return Absent
		}
	}
	return p
}

// InFlight reports whether samples do not show all of the pod's use yet.
func (p Phase) InFlight() bool {
	return p >= Reserved && p <= PartlyMeasured || p == Remeasuring
}

// Unseen reports whether no sample shows any of the pod's use.
func (p Phase) Unseen() bool { return p >= Reserved && p <= Starting }
