package dra

import (
	"math"
	"slices"
	"testing"

	v1 "k8s.io/api/core/v1"
	resourceapi "k8s.io/api/resource/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/klog/v2/ktesting"
	st "k8s.io/kubernetes/pkg/scheduler/testing"
	"k8s.io/utils/ptr"

	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
)

const gpu v1.ResourceName = "nvidia.com/gpu"

type resources = map[v1.ResourceName]string

func exactly(class string, mode resourceapi.DeviceAllocationMode, count int64) resourceapi.DeviceRequest {
	return resourceapi.DeviceRequest{Exactly: &resourceapi.ExactDeviceRequest{DeviceClassName: class, AllocationMode: mode, Count: count}}
}

// newRequest returns a claim of these requests.
func newRequest(name string, requests ...resourceapi.DeviceRequest) *resourceapi.ResourceClaim {
	claim := newClaim(name)
	claim.Spec.Devices.Requests = requests
	return claim
}

func TestInventoryRequests(t *testing.T) {
	const count, all = resourceapi.DeviceAllocationModeExactCount, resourceapi.DeviceAllocationModeAll
	pod := func() *st.PodWrapper { return st.MakePod().Namespace("default").Name("pod").UID("pod-uid") }
	named := func(claims ...string) *st.PodWrapper {
		p := pod()
		for _, claim := range claims {
			p = p.PodResourceClaims(v1.PodResourceClaim{Name: "of-" + claim, ResourceClaimName: ptr.To(claim)})
		}
		return p
	}
	fromTemplate := func(claim string) *st.PodWrapper {
		p := pod().PodResourceClaims(v1.PodResourceClaim{Name: "c", ResourceClaimTemplateName: ptr.To("template")})
		if claim != "" {
			p.Status.ResourceClaimStatuses = []v1.PodResourceClaimStatus{{Name: "c", ResourceClaimName: &claim}}
		}
		return p
	}
	notMade := func() *st.PodWrapper {
		p := fromTemplate("")
		p.Status.ResourceClaimStatuses = []v1.PodResourceClaimStatus{{Name: "c"}}
		return p
	}
	owned := func(claim *resourceapi.ResourceClaim, uid string) *resourceapi.ResourceClaim {
		claim.OwnerReferences = []metav1.OwnerReference{{Kind: "Pod", Name: "pod", UID: v1.ObjectReference{UID: "pod-uid"}.UID, Controller: ptr.To(true)}}
		if uid != "" {
			claim.OwnerReferences[0].UID = v1.ObjectReference{}.UID
		}
		return claim
	}
	first := exactly("", "", 0)
	first.Exactly = nil
	first.FirstAvailable = []resourceapi.DeviceSubRequest{
		{DeviceClassName: "big", AllocationMode: count, Count: 1}, {DeviceClassName: "small", AllocationMode: count, Count: 4},
	}
	firstNone := resourceapi.DeviceRequest{FirstAvailable: []resourceapi.DeviceSubRequest{{DeviceClassName: "big", AllocationMode: count}}}
	admin := exactly("gpu", count, 8)
	admin.Exactly.AdminAccess = ptr.To(true)
	allocated := newClaim("c", "n1/g0")
	allocated.Spec.Devices.Requests = []resourceapi.DeviceRequest{exactly("gpu", count, 1)}

	tests := []struct {
		name   string
		pod    *st.PodWrapper
		claims []*resourceapi.ResourceClaim
		want   []device.Request
		// initial is what the pod asked for initially, if that differs, and missing
		// says that not all claims are there.
		initial []device.Request
		missing bool
	}{
		{name: "none", pod: pod().Req(resources{"cpu": "1", gpu: "1"})},
		{
			name: "what containers request is left to the matcher", pod: pod().Req(resources{device.ClassResource("gpu"): "2", gpu: "1"}),
		},
		{
			name: "one of two claims does not exist", pod: named("c", "d"), missing: true,
			claims: []*resourceapi.ResourceClaim{newRequest("c", exactly("gpu", count, 4))},
			want:   []device.Request{{Name: device.ClassResource("gpu"), Count: 4}},
		},
		{
			name: "by a claim", pod: named("c"),
			claims: []*resourceapi.ResourceClaim{newRequest("c", exactly("nic", count, 1), exactly("gpu", count, 4), exactly("nic", "", 2))},
			want:   []device.Request{{Name: device.ClassResource("gpu"), Count: 4}, {Name: device.ClassResource("nic"), Count: 3}},
		},
		{
			name: "by two claims", pod: named("c", "d"),
			claims: []*resourceapi.ResourceClaim{newRequest("c", exactly("gpu", count, 1)), newRequest("d", exactly("gpu", count, 1), exactly("fpga", count, 1))},
			want:   []device.Request{{Name: device.ClassResource("fpga"), Count: 1}, {Name: device.ClassResource("gpu"), Count: 2}},
		},
		{
			name: "a claim that is named twice counts once", pod: named("c").PodResourceClaims(v1.PodResourceClaim{Name: "again", ResourceClaimName: ptr.To("c")}),
			claims: []*resourceapi.ResourceClaim{newRequest("c", exactly("gpu", count, 1))},
			want:   []device.Request{{Name: device.ClassResource("gpu"), Count: 1}},
		},
		{
			name: "all devices count as one", pod: named("c"),
			claims: []*resourceapi.ResourceClaim{newRequest("c", exactly("gpu", all, 0))},
			want:   []device.Request{{Name: device.ClassResource("gpu"), Count: 1}},
		},
		{
			name: "the first alternative counts", pod: named("c"),
			claims: []*resourceapi.ResourceClaim{newRequest("c", first)},
			want:   []device.Request{{Name: device.ClassResource("big"), Count: 1}},
		},
		{
			name: "administrative access takes no device", pod: named("c"),
			claims: []*resourceapi.ResourceClaim{newRequest("c", admin)},
		},
		{name: "an allocated claim asks for no further device", pod: named("c"), claims: []*resourceapi.ResourceClaim{allocated}},
		{name: "a claim that does not exist", pod: named("c"), missing: true},
		{name: "a claim of another namespace", pod: named("c").Namespace("other"), missing: true, claims: []*resourceapi.ResourceClaim{newRequest("c", exactly("gpu", count, 1))}},
		{name: "a claim that is not made yet", pod: fromTemplate(""), missing: true},
		{name: "a claim that is never made", pod: notMade()},
		{
			name: "a claim made from a template, and allocated", pod: fromTemplate("c"),
			claims:  []*resourceapi.ResourceClaim{owned(allocated.DeepCopy(), "")},
			initial: []device.Request{{Name: device.ClassResource("gpu"), Count: 1}},
		},
		{
			name: "a claim made from a template", pod: fromTemplate("c"),
			claims: []*resourceapi.ResourceClaim{owned(newRequest("c", exactly("gpu", count, 2)), "")},
			want:   []device.Request{{Name: device.ClassResource("gpu"), Count: 2}},
		},
		{
			name: "a claim made from a template for an earlier pod", pod: fromTemplate("c"), missing: true,
			claims: []*resourceapi.ResourceClaim{owned(newRequest("c", exactly("gpu", count, 2)), "other")},
		},
		{
			name: "requests of no known form", pod: named("c"),
			claims: []*resourceapi.ResourceClaim{newRequest("c", resourceapi.DeviceRequest{}, exactly("gpu", count, 0), exactly("gpu", count, -1), exactly("gpu", "Some", 7))},
			want:   []device.Request{{Name: device.ClassResource("gpu"), Count: 1}},
		},
		{
			name: "a claim for no device", pod: named("c", "d"),
			claims: []*resourceapi.ResourceClaim{newRequest("c", exactly("gpu", count, 0)), newRequest("d")},
		},
		{
			name: "no device beside some adds nothing", pod: named("c", "d"),
			claims: []*resourceapi.ResourceClaim{newRequest("c", exactly("gpu", count, 0), exactly("nic", count, 1)), newRequest("d", exactly("gpu", count, 2))},
			want:   []device.Request{{Name: device.ClassResource("gpu"), Count: 2}, {Name: device.ClassResource("nic"), Count: 1}},
		},
		{name: "the first alternative is no device", pod: named("c"), claims: []*resourceapi.ResourceClaim{newRequest("c", firstNone)}},
		{
			name: "more devices than can be counted", pod: named("c"),
			claims: []*resourceapi.ResourceClaim{newRequest("c", exactly("gpu", count, math.MaxInt64), exactly("gpu", count, 2))},
			want:   []device.Request{{Name: device.ClassResource("gpu"), Count: math.MaxInt64}},
		},
		{name: "a claim of no known form", pod: pod().PodResourceClaims(v1.PodResourceClaim{Name: "c"}), missing: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			logger, _ := ktesting.NewTestContext(t)
			i := NewInventory(logger, everyFeature)
			p := tt.pod.Obj()
			i.Requests(p) // must do without claims before it watches them
			factory := informers.NewSharedInformerFactory(fake.NewClientset(), 0)
			if err := i.Watch(factory); err != nil {
				t.Fatal(err)
			}
			for _, claim := range tt.claims {
				if err := factory.Resource().V1().ResourceClaims().Informer().GetStore().Add(claim); err != nil {
					t.Fatal(err)
				}
			}
			if got := i.Requests(p); !slices.Equal(got, tt.want) {
				t.Errorf("Requests() = %v, want %v", got, tt.want)
			}
			if tt.initial == nil {
				tt.initial = tt.want
			}
			if got, ok := i.InitialRequests(p); !slices.Equal(got, tt.initial) || ok == tt.missing {
				t.Errorf("InitialRequests() = %v, %v, want %v, %v", got, ok, tt.initial, !tt.missing)
			}
		})
	}
}
