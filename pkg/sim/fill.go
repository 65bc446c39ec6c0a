package sim

import "github.com/plimsoll-scheduler/plimsoll/pkg/sim/world"

// FillPoint is how well a cluster is filled when pods have come that ask for a
// part of its devices, and none has gone.
type FillPoint struct {
	// ArrivedPercent is how many of all devices the pods that have come ask for.
	ArrivedPercent float64 `json:"arrivedPercent"`
	// AllocatedPercent is how many of all devices pods got.
	AllocatedPercent float64 `json:"allocatedPercent"`
	// MultiPlacedPercent is how many of the pods that ask for two or more devices
	// got a node. (Small pods fill every gap in the end, so that the devices
	// allocated alone do not show fragmentation.)
	MultiPlacedPercent float64 `json:"multiPlacedPercent"`
	// FragmentPercent is how many of the free devices a pod drawn from the
	// scenario's could not use where they are (see unusable); also because what
	// runs on the node, in truth, does not leave the CPU that it requests.
	FragmentPercent float64 `json:"fragmentPercent"`
	// StarvedPercent is how many of the allocated devices are on nodes whose CPU
	// demand is above their allocatable.
	StarvedPercent float64 `json:"starvedPercent"`
}

// FillPoints returns how well the scenario's nodes are filled by the placements
// (of a Timeline) when the pods up to each mark have come, in parts of all
// devices. The scenario's pods come in their order, none goes, and their use is
// constant.
func (s *Scenario) FillPoints(placements []int, marks ...float64) []FillPoint {
	f := newFilling(s)
	var points []FillPoint
	for i := range s.Pods {
		for len(points) < len(marks) && f.asked >= marks[len(points)]*f.devices {
			points = append(points, f.point())
		}
		f.place(&s.Pods[i], placements[i])
	}
	for len(points) < len(marks) {
		points = append(points, f.point())
	}
	return points
}

// filling is a scenario's nodes while pods come.
type filling struct {
	nodes    []filledNode
	podKinds []podKind
	// devices are all there are, asked those that pods that have come ask for,
	// allocated those that they got.
	devices, asked, allocated float64
	multi, multiPlaced        float64 // pods with two or more devices
}

type filledNode struct {
	cpu, demand float64 // allocatable and in use, in cores
	devices     int64   // allocatable
	free        unrequested
}

func newFilling(s *Scenario) *filling {
	f := &filling{nodes: make([]filledNode, len(s.Nodes)), podKinds: podKindsOf(s.Pods)}
	for i, node := range s.Nodes {
		allocatable := node.Status.Allocatable
		cores := float64(allocatable.Cpu().MilliValue()) / 1000
		devices := world.DevicesIn(allocatable)
		f.nodes[i] = filledNode{
			cpu: cores, demand: s.Background[node.Name].CPU, devices: devices,
			free: unrequested{cpu: int64(cores * 1000), memory: allocatable.Memory().Value(), devices: devices},
		}
		f.devices += float64(devices)
	}
	return f
}

// place has the pod come, and go to the node of that index if it is not negative.
func (f *filling) place(pod *Pod, node int) {
	kind := podKindOf(pod.Object)
	f.asked += float64(kind.devices)
	if kind.devices > 1 {
		f.multi++
	}
	if node < 0 {
		return
	}
	if kind.devices > 1 {
		f.multiPlaced++
	}
	f.allocated += float64(kind.devices)
	n := &f.nodes[node]
	n.demand += pod.Use.CPUAt(0)
	n.free.cpu -= kind.cpu
	n.free.memory -= kind.memory
	n.free.devices -= kind.devices
}

// point returns how well the nodes are filled now.
func (f *filling) point() FillPoint {
	var free, starved float64
	usable := make([]unrequested, len(f.nodes))
	for i := range f.nodes {
		n := &f.nodes[i]
		usable[i] = n.free
		usable[i].cpu = min(n.free.cpu, int64(1000*(n.cpu-n.demand)))
		free += float64(n.free.devices)
		if n.demand > n.cpu {
			starved += float64(n.devices - n.free.devices)
		}
	}
	return FillPoint{
		ArrivedPercent:     100 * f.asked / f.devices,
		AllocatedPercent:   100 * f.allocated / f.devices,
		MultiPlacedPercent: 100 * f.multiPlaced / max(1, f.multi),
		FragmentPercent:    100 * unusable(usable, f.podKinds) / max(1, free),
		StarvedPercent:     100 * starved / max(1, f.allocated),
	}
}
