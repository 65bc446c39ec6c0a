package device

import (
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
)

// settle returns the picture after what has been set, which is before if that
// makes no difference.
func (s *supply) settle(before *picture) *picture {
	devices := make(map[string]NodeDevices, len(s.concerned))
	for node := range s.concerned {
		devices[node] = s.count(node)
	}
	clear(s.concerned)
	return before.with(devices, s.resources)
}

// count counts the devices of the node.
func (s *supply) count(node string) NodeDevices {
	var devices NodeDevices
	for _, id := range s.nodes[node] {
		s.countPool(&devices, id, node)
	}
	for _, r := range s.reserved {
		if r.node == node {
			Take(devices.Classes, &devices.All, r.requests)
		}
	}
	slices.SortFunc(devices.Classes, func(a, b Stock) int { return strings.Compare(string(a.Name), string(b.Name)) })
	return devices
}

func (s *supply) countPool(devices *NodeDevices, id poolID, node string) {
	var partitions []*offer // that nobody holds
	current := s.pools[id].current(node)
	for _, sl := range current {
		for i := range sl.offers {
			o := &sl.offers[i]
			device := deviceID{id, o.Name}
			if o.node != node || len(o.classes) == 0 || s.tainted(device, o.Device) {
				continue
			}
			held := s.holders[device] > 0
			if !held && len(o.ConsumesCounters) > 0 {
				partitions = append(partitions, o)
				continue
			}
			for _, name := range o.classes {
				devices.add(name, 1, held)
			}
			devices.All.Allocatable++
			if held {
				devices.All.Requested++
			}
		}
	}
	if len(partitions) > 0 {
		s.countPartitions(devices, id, current, partitions)
	}
}

func (s *supply) countPartitions(devices *NodeDevices, id poolID, current []*slice, partitions []*offer) {
	whole := s.pools[id].whole(current)
	left := budgetOf(whole)
	for _, sl := range whole {
		for i := range sl.Devices {
			if d := &sl.Devices[i]; s.holders[deviceID{id, d.Name}] > 0 {
				left.take(d.ConsumesCounters)
			}
		}
	}
	var names []v1.ResourceName
	for _, o := range partitions {
		names = append(names, o.classes...)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		devices.add(name, left.room(partitions, func(o *offer) bool { return slices.Contains(o.classes, name) }), false)
	}
	devices.All.Allocatable += left.room(partitions, func(*offer) bool { return true })
}

// add adds so many devices, held by claims or not, to the stock of the name.
func (d *NodeDevices) add(name v1.ResourceName, count int64, held bool) {
	i := slices.IndexFunc(d.Classes, func(s Stock) bool { return s.Name == name })
	if i < 0 {
		if count == 0 {
			return
		}
		i = len(d.Classes)
		d.Classes = append(d.Classes, Stock{Name: name})
	}
	d.Classes[i].Allocatable += count
	if held {
		d.Classes[i].Requested += count
	}
}
