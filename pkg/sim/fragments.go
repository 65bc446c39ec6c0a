package sim

import (
	"cmp"
	"slices"

	v1 "k8s.io/api/core/v1"
	resourcehelper "k8s.io/component-helpers/resource"
	fwk "k8s.io/kube-scheduler/framework"
	v1helper "k8s.io/kubernetes/pkg/apis/core/v1/helper"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/world"
)

// podKind is what pods of a kind request. It is written anew here, and does not
// use what Plimsoll has for the same purpose: it judges that.
type podKind struct {
	cpu, memory int64 // millicores and bytes
	devices     int64
	share       float64 // of all pods with devices
}

// podKindsOf returns the kinds of the pods with devices.
func podKindsOf(pods []Pod) []podKind {
	counts := map[podKind]float64{}
	total := 0.0
	for i := range pods {
		if kind := podKindOf(pods[i].Object); kind.devices > 0 {
			counts[kind]++
			total++
		}
	}
	kinds := make([]podKind, 0, len(counts))
	for kind, count := range counts {
		kind.share = count / total
		kinds = append(kinds, kind)
	}
	slices.SortFunc(kinds, func(a, b podKind) int {
		return cmp.Or(cmp.Compare(a.devices, b.devices), cmp.Compare(a.cpu, b.cpu), cmp.Compare(a.memory, b.memory))
	})
	return kinds
}

// podKindOf returns the kind of a pod, without its share.
func podKindOf(pod *v1.Pod) podKind {
	requests := resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{})
	return podKind{cpu: requests.Cpu().MilliValue(), memory: requests.Memory().Value(), devices: world.DevicesIn(requests)}
}

// unrequested is what is not requested of a node: millicores, bytes and devices.
type unrequested struct{ cpu, memory, devices int64 }

// fits reports whether a pod of the kind finds what it requests.
func (k *podKind) fits(free unrequested) bool {
	return k.devices <= free.devices && k.cpu <= free.cpu && k.memory <= free.memory
}

// freeOn returns what is not requested of each node.
func freeOn(nodes []fwk.NodeInfo) []unrequested {
	free := make([]unrequested, 0, len(nodes))
	for _, node := range nodes {
		allocatable, requested := node.GetAllocatable(), node.GetRequested()
		f := unrequested{
			cpu:    allocatable.GetMilliCPU() - requested.GetMilliCPU(),
			memory: allocatable.GetMemory() - requested.GetMemory(),
		}
		taken := requested.GetScalarResources()
		for name, amount := range allocatable.GetScalarResources() {
			if v1helper.IsExtendedResourceName(name) {
				f.devices += amount - taken[name]
			}
		}
		free = append(free, f)
	}
	return free
}

// unusable returns how many of the free devices a pod drawn from the kinds could
// not use where they are: all of a node's on which it does not fit. That is the
// fragmentation measure of FGD (Weng et al., USENIX ATC 2023) for whole devices,
// summed over nodes: F = sum over nodes of sum over kinds of share x free
// devices if the kind does not fit, else 0.
func unusable(free []unrequested, kinds []podKind) float64 {
	sum := 0.0
	for _, f := range free {
		if f.devices == 0 {
			continue
		}
		for _, kind := range kinds {
			if !kind.fits(f) {
				sum += kind.share * float64(f.devices)
			}
		}
	}
	return sum
}

// fitting returns how many devices pods could have that wait, one after another, each
// on the first node on which it fits, and takes them off what is free. Pods without
// devices are left out.
func fitting(free []unrequested, waiting []podKind) (devices int64) {
	for _, pod := range waiting {
		if pod.devices == 0 {
			continue
		}
		i := slices.IndexFunc(free, pod.fits)
		if i < 0 {
			continue
		}
		free[i].devices -= pod.devices
		free[i].cpu -= pod.cpu
		free[i].memory -= pod.memory
		devices += pod.devices
	}
	return devices
}
