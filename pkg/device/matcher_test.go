package device

import (
	"math/rand/v2"
	"path"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	v1helper "k8s.io/kubernetes/pkg/apis/core/v1/helper"
)

func TestMatches(t *testing.T) {
	tests := []struct {
		name     string
		patterns []string
		yes, no  []v1.ResourceName
	}{
		{
			name:     "a lone star is every extended resource and device class, and nothing else",
			patterns: []string{"*"},
			yes:      []v1.ResourceName{"nvidia.com/gpu", "nvidia.com/mig-1g.5gb", "example.org/fpga", "huawei.com/Ascend910", "deviceclass.resource.kubernetes.io/gpu"},
			no: []v1.ResourceName{
				"", "cpu", "memory", "ephemeral-storage", "pods", "hugepages-2Mi", "attachable-volumes-csi-x",
				"kubernetes.io/batch-cpu", "resource.kubernetes.io/gpu", "requests.nvidia.com/gpu",
			},
		},
		{
			name:     "a name is itself",
			patterns: []string{"nvidia.com/gpu"},
			yes:      []v1.ResourceName{"nvidia.com/gpu"},
			no:       []v1.ResourceName{"nvidia.com/gpu.shared", "nvidia.com/gp", "amd.com/gpu", "x.nvidia.com/gpu"},
		},
		{
			name:     "a wildcard stays on its side of the slash",
			patterns: []string{"nvidia.com/*", "*.fpga.io/f?"},
			yes:      []v1.ResourceName{"nvidia.com/gpu", "nvidia.com/mig-1g.5gb", "a.fpga.io/f1", "a.b.fpga.io/f1"},
			no:       []v1.ResourceName{"amd.com/gpu", "fpga.io/f1", "a.fpga.io/f10", "hugepages-2Mi"},
		},
		{
			name:     "a wildcard does not reach what is not extended",
			patterns: []string{"*.io/*"},
			yes:      []v1.ResourceName{"fpga.io/f1"},
			no:       []v1.ResourceName{"kubernetes.io/f1", "a.kubernetes.io/f1"},
		},
		{
			name:     "device classes",
			patterns: []string{"deviceclass.resource.kubernetes.io/gpu*"},
			yes:      []v1.ResourceName{"deviceclass.resource.kubernetes.io/gpu.example.com"},
			no:       []v1.ResourceName{"deviceclass.resource.kubernetes.io/nic", "kubernetes.io/gpu", "nvidia.com/gpu"},
		},
		{
			name:     "a class of characters",
			patterns: []string{"[a-n]*.com/gpu[0-9]"},
			yes:      []v1.ResourceName{"amd.com/gpu0", "nvidia.com/gpu9"},
			no:       []v1.ResourceName{"xilinx.com/gpu0", "amd.com/gpux"},
		},
		{
			name:     "exclusions, in any order",
			patterns: []string{"!virt.example.com/*", "*", "!nvidia.com/gpu.shared", "!deviceclass.resource.kubernetes.io/cpu"},
			yes:      []v1.ResourceName{"nvidia.com/gpu", "example.com/kvm", "deviceclass.resource.kubernetes.io/gpu"},
			no:       []v1.ResourceName{"virt.example.com/kvm", "nvidia.com/gpu.shared", "deviceclass.resource.kubernetes.io/cpu", "cpu"},
		},
		{name: "exclusions alone", patterns: []string{"!virt.example.com/*"}, no: []v1.ResourceName{"nvidia.com/gpu", "virt.example.com/kvm"}},
		{name: "no pattern", no: []v1.ResourceName{"nvidia.com/gpu", "cpu"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, err := NewMatcher(tt.patterns)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range tt.yes {
				if !m.Matches(name) {
					t.Errorf("Matches(%q) = false, want true", name)
				}
			}
			for _, name := range tt.no {
				if m.Matches(name) {
					t.Errorf("Matches(%q) = true, want false", name)
				}
			}
		})
	}
}

func TestNewMatcherRejectsPatternsThatMatchNothing(t *testing.T) {
	for _, pattern := range []string{"", "gpu", "/gpu", "nvidia.com/", "a/b/c", "nvidia.com/[", "[a/]b", `nvidia.com/\`, "!", "!gpu", "!a/["} {
		_, err := NewMatcher([]string{"nvidia.com/gpu", pattern})
		if err == nil || !strings.Contains(err.Error(), `must be "*" or DOMAIN/NAME`) {
			t.Errorf("NewMatcher(%q): error = %v, want one that says what a pattern is", pattern, err)
		}
	}
}

// Matches takes short cuts: over the check of a name's syntax, and around
// path.Match. They must not change what it says.
func TestMatchesAgreesWithPathMatch(t *testing.T) {
	domains := []string{"nvidia.com", "amd.com", "x.io", "a.x.io", "kubernetes.io", "a.kubernetes.io", "*", "*.com", "?.io", "*.x.io"}
	names := []string{"gpu", "gpu0", "mig-1g.5gb", "*", "gpu*", "gpu?", "g*u"}
	unqualified := []v1.ResourceName{"cpu", "hugepages-2Mi", "attachable-volumes-x", "requests.x.io/gpu"}
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(from []string) string { return from[random.IntN(len(from))] }
	for range 20_000 {
		pattern := pick(domains) + "/" + pick(names)
		name := v1.ResourceName(pick(domains[:6]) + "/" + pick(names[:3]))
		if random.IntN(5) == 0 {
			name = unqualified[random.IntN(len(unqualified))]
		}
		m, err := NewMatcher([]string{pattern})
		if err != nil {
			t.Fatal(err)
		}
		want, err := path.Match(pattern, string(name))
		if err != nil {
			t.Fatal(err)
		}
		want = want && v1helper.IsExtendedResourceName(name)
		if got := m.Matches(name); got != want {
			t.Fatalf("pattern %q: Matches(%q) = %v, want %v", pattern, name, got, want)
		}
	}
}

func TestMatchesDoesNotAllocate(t *testing.T) {
	m, err := NewMatcher([]string{"amd.com/gpu", "*.io/fpga?", "nvidia.com/*"})
	if err != nil {
		t.Fatal(err)
	}
	allocs := testing.AllocsPerRun(100, func() {
		for _, name := range []v1.ResourceName{"nvidia.com/gpu", "x.io/fpga1", "hugepages-2Mi", "x.com/nic"} {
			m.Matches(name)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations, want 0", allocs)
	}
}
