package device

import (
	"slices"
	"strings"
	"time"

	v1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"
)

// picture is what a Kinds knows at a time. It is immutable, and its methods do not
// allocate.
type picture struct {
	names *names
	// offered are the devices of which a node offers at least one, sorted.
	offered []v1.ResourceName
	// resources are all that nodes have, sorted by name.
	resources []judged
	// dismissals is how often a resource was no longer taken for a device.
	dismissals uint64
	// away says of which resources, devices or not, units count on a node although
	// they are not allocatable. until is when the first of these cease to, before
	// which the picture is replaced; zero if there is none.
	away  map[string][]away
	until time.Time
	// told says that the verdicts are told to the Reporter.
	told bool
}

// judged is a resource, and what is taken of it.
type judged struct {
	name     v1.ResourceName
	standing standing
	surplus  surplus
	verdict  Verdict
	numbers  numbers
	nodes    int
}

// isDevice reports whether the resource is a device: by its name, as long as no
// node is known to have it.
func (p *picture) isDevice(resource v1.ResourceName) bool {
	i, found := slices.BinarySearchFunc(p.resources, resource, func(r judged, name v1.ResourceName) int {
		return strings.Compare(string(r.name), string(name))
	})
	if found {
		return p.resources[i].verdict == Device
	}
	return p.names.of(resource).isDevice()
}

// offers reports whether a node offers the resource, and it is a device.
func (p *picture) offers(resource v1.ResourceName) bool {
	_, found := slices.BinarySearch(p.offered, resource)
	return found
}

// appendStocks appends what the node has of each device resource. If it has few
// resources against the number of kinds, or no kind is known yet, it goes through
// those.
func (p *picture) appendStocks(stocks []Stock, node fwk.NodeInfo) []Stock {
	has, requested := node.GetAllocatable().GetScalarResources(), node.GetRequested().GetScalarResources()
	if len(p.offered) == 0 || len(p.offered) > 2*len(has) {
		for name, allocatable := range has {
			if allocatable > 0 && p.isDevice(name) {
				stocks = append(stocks, Stock{Name: name, Allocatable: allocatable, Requested: requested[name]})
			}
		}
		return stocks
	}
	for _, kind := range p.offered {
		if allocatable := has[kind]; allocatable > 0 {
			stocks = append(stocks, Stock{Name: kind, Allocatable: allocatable, Requested: requested[kind]})
		}
	}
	return stocks
}

// appendAway has the devices that are away from the node count in the stocks after
// the first so many, which it appends to.
func (p *picture) appendAway(stocks []Stock, first int, node fwk.NodeInfo) []Stock {
	if len(p.away) == 0 {
		return stocks // the node's name is in no cache
	}
	list := p.away[node.Node().Name]
	for i := range list {
		a := &list[i]
		if !p.isDevice(a.name) {
			continue
		}
		if stock := stockOf(stocks[first:], a.name); stock != nil {
			stock.Allocatable = max(stock.Allocatable, a.units)
			continue
		}
		stocks = append(stocks, Stock{Name: a.name, Allocatable: a.units, Requested: node.GetRequested().GetScalarResources()[a.name]})
	}
	return stocks
}

// awayFrom returns how many devices count on the node that are not allocatable.
func (p *picture) awayFrom(node string) (sum int64) {
	for _, a := range p.away[node] {
		if p.isDevice(a.name) {
			sum = addCounts(sum, a.more)
		}
	}
	return sum
}

// isDue reports whether units that are away count no more.
func (p *picture) isDue(now time.Time) bool { return !p.until.IsZero() && !now.Before(p.until) }

// list returns the resources, with what they are taken for.
func (p *picture) list() []Resource {
	list := make([]Resource, 0, len(p.resources))
	for i := range p.resources {
		list = append(list, p.resources[i].resource())
	}
	return list
}

func (j *judged) resource() Resource {
	return Resource{
		Name: j.name, Verdict: j.verdict, Reason: j.standing.reason(j.numbers, j.surplus), Nodes: j.nodes, Most: j.numbers.most,
	}
}
