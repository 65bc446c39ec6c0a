package dra

import (
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
)

// snapshotAfter counts the marked nodes anew and returns the snapshot that
// follows the one before, which is that one if nothing has changed.
func (s *supply) snapshotAfter(before *snapshot) *snapshot {
	devices := make(map[string]device.NodeDevices, len(s.nodesToCount))
	for node := range s.nodesToCount {
		devices[node] = s.count(node)
	}
	clear(s.nodesToCount)
	return before.with(devices, s.classOfResource)
}

// count counts the devices of the node.
func (s *supply) count(node string) device.NodeDevices {
	var devices device.NodeDevices
	for _, id := range s.poolsOfNode[node] {
		s.countPool(&devices, id, node)
	}
	for _, r := range s.reservations {
		if r.node == node {
			devices.Take(r.requests)
		}
	}
	slices.SortFunc(devices.Classes, func(a, b device.Stock) int { return strings.Compare(string(a.Name), string(b.Name)) })
	return devices
}

// countPool adds the devices that the node has of the pool.
func (s *supply) countPool(devices *device.NodeDevices, id poolID, node string) {
	var partitions []*offer // that nobody holds
	usable := s.pools[id].usableSlices(node)
	for _, sl := range usable {
		for i := range sl.offers {
			o := &sl.offers[i]
			offered := deviceID{id, o.Name}
			if o.node != node || len(o.classes) == 0 || s.isTainted(offered, o.Device) {
				continue
			}
			held := s.claimsOnDevice[offered] > 0
			if !held && len(o.ConsumesCounters) > 0 {
				partitions = append(partitions, o)
				continue
			}
			for _, name := range o.classes {
				addDevices(devices, name, 1, held)
			}
			devices.All.Allocatable++
			if held {
				devices.All.Requested++
			}
		}
	}
	if len(partitions) > 0 {
		s.countPartitions(devices, id, usable, partitions)
	}
}

// countPartitions adds the partitions that fit beside those that claims hold.
func (s *supply) countPartitions(devices *device.NodeDevices, id poolID, usable []*slice, partitions []*offer) {
	all := s.pools[id].slicesOfPool(usable)
	left := budgetOf(all)
	for _, sl := range all {
		for i := range sl.Devices {
			if d := &sl.Devices[i]; s.claimsOnDevice[deviceID{id, d.Name}] > 0 {
				left.subtract(d.ConsumesCounters)
			}
		}
	}
	var names []v1.ResourceName
	for _, o := range partitions {
		names = append(names, o.classes...)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		isOfClass := func(o *offer) bool { return slices.Contains(o.classes, name) }
		addDevices(devices, name, left.countFitting(partitions, isOfClass), false)
	}
	devices.All.Allocatable += left.countFitting(partitions, func(*offer) bool { return true })
}

// addDevices adds so many devices, held by claims or not, to the stock of the
// name. Where there are none there is no stock.
func addDevices(devices *device.NodeDevices, name v1.ResourceName, count int64, held bool) {
	if count == 0 {
		return
	}
	i := slices.IndexFunc(devices.Classes, func(s device.Stock) bool { return s.Name == name })
	if i < 0 {
		i = len(devices.Classes)
		devices.Classes = append(devices.Classes, device.Stock{Name: name})
	}
	devices.Classes[i].Allocatable += count
	if held {
		devices.Classes[i].Requested += count
	}
}
