package device

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/kubernetes/pkg/scheduler/framework"
)

// What is looked up by kind is what going through all resources finds, whatever
// nodes have come and gone.
func TestKindsFindWhatTheMatcherFinds(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	names := []v1.ResourceName{gpu, fpga, "nvidia.com/mig-1g.5gb", "amd.com/gpu", "hugepages-2Mi", "example.org/kvm"}
	matcher := newMatcher(t, "*.com/*")
	kinds := NewKinds(matcher)
	nodes := map[string]*framework.NodeInfo{}
	sorted := func(stocks []Stock) []Stock {
		slices.SortFunc(stocks, func(a, b Stock) int { return strings.Compare(string(a.Name), string(b.Name)) })
		return stocks
	}
	for range 2000 {
		name := strconv.Itoa(random.IntN(5))
		if random.IntN(3) == 0 {
			kinds.Set(name, nil)
			delete(nodes, name)
		} else {
			capacity := resources{"cpu": "8"}
			for _, resource := range names {
				if random.IntN(2) == 0 {
					capacity[resource] = strconv.Itoa(random.IntN(3))
				}
			}
			nodes[name] = newNode(capacity, resources{gpu: "1"})
			kinds.Set(name, nodes[name].Node().Status.Allocatable)
		}
		for name, node := range nodes {
			got, want := sorted(kinds.AppendStocks(nil, node)), sorted(matcher.AppendStocks(nil, node))
			if !slices.Equal(got, want) {
				t.Fatalf("node %s: %v, want %v", name, got, want)
			}
		}
	}
	for name := range nodes {
		kinds.Set(name, nil)
	}
	if len(kinds.byNode)+len(kinds.nodes) != 0 || len(*kinds.names.Load()) != 0 {
		t.Errorf("all nodes are gone, and still known are %v and %v", kinds.byNode, *kinds.names.Load())
	}
}

// None of a resource is the resource being absent, as on nodes whose kubelet
// still reports one that has no device plugin any more.
func TestKindsOfWhichThereIsNoneAreNotOffered(t *testing.T) {
	list := func(quantity string) v1.ResourceList { return v1.ResourceList{gpu: resource.MustParse(quantity)} }
	kinds := NewKinds(newMatcher(t, "*"))
	expect := func(when string, want bool) {
		t.Helper()
		if got := kinds.Has(gpu); got != want {
			t.Errorf("%s: Has() = %v, want %v", when, got, want)
		}
	}
	expect("no node", false)
	for _, none := range []string{"0", "0Mi", "-1"} {
		kinds.Set("old", list(none))
		expect("one node with "+none, false)
	}
	kinds.Set("a", list("8"))
	kinds.Set("b", list("1"))
	expect("two of three nodes", true)
	kinds.Set("a", list("0"))
	expect("one of three nodes", true)
	kinds.Set("b", list("0"))
	expect("no node any more", false)
	if len(kinds.byNode) != 0 {
		t.Errorf("nodes are remembered that offer nothing: %v", kinds.byNode)
	}
	kinds.Set("b", list("2"))
	expect("one of three nodes again", true)
}
