package device

import (
	"slices"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/utils/clock"
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
func NewCatalogue(matcher *Matcher, classes ClassInventory, clock clock.PassiveClock) *Catalogue {
	return &Catalogue{matcher: matcher, kinds: NewKinds(matcher, clock), classes: classes}
}

// Watch learns from the informer of nodes which resources they have, and has the
// reporter, if it is not nil, tell what they are taken for. It is to be called once,
// before the informers start.
func (c *Catalogue) Watch(factory informers.SharedInformerFactory, reporter *Reporter) error {
	return c.kinds.Watch(factory, reporter)
}

// SetNode notes which resources the node has. Watch does that for all nodes.
func (c *Catalogue) SetNode(node *v1.Node) { c.kinds.Set(node) }

// RemoveNode notes that the node is gone. Watch does that, too.
func (c *Catalogue) RemoveNode(name string) { c.kinds.Remove(name) }

// Resources returns the extended resources that nodes have, sorted by name, with
// what each is taken for and why. Device classes are not among them: each that the
// matcher accepts is a kind of device.
func (c *Catalogue) Resources() []Resource { return c.kinds.Resources() }

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
	return c.RequestsAmong(TotalRequests(pod), pod)
}

// RequestsAmong is Requests for callers that have the pod's TotalRequests.
func (c *Catalogue) RequestsAmong(total v1.ResourceList, pod *v1.Pod) []Request {
	return c.requests(total, c.classes.Requests(pod))
}

// InitialRequests is as Requests, except that it tells what pods ask for that are
// created as this one was: also what was allocated to it since. ok is false, and
// there are no requests, as long as a claim of the pod does not exist.
func (c *Catalogue) InitialRequests(pod *v1.Pod) (requests []Request, ok bool) {
	claimed, ok := c.classes.InitialRequests(pod)
	if !ok {
		return nil, false
	}
	return c.requests(TotalRequests(pod), claimed), true
}

// requests returns the devices in the total of what a pod's containers request, with
// those that are claimed for it.
func (c *Catalogue) requests(total v1.ResourceList, claimed []Request) []Request {
	view, kinds := c.classes.View(), c.kinds.current()
	requests := requestsIn(total, func(name v1.ResourceName) (v1.ResourceName, bool) { return c.kindOf(view, kinds, name) })
	return merge(requests, slices.DeleteFunc(claimed, func(request Request) bool { return !c.matcher.Matches(request.Name) }))
}

// kindOf returns the kind of device that a request for the resource takes: that
// of the class which provides it, unless nodes have device plugins that offer it.
// Where some have and others have the class, only the former are ranked.
func (c *Catalogue) kindOf(view ClassView, kinds *picture, resource v1.ResourceName) (kind v1.ResourceName, isDevice bool) {
	if class, ok := view.ClassOf(resource); ok && !kinds.offers(resource) && c.matcher.Matches(class) {
		return class, true
	}
	return resource, kinds.isDevice(resource)
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
	return View{matcher: c.matcher, kinds: c.kinds.current(), classes: c.classes.View()}
}

// View is an immutable picture of what nodes have. Its methods take no lock.
type View struct {
	matcher  *Matcher
	kinds    *picture
	withAway bool
	classes  ClassView
}

// Edition tells views apart by which different stocks would be appended for the same
// version of a node.
type Edition struct {
	kinds    *picture
	withAway bool
}

// Edition returns the view's. ok is false if stocks depend on more, as with device
// classes: each claim that is allocated changes what is free of them.
func (v View) Edition() (edition Edition, ok bool) {
	return Edition{v.kinds, v.withAway}, !v.classes.Any()
}

// WithAway returns the view in which devices that are away from a node for a
// moment count as allocatable: those of extended resources that were so in the
// last ten minutes, or that were in the node's capacity when it was first seen in
// that time. It is for keeping a node's CPU and memory for its devices; pods cannot
// be given devices that are away.
func (v View) WithAway() View {
	v.withAway = true
	return v
}

// AppendStocks appends to stocks what the node has of each kind of device that it
// offers at least one of: of extended resources, in no particular order, then of
// device classes, sorted by name. It allocates only if stocks is too short.
//
// If the matcher does not accept all classes, how many devices are in those that
// it accepts is not known; it is no more than their sum.
func (v View) AppendStocks(stocks []Stock, node fwk.NodeInfo) ([]Stock, InClasses) {
	first := len(stocks)
	stocks = v.kinds.appendStocks(stocks, node)
	if v.withAway {
		stocks = v.kinds.appendAway(stocks, first, node)
	}
	var in InClasses
	if !v.classes.Any() {
		return stocks, in // the node's name is in no cache
	}
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

// Mark is what of a node's devices may cease to count without an event of the node.
type Mark struct {
	// Away is how many devices are away, and Dismissals how often a resource has
	// ceased to be taken for a device.
	Away       int64
	Dismissals uint64
}

// Mark returns the mark of the node at the time of the view, for Remaining.
func (v View) Mark(node string) Mark {
	return Mark{Away: v.kinds.awayFrom(node), Dismissals: v.kinds.dismissals}
}

// Remaining returns how many of the devices, which were free on the node by a view
// with those that are away at the time of the mark, are still taken for free: fewer
// if devices have been away for too long since, and none if a resource has ceased
// to be taken for a device, as that may have been any of them.
func (v View) Remaining(free int64, node string, then Mark) int64 {
	now := v.Mark(node)
	if now.Dismissals != then.Dismissals {
		return 0
	}
	return max(0, free-max(0, then.Away-now.Away))
}
