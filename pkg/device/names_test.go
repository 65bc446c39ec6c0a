package device

import (
	"testing"

	v1 "k8s.io/api/core/v1"
)

func TestStandingOfNames(t *testing.T) {
	for _, tt := range []struct {
		name     string
		patterns []string
		want     map[v1.ResourceName]standing
	}{
		{name: "by default", patterns: []string{"*"}, want: map[v1.ResourceName]standing{
			"nvidia.com/gpu": knownDevice, "nvidia.com/gpu.shared": knownDevice, "nvidia.com/mig-1g.5gb": knownDevice, "nvidia.com/TU104GL_Tesla_T4": knownDevice,
			"amd.com/gpu": knownDevice, "gpu.intel.com/i915": knownDevice, "gpu.intel.com/xe": knownDevice, "habana.ai/gaudi": knownDevice,
			"huawei.com/Ascend910": knownDevice, "huawei.com/Ascend310P-VPro": knownDevice, "huawei.com/npu": knownDevice,
			"aws.amazon.com/neuron": knownDevice, "aws.amazon.com/neuroncore": knownDevice, "vpc.amazonaws.com/efa": knownDevice,
			"google.com/tpu": knownDevice, "xilinx.com/fpga-xilinx_u200-0": knownDevice, "fpga.intel.com/af-ce4": knownDevice,
			"cambricon.com/mlu370": knownDevice, "iluvatar.ai/BI-V150-vgpu": knownDevice, "iluvatar.com/gpu": knownDevice,
			"metax-tech.com/sgpu": knownDevice, "mthreads.com/vgpu": knownDevice, "kunlunxin.com/xpu": knownDevice, "enflame.com/gcu": knownDevice,
			"aliyun.com/gpu-mem": knownDevice, "tencent.com/vcuda-core": knownDevice, "volcano.sh/vgpu-number": knownDevice,
			"beta.furiosa.ai/rngd": knownDevice, "example.org/fpga": knownDevice,
			"deviceclass.resource.kubernetes.io/gpu": knownDevice,

			"virt.example.com/kvm": knownCounter, "devices.kubevirt.io/tun": knownCounter, "devices.kubevirt.io/sev": knownCounter,
			"smarter-devices/fuse": knownCounter, "squat.ai/fuse": knownCounter, "vpc.amazonaws.com/pod-eni": knownCounter,
			"gpu.intel.com/millicores": knownCounter, "gpu.intel.com/memory.max": knownCounter, "gpu.intel.com/xe_monitoring": knownCounter,
			"volcano.sh/vgpu-memory": knownCounter,

			"acme.com/accelerator": unknown, "smarter-devices/video0": unknown, "squat.ai/serial": unknown, "cpu-manager.example.com/shared-cpu": unknown,
			"rdma/hca": unknown, "huawei.com/other": unknown, "mynvidia.com/x": unknown,

			"cpu": notListed, "hugepages-2Mi": notListed, "attachable-volumes-csi-x": notListed, "kubernetes.io/batch-cpu": notListed, "requests.nvidia.com/gpu": notListed,
		}},
		{name: "the configuration comes first", patterns: []string{"!nvidia.com/gpu.shared", "*", "virt.example.com/*", "!squat.ai/*", "*.kubevirt.io/sev"}, want: map[v1.ResourceName]standing{
			"virt.example.com/kvm": listedByName, "devices.kubevirt.io/sev": listedByName, "devices.kubevirt.io/kvm": knownCounter,
			"nvidia.com/gpu": knownDevice, "nvidia.com/gpu.shared": shutOut, "squat.ai/serial": shutOut, "squat.ai/fuse": shutOut, "acme.com/x": unknown,
		}},
		{name: "an exclusion wins over a name", patterns: []string{"virt.example.com/*", "!virt.example.com/kvm"}, want: map[v1.ResourceName]standing{
			"virt.example.com/kvm": shutOut, "virt.example.com/other": listedByName, "nvidia.com/gpu": notListed,
		}},
		{name: "*/* names nothing", patterns: []string{"*/*"}, want: map[v1.ResourceName]standing{"virt.example.com/kvm": knownCounter, "acme.com/x": unknown}},
		{name: "classes", patterns: []string{"*", "!deviceclass.resource.kubernetes.io/cpu*"}, want: map[v1.ResourceName]standing{
			"deviceclass.resource.kubernetes.io/kvm": knownDevice, "deviceclass.resource.kubernetes.io/cpus": shutOut,
		}},
	} {
		n := newNames(newMatcher(t, tt.patterns...))
		for name, want := range tt.want {
			if got := n.of(name); got != want {
				t.Errorf("%s: standing of %s is %d, want %d", tt.name, name, got, want)
			}
		}
	}
}

func TestStandingDoesNotAllocate(t *testing.T) {
	n := newNames(newMatcher(t, "*", "!acme.com/x"))
	if allocs := testing.AllocsPerRun(100, func() {
		for _, name := range []v1.ResourceName{"nvidia.com/gpu", "acme.com/x", "acme.com/y", "virt.example.com/kvm", "cpu"} {
			n.of(name)
		}
	}); allocs != 0 {
		t.Errorf("%v allocations, want 0", allocs)
	}
}
