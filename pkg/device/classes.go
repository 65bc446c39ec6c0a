package device

import (
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	fwk "k8s.io/kube-scheduler/framework"
)

// ClassInventory knows the devices that nodes offer by device classes, and what
// pods claim of them. It is what a Catalogue needs of dynamic resource
// allocation.
type ClassInventory interface {
	// View returns what nodes offer at present. It takes no lock and does not
	// allocate.
	View() ClassView
	// Requests returns the devices that are still to be allocated to the pod's
	// resource claims, sorted by name, each class once.
	Requests(pod *v1.Pod) []Request
	// InitialRequests is as Requests, except that it tells what pods ask for that
	// are created as this one was: also what was allocated to it since. ok is
	// false as long as a claim does not exist.
	InitialRequests(pod *v1.Pod) (requests []Request, ok bool)
	// Reserve counts devices of classes as held by the pod on the node, in place
	// of what it has reserved before, until Unreserve or until its claims say so.
	Reserve(pod types.UID, node string, requests []Request)
	// Unreserve takes back what is reserved for the pod, if anything is.
	Unreserve(pod types.UID)
	// HasSynced reports whether all is known that there was at the start.
	HasSynced() bool
	// Events returns the cluster events after which a node may have fewer free
	// devices of classes.
	Events() []fwk.ClusterEventWithHint
}

// ClassView is an immutable picture of a ClassInventory. Its methods take no
// lock and do not allocate.
type ClassView interface {
	// Any reports whether any node may have devices of classes.
	Any() bool
	// Node returns the devices of the node; none if it is not known.
	Node(name string) NodeDevices
	// ClassOf returns the class whose devices are given to pods that request the
	// extended resource, as the resource of that class; ok is false if there is
	// none. A node whose device plugin offers the resource as well gives its own
	// devices.
	ClassOf(resource v1.ResourceName) (class v1.ResourceName, ok bool)
}

// NodeDevices are the devices of device classes that a node offers.
type NodeDevices struct {
	// Classes is what the node has of each class that it offers a device of,
	// sorted by name. It must not be changed once it is in a ClassView.
	Classes []Stock
	// All counts each device once, however many classes it is in. It has no
	// name. A device in no class cannot be asked for, and is none.
	All Stock
}

// Take counts what the requests ask for as requested, as far as the node has it.
func (d *NodeDevices) Take(requests []Request) { takeOfClasses(d.Classes, &d.All, requests) }

// takeOfClasses counts what the requests ask for as requested. Which other
// classes the devices are in is not known; no class has more free devices than
// all have.
func takeOfClasses(classes []Stock, all *Stock, requests []Request) {
	for _, request := range requests {
		if stock := stockOf(classes, request.Name); stock != nil {
			stock.Requested = addCounts(stock.Requested, request.Count)
			all.Requested = addCounts(all.Requested, request.Count)
		}
	}
	for i := range classes {
		classes[i].Requested += max(0, classes[i].Free()-all.Free())
	}
}

// NoClasses is the ClassInventory of a cluster without dynamic resource
// allocation: no node has a device of any class.
type NoClasses struct{}

var _ ClassInventory = NoClasses{}

// View returns a view without devices.
func (NoClasses) View() ClassView { return noDevices{} }

// Requests returns none.
func (NoClasses) Requests(*v1.Pod) []Request { return nil }

// InitialRequests returns none, which is all that can be known.
func (NoClasses) InitialRequests(*v1.Pod) (requests []Request, ok bool) { return nil, true }

// Reserve does nothing: there is nothing to hold.
func (NoClasses) Reserve(types.UID, string, []Request) {}

// Unreserve does nothing.
func (NoClasses) Unreserve(types.UID) {}

// HasSynced is true.
func (NoClasses) HasSynced() bool { return true }

// Events returns none.
func (NoClasses) Events() []fwk.ClusterEventWithHint { return nil }

// noDevices is the view of NoClasses.
type noDevices struct{}

func (noDevices) Any() bool { return false }

func (noDevices) Node(string) NodeDevices { return NodeDevices{} }

func (noDevices) ClassOf(v1.ResourceName) (class v1.ResourceName, ok bool) { return "", false }
