package device

import (
	"slices"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	fwk "k8s.io/kube-scheduler/framework"
)

// Catalogue is all that a plugin needs to know of devices: what pods ask for and
// what nodes have, whether a device plugin or dynamic resource allocation offers
// it. A kind of device is an extended resource or a device class.
type Catalogue struct {
	matcher *Matcher
	kinds   *Kinds
	classes ClassInventory
}

// NewCatalogue returns a catalogue of what the matcher accepts. It knows of no
// node yet. Several catalogues may share the classes: they are watched by whoever
// made them.
func NewCatalogue(matcher *Matcher, classes ClassInventory) *Catalogue {
	return &Catalogue{matcher: matcher, kinds: NewKinds(matcher), classes: classes}
}

// Watch learns from the informer of nodes which device resources they offer. It
// is to be called once, before the informers start.
func (c *Catalogue) Watch(factory informers.SharedInformerFactory) error {
	return c.kinds.Watch(factory)
}

// SetNode notes which device resources the node offers: none if it is gone. Watch
// does that for all nodes.
func (c *Catalogue) SetNode(name string, allocatable v1.ResourceList) { c.kinds.Set(name, allocatable) }

// HasSynced reports whether all nodes, classes and claims are known that there
// were when the informers started.
func (c *Catalogue) HasSynced() bool { return c.kinds.HasSynced() && c.classes.HasSynced() }

// Events returns the cluster events after which a node may have fewer free
// devices. That a pod is assigned to a node is left to the caller: see Requests.
func (c *Catalogue) Events() []fwk.ClusterEventWithHint {
	return append([]fwk.ClusterEventWithHint{
		{Event: fwk.ClusterEvent{Resource: fwk.Node, ActionType: fwk.Add | fwk.UpdateNodeAllocatable}},
	}, c.classes.Events()...)
}

// Requests returns the devices that the pod asks for by its containers' requests
// and its claims, sorted by name, each kind once. Claims that are allocated ask
// for no further device.
func (c *Catalogue) Requests(pod *v1.Pod) []Request {
	return c.requests(pod, c.classes.Requests(pod))
}

// InitialRequests is as Requests, except that it tells what pods ask for that are
// created as this one was: also what was allocated to it since. ok is false, and
// there are no requests, as long as a claim of the pod does not exist.
func (c *Catalogue) InitialRequests(pod *v1.Pod) (requests []Request, ok bool) {
	claimed, ok := c.classes.InitialRequests(pod)
	if !ok {
		return nil, false
	}
	return c.requests(pod, claimed), true
}

// requests returns the devices that the pod asks for, with those that are claimed
// for it.
func (c *Catalogue) requests(pod *v1.Pod, claimed []Request) []Request {
	view := c.classes.View()
	requests := requestsOfContainers(pod, func(name v1.ResourceName) (v1.ResourceName, bool) { return c.kindOf(view, name) })
	return merge(requests, slices.DeleteFunc(claimed, func(request Request) bool { return !c.matcher.Matches(request.Name) }))
}

// kindOf returns the kind of device that a request for the resource takes: that
// of the class which provides it, unless nodes have device plugins that offer it.
// Where some have and others have the class, only the former are ranked.
func (c *Catalogue) kindOf(view ClassView, resource v1.ResourceName) (kind v1.ResourceName, isDevice bool) {
	if class, ok := view.ClassOf(resource); ok && !c.kinds.Has(resource) && c.matcher.Matches(class) {
		return class, true
	}
	return resource, c.matcher.Matches(resource)
}

// Reserve has the views from now on count the devices of classes among these as
// held by the pod on the node, in place of what it has reserved before. Pods are
// placed faster than claims are written and seen, and each must count with those
// before it; it ends with Unreserve, or when the pod's claims are allocated. The
// units of extended resources the scheduler itself counts.
func (c *Catalogue) Reserve(pod types.UID, node string, requests []Request) {
	if slices.ContainsFunc(requests, Request.OfClass) {
		c.classes.Reserve(pod, node, requests)
	}
}

// Unreserve takes back what is reserved for the pod, if anything is.
func (c *Catalogue) Unreserve(pod types.UID) { c.classes.Unreserve(pod) }

// View returns the present picture, for a scheduling cycle.
func (c *Catalogue) View() View {
	return View{matcher: c.matcher, kinds: *c.kinds.names.Load(), classes: c.classes.View()}
}

// View is an immutable picture of what nodes have. Its methods take no lock.
type View struct {
	matcher *Matcher
	kinds   []v1.ResourceName // that some node offers
	classes ClassView
}

// AppendStocks appends to stocks what the node has of each kind of device that it
// offers at least one of: of extended resources, in no particular order, then of
// device classes, sorted by name. It allocates only if stocks is too short.
//
// If the matcher does not accept all classes, how many devices are in those that
// it accepts is not known; it is no more than their sum.
func (v View) AppendStocks(stocks []Stock, node fwk.NodeInfo) ([]Stock, InClasses) {
	stocks = appendStocks(stocks, v.matcher, v.kinds, node)
	var in InClasses
	offered := v.classes.Node(node.Node().Name)
	var sum, free int64
	for _, class := range offered.Classes {
		if v.matcher.Matches(class.Name) {
			stocks = append(stocks, class)
			sum, free = sum+class.Allocatable, free+class.Free()
			in.Classes++
		}
	}
	in.Devices.Allocatable = min(sum, offered.All.Allocatable)
	in.Devices.Requested = in.Devices.Allocatable - min(free, offered.All.Free())
	return stocks, in
}
