package device

import (
	"math"
	"slices"
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	st "k8s.io/kubernetes/pkg/scheduler/testing"
	"k8s.io/utils/clock"
)

const (
	gpu  v1.ResourceName = "nvidia.com/gpu"
	fpga v1.ResourceName = "xilinx.com/fpga"
)

type resources = map[v1.ResourceName]string

func TestRequests(t *testing.T) {
	tests := []struct {
		name string
		pod  *st.PodWrapper
		want []Request
	}{
		{name: "none", pod: st.MakePod().Req(resources{"cpu": "4", "memory": "1Gi", "hugepages-2Mi": "4Mi"})},
		{name: "a request of zero is none", pod: st.MakePod().Req(resources{gpu: "0"})},
		{name: "an init container that requests zero", pod: st.MakePod().InitReq(resources{gpu: "0"}).Req(resources{gpu: "0", fpga: "0"})},
		{
			name: "zero beside more than zero adds nothing",
			pod:  st.MakePod().Req(resources{gpu: "0", fpga: "1"}).Req(resources{gpu: "2", fpga: "0"}),
			want: []Request{{gpu, 2}, {fpga, 1}},
		},
		{
			name: "kinds are sorted by name",
			pod:  st.MakePod().Req(resources{fpga: "1", "cpu": "1", gpu: "2", "amd.com/gpu": "3"}),
			want: []Request{{"amd.com/gpu", 3}, {gpu, 2}, {fpga, 1}},
		},
		{
			name: "containers add up",
			pod:  st.MakePod().Req(resources{gpu: "1"}).Req(resources{gpu: "2"}).Req(resources{"cpu": "1"}),
			want: []Request{{gpu, 3}},
		},
		{
			name: "an init container counts where it needs more",
			pod:  st.MakePod().InitReq(resources{gpu: "4", fpga: "1"}).InitReq(resources{gpu: "2"}).Req(resources{gpu: "3", fpga: "2"}),
			want: []Request{{gpu, 4}, {fpga, 2}},
		},
		{
			name: "only an init container needs a device",
			pod:  st.MakePod().InitReq(resources{gpu: "1"}).Req(resources{"cpu": "1"}),
			want: []Request{{gpu, 1}},
		},
		{
			name: "a sidecar runs beside the containers and beside later init containers",
			pod:  st.MakePod().SidecarReq(resources{gpu: "1"}).InitReq(resources{gpu: "4"}).Req(resources{gpu: "2"}),
			want: []Request{{gpu, 5}},
		},
		{
			name: "a sidecar adds to the containers",
			pod:  st.MakePod().InitReq(resources{gpu: "2"}).SidecarReq(resources{gpu: "1"}).Req(resources{gpu: "2"}),
			want: []Request{{gpu, 3}},
		},
		{
			name: "overhead adds to the containers",
			pod:  st.MakePod().Req(resources{gpu: "1"}).Overhead(v1.ResourceList{gpu: resource.MustParse("1")}),
			want: []Request{{gpu, 2}},
		},
		{
			name: "pod-level resources leave devices to the containers",
			pod:  st.MakePod().PodLevelResourceRequests(resources{"cpu": "8"}).Req(resources{gpu: "1", "cpu": "1"}),
			want: []Request{{gpu, 1}},
		},
	}
	c := newCatalogue(t, "*")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pod := tt.pod.Obj()
			got := c.Requests(pod)
			if !slices.Equal(got, tt.want) {
				t.Errorf("Requests() = %v, want %v", got, tt.want)
			}
			// A pod must count the same before and after it is on a node.
			node := framework.NewNodeInfo(pod)
			for _, r := range got {
				if on := node.GetRequested().GetScalarResources()[r.Name]; on != r.Count {
					t.Errorf("%s: %d requested on the node that the pod runs on, want %d", r.Name, on, r.Count)
				}
			}
		})
	}
}

func TestRequestsLeavesOutWhatIsNoDevice(t *testing.T) {
	pod := st.MakePod().Req(resources{gpu: "1", fpga: "1", "devices.example.org/kvm": "1"}).Obj()
	want := []Request{{gpu, 1}, {fpga, 1}}
	if got := newCatalogue(t, "nvidia.com/*", "xilinx.com/fpga").Requests(pod); !slices.Equal(got, want) {
		t.Errorf("Requests() = %v, want %v", got, want)
	}
}

func TestMerge(t *testing.T) {
	a, b := []Request{{"a", 1}, {"c", 2}}, []Request{{"b", 3}, {"c", 4}, {"d", 5}}
	want := []Request{{"a", 1}, {"b", 3}, {"c", 6}, {"d", 5}}
	if got := merge(slices.Clone(a), b); !slices.Equal(got, want) {
		t.Errorf("merge() = %v, want %v", got, want)
	}
	if got := merge(nil, a); !slices.Equal(got, a) {
		t.Errorf("merge() = %v, want %v", got, a)
	}
	if got := merge(a, nil); !slices.Equal(got, a) {
		t.Errorf("merge() = %v, want %v", got, a)
	}
}

// Counts that are absurd are held at the largest, and those of none are left out.
func TestMergeOfAnyCounts(t *testing.T) {
	got := merge([]Request{{"a", math.MaxInt64 - 1}, {"b", 1}}, []Request{{"a", 2}, {"b", 0}, {"c", 0}, {"d", -1}})
	if want := []Request{{"a", math.MaxInt64}, {"b", 1}}; !slices.Equal(got, want) {
		t.Errorf("merge() = %v, want %v", got, want)
	}
}

func TestUsesDRA(t *testing.T) {
	const class v1.ResourceName = "deviceclass.resource.kubernetes.io/gpu"
	tests := []struct {
		name string
		pod  *st.PodWrapper
		want bool
	}{
		{name: "no", pod: st.MakePod().Req(resources{gpu: "1"})},
		{name: "a resource claim", pod: st.MakePod().PodResourceClaims(v1.PodResourceClaim{Name: "gpu"}), want: true},
		{name: "units of a device class", pod: st.MakePod().Req(resources{class: "1"}), want: true},
		{name: "units of a device class for an init container", pod: st.MakePod().InitReq(resources{class: "1"}), want: true},
		{name: "no units of a device class", pod: st.MakePod().Req(resources{class: "0"})},
		{name: "no units of a device class for any container", pod: st.MakePod().InitReq(resources{class: "0"}).Req(resources{class: "0"}).Req(resources{gpu: "1"})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := UsesDRA(tt.pod.Obj()); got != tt.want {
				t.Errorf("UsesDRA() = %v, want %v", got, tt.want)
			}
		})
	}
}

func newMatcher(t *testing.T, patterns ...string) *Matcher {
	t.Helper()
	m, err := NewMatcher(patterns)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// newCatalogue returns one of a cluster without dynamic resource allocation.
func newCatalogue(t *testing.T, patterns ...string) *Catalogue {
	t.Helper()
	return NewCatalogue(newMatcher(t, patterns...), NoClasses{}, clock.RealClock{})
}
