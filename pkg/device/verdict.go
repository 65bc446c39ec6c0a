package device

import (
	"fmt"

	v1 "k8s.io/api/core/v1"
)

// Verdict is what an extended resource is taken for.
type Verdict string

const (
	// Device means that its units are scarce: pods are placed by it, and pods without
	// devices stay off.
	Device Verdict = "device"
	// Counter means that its units are no devices, such as the 1,000 uses of
	// /dev/kvm: a pod that asks for it is a pod without devices.
	Counter Verdict = "counter"
	// Excluded is as Counter, because the configuration says so.
	Excluded Verdict = "excluded"
)

// Resource is an extended resource that nodes have, and what it is taken for.
type Resource struct {
	Name    v1.ResourceName `json:"name"`
	Verdict Verdict         `json:"verdict"`
	// Reason says why, for people to read.
	Reason string `json:"reason"`
	// Nodes is how many nodes have it, and Most how many units of it one of them
	// has at most. Both are by what was allocatable at most in the last ten minutes.
	Nodes int   `json:"nodes"`
	Most  int64 `json:"most"`
}

// numbers are what decides on a resource that is not known by its name.
type numbers struct {
	// most is how many units a node has at most.
	most int64
	// nodes is how many nodes have it, of so many; nodes for which ordinary pods are
	// not meant do not count.
	nodes, of int
}

const (
	// A node has at most 16 devices of a kind, as far as is known of vendors that
	// are not known by name. What was taken for a counter because of more is taken
	// for a device again if no node has more than 8.
	maxDevices, fewDevices = 16, 8
	// What so many percent of the nodes have is no reason to avoid any. It is one
	// again below the other number.
	nearlyAll, notNearlyAll = 90, 75
	// Of fewer nodes the share says nothing.
	minNodes = 3
)

// surplus is what makes a resource a counter: it has units on a node, or nodes,
// beyond what is scarce.
type surplus struct{ ofUnits, ofNodes bool }

func (s surplus) any() bool { return s.ofUnits || s.ofNodes }

// surplus returns what makes the resource a counter, where before is what did
// until now: each has a margin, so that no node that comes or goes alone has the
// verdict change to and fro.
func (n numbers) surplus(before surplus) surplus {
	units, percent, enough := int64(maxDevices), nearlyAll, n.of >= minNodes
	if before.ofUnits {
		units = fewDevices
	}
	if before.ofNodes {
		percent, enough = notNearlyAll, n.of > 0
	}
	return surplus{ofUnits: n.most > units, ofNodes: enough && 100*n.nodes >= percent*n.of}
}

// verdict returns the verdict on a resource of this standing.
func (s standing) verdict(surplus surplus) Verdict {
	switch {
	case s == notListed || s == shutOut:
		return Excluded
	case s == knownCounter || s == unknown && surplus.any():
		return Counter
	}
	return Device
}

// reason returns why that is the verdict.
func (s standing) reason(n numbers, surplus surplus) string {
	switch s {
	case notListed:
		return "no pattern of the configuration matches it"
	case shutOut:
		return "the configuration excludes it"
	case listedByName:
		return "the configuration names it"
	case knownDevice:
		return "its name is known to be that of devices"
	case knownCounter:
		return "its name is known not to be that of devices"
	}
	switch {
	case surplus.ofUnits && n.most > maxDevices:
		return fmt.Sprintf("a node has %d units, more than %d", n.most, maxDevices)
	case surplus.ofUnits:
		return fmt.Sprintf("a node had more than %d units, and one still has more than %d: %d", maxDevices, fewDevices, n.most)
	case surplus.ofNodes && 100*n.nodes >= nearlyAll*n.of:
		return fmt.Sprintf("%d of %d nodes have it, at least %d %%", n.nodes, n.of, nearlyAll)
	case surplus.ofNodes:
		return fmt.Sprintf("at least %d %% of the nodes had it, and at least %d %% still have: %d of %d", nearlyAll, notNearlyAll, n.nodes, n.of)
	}
	return fmt.Sprintf("few nodes have it, and few units each: %d of %d nodes, at most %d units", n.nodes, n.of, n.most)
}
