package sim

import (
	"cmp"
	"slices"

	v1 "k8s.io/api/core/v1"
	resourcehelper "k8s.io/component-helpers/resource"
	fwk "k8s.io/kube-scheduler/framework"
	v1helper "k8s.io/kubernetes/pkg/apis/core/v1/helper"
)

// shape is what pods of a kind request. It is written anew here, and does not
// use what Plimsoll has for the same purpose: it judges that.
type shape struct {
	cpu, memory int64 // millicores and bytes
	devices     int64
	share       float64 // of all pods with devices
}

// mixOf returns the shapes of the pods with devices.
func mixOf(pods []Pod) []shape {
	counts := map[shape]float64{}
	total := 0.0
	for i := range pods {
		if s := shapeOf(pods[i].Object); s.devices > 0 {
			counts[s]++
			total++
		}
	}
	mix := make([]shape, 0, len(counts))
	for s, count := range counts {
		s.share = count / total
		mix = append(mix, s)
	}
	slices.SortFunc(mix, func(a, b shape) int {
		return cmp.Or(cmp.Compare(a.devices, b.devices), cmp.Compare(a.cpu, b.cpu), cmp.Compare(a.memory, b.memory))
	})
	return mix
}

func shapeOf(pod *v1.Pod) shape {
	requests := resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{})
	return shape{cpu: requests.Cpu().MilliValue(), memory: requests.Memory().Value(), devices: devicesIn(requests)}
}

// room is what is not requested of a node.
type room struct{ cpu, memory, devices int64 }

func roomOn(node fwk.NodeInfo) room {
	allocatable, requested := node.GetAllocatable(), node.GetRequested()
	r := room{
		cpu:    allocatable.GetMilliCPU() - requested.GetMilliCPU(),
		memory: allocatable.GetMemory() - requested.GetMemory(),
	}
	taken := requested.GetScalarResources()
	for name, amount := range allocatable.GetScalarResources() {
		if v1helper.IsExtendedResourceName(name) {
			r.devices += amount - taken[name]
		}
	}
	return r
}

// unusable returns how many of the free devices a pod drawn from the mix could
// not use where they are: all of a node's on which it does not fit. That is the
// fragmentation measure of FGD (Weng et al., USENIX ATC 2023) for whole devices,
// summed over nodes: F = sum over nodes of sum over shapes of share x free
// devices if the shape does not fit, else 0.
func unusable(rooms []room, mix []shape) float64 {
	sum := 0.0
	for _, r := range rooms {
		if r.devices == 0 {
			continue
		}
		for _, s := range mix {
			if s.devices > r.devices || s.cpu > r.cpu || s.memory > r.memory {
				sum += s.share * float64(r.devices)
			}
		}
	}
	return sum
}
