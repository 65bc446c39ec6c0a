package device

import (
	"strings"

	v1 "k8s.io/api/core/v1"
)

// names tells what a resource is as far as its name and the configuration say. It
// is immutable.
type names struct {
	matcher           *Matcher
	counters, devices []pattern
}

// standing is what is known of a resource by its name.
type standing int

const (
	notListed    standing = iota // by the configuration: no device
	shutOut                      // excluded by it
	listedByName                 // by it: a device
	knownDevice
	knownCounter
	unknown // the numbers of units and nodes decide: see numbers
)

// isDevice reports whether the resource is a device as far as its name says.
func (s standing) isDevice() bool { return s == listedByName || s == knownDevice || s == unknown }

func newNames(matcher *Matcher) *names {
	return &names{matcher: matcher, counters: mustParse(counterNames()), devices: mustParse(deviceNames())}
}

// mustParse parses the patterns of this file.
func mustParse(texts []string) []pattern {
	patterns := make([]pattern, len(texts))
	for i, text := range texts {
		p, err := parsePattern(text)
		if err != nil {
			panic(err)
		}
		patterns[i] = p
	}
	return patterns
}

// of returns what is known of the resource. It does not allocate.
func (n *names) of(resource v1.ResourceName) standing {
	switch n.matcher.listing(resource) {
	case unlisted:
		return notListed
	case excluded:
		return shutOut
	case named:
		return listedByName
	}
	domain, name, _ := strings.Cut(string(resource), "/")
	switch {
	case isClass(resource): // a device each in a ResourceSlice
		return knownDevice
	case anyAccepts(n.counters, domain, name):
		return knownCounter
	case anyAccepts(n.devices, domain, name):
		return knownDevice
	}
	return unknown
}

// counterNames are of resources that say how often something may be used, and not
// how many there are of it, or how much of a device's memory or time. They come
// before deviceNames.
func counterNames() []string {
	return []string{
		// Character devices of the kernel, which any number of processes may open.
		"*/kvm", "*/tun", "*/fuse", "*/vhost-net", "*/vhost-vsock", "devices.kubevirt.io/*",
		// Addresses and interfaces for pods.
		"vpc.amazonaws.com/pod-eni", "vpc.amazonaws.com/PrivateIPv4Address",
		"tke.cloud.tencent.com/*", "networking.gke.io.networks/*",
		// Beside gpu.intel.com/i915 and xe: thousandths and bytes of these.
		"gpu.intel.com/millicores", "gpu.intel.com/memory.max", "gpu.intel.com/*_monitoring",
		// Beside volcano.sh/vgpu-number.
		"volcano.sh/vgpu-memory", "volcano.sh/vgpu-cores",
	}
}

// deviceNames are of resources that are devices however many units a node has:
// shared ones, by time slicing for example, have many.
func deviceNames() []string {
	return []string{
		// Names that most vendors use.
		"*/gpu*", "*/vgpu*", "*/npu*", "*/fpga*",
		// Vendors all of whose resources are devices, or parts of them.
		"nvidia.com/*", "amd.com/*", "xilinx.com/*", "habana.ai/*",
		"gpu.intel.com/*", "npu.intel.com/*", "fpga.intel.com/*", "vpu.intel.com/*",
		"huawei.com/Ascend*", "aws.amazon.com/neuron*", "vpc.amazonaws.com/efa",
		"google.com/tpu", "cloud-tpus.google.com/*",
		"cambricon.com/*", "iluvatar.com/*", "iluvatar.ai/*", "metax-tech.com/*", "mthreads.com/*",
		"hygon.com/*", "enflame.com/*", "kunlunxin.com/*", "birentech.com/*", "vastaitech.com/*",
		"alibabacloud.com/ppu*", "tencent.com/vcuda*",
		"qualcomm.com/*", "graphcore.ai/*", "rebellions.ai/*", "furiosa.ai/*", "*.furiosa.ai/*", "tenstorrent.com/*",
		"microsoft.com/directx",
	}
}
