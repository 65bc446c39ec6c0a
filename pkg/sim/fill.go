package sim

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
	machines := make([]*machine, len(s.Nodes))
	rooms := make([]room, len(s.Nodes))
	total := int64(0)
	for i, node := range s.Nodes {
		machines[i] = newMachine(node, s.Background[node.Name])
		m := machines[i]
		rooms[i] = room{cpu: int64(m.cpu * 1000), memory: m.memory, devices: m.devices}
		total += m.devices
	}
	mix := mixOf(s.Pods)
	var points []FillPoint
	var asked, allocated, multi, multiPlaced float64
	take := func() {
		p := FillPoint{
			ArrivedPercent: 100 * asked / float64(total), AllocatedPercent: 100 * allocated / float64(total),
			MultiPlacedPercent: 100 * multiPlaced / max(1, multi),
		}
		var free, starved float64
		left := make([]room, len(rooms))
		for i, m := range machines {
			left[i] = rooms[i]
			left[i].cpu = min(left[i].cpu, int64(1000*(m.cpu-m.demand)))
			free += float64(rooms[i].devices)
			if m.demand > m.cpu {
				starved += float64(m.devices - rooms[i].devices)
			}
		}
		p.FragmentPercent = 100 * unusable(left, mix) / max(1, free)
		p.StarvedPercent = 100 * starved / max(1, allocated)
		points = append(points, p)
	}
	for i := range s.Pods {
		for len(points) < len(marks) && asked >= marks[len(points)]*float64(total) {
			take()
		}
		shape := shapeOf(s.Pods[i].Object)
		asked += float64(shape.devices)
		node := placements[i]
		if shape.devices > 1 {
			multi++
		}
		if node < 0 {
			continue
		}
		if shape.devices > 1 {
			multiPlaced++
		}
		allocated += float64(shape.devices)
		machines[node].demand += s.Pods[i].Use.cpuAt(0)
		rooms[node].cpu -= shape.cpu
		rooms[node].memory -= shape.memory
		rooms[node].devices -= shape.devices
	}
	for len(points) < len(marks) {
		take()
	}
	return points
}
