package devicefit

import (
	"fmt"
	"reflect"
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/kubernetes/pkg/apis/scheduling"
	st "k8s.io/kubernetes/pkg/scheduler/testing"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
)

// What a pod asks for is counted as the kubelet and the scheduler count it, its
// devices and what feeds them alike.
func TestDemandIsAllOfThePod(t *testing.T) {
	const gi = 1 << 30
	tests := []struct {
		name string
		pod  *st.PodWrapper
		want demand
	}{
		{name: "nothing", pod: st.MakePod()},
		{
			name: "containers add up", pod: st.MakePod().Req(resources{gpu: "1", "cpu": "2", "memory": "1Gi"}).Req(resources{gpu: "1", nic: "1", "cpu": "500m"}),
			want: demand{Devices: []device.Request{{Name: gpu, Count: 2}, {Name: nic, Count: 1}}, Requests: amount.Vector{2500, gi}},
		},
		{
			name: "an init container that needs more", pod: st.MakePod().InitReq(resources{gpu: "4", "cpu": "1"}).Req(resources{gpu: "1", "cpu": "2"}),
			want: demand{Devices: []device.Request{{Name: gpu, Count: 4}}, Requests: amount.Vector{2000, 0}},
		},
		{
			name: "a sidecar runs beside them", pod: st.MakePod().SidecarReq(resources{gpu: "1", "cpu": "1"}).InitReq(resources{gpu: "2", "cpu": "4"}).Req(resources{gpu: "1", "cpu": "2"}),
			want: demand{Devices: []device.Request{{Name: gpu, Count: 3}}, Requests: amount.Vector{5000, 0}},
		},
		{
			name: "overhead",
			pod:  st.MakePod().Req(resources{gpu: "1", "cpu": "1"}).Overhead(v1.ResourceList{"cpu": resource.MustParse("250m"), "memory": resource.MustParse("1Gi")}),
			want: demand{Devices: []device.Request{{Name: gpu, Count: 1}}, Requests: amount.Vector{1250, gi}},
		},
		{
			name: "resources of the whole pod", pod: st.MakePod().PodLevelResourceRequests(resources{"cpu": "8", "memory": "2Gi"}).Req(resources{gpu: "1", "cpu": "1"}),
			want: demand{Devices: []device.Request{{Name: gpu, Count: 1}}, Requests: amount.Vector{8000, 2 * gi}},
		},
		{
			name: "a slice is no GPU", pod: st.MakePod().Req(resources{mig: "2"}),
			want: demand{Devices: []device.Request{{Name: mig, Count: 2}}},
		},
		{name: "what is no device", pod: st.MakePod().Req(resources{"hugepages-2Mi": "4Mi", "ephemeral-storage": "1Gi"})},
		{name: "devices out of sight", pod: st.MakePod().PodResourceClaims(v1.PodResourceClaim{Name: "gpu"}), want: demand{NeedsDevices: true}},
		{name: "critical", pod: st.MakePod().Priority(scheduling.SystemCriticalPriority), want: demand{Exempt: true}},
	}
	pl := pluginOf(t, newCluster(), `{}`)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.Use = tt.want.Requests // 100 percent, by the model's configuration
			tt.want.NeedsDevices = tt.want.NeedsDevices || len(tt.want.Devices) > 0
			if got := pl.demandOf(tt.pod.Obj()); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestUseIsWhatThePodIsExpectedToUse(t *testing.T) {
	pl := pluginOf(t, newCluster(), `{}`)
	pod := st.MakePod().Req(resources{gpu: "1", "cpu": "8", "memory": "1Gi"}).Annotation(config.EstimateAnnotation, `{"cpu": "2"}`).Obj()
	if got := pl.demandOf(pod); got.Requests != (amount.Vector{8000, 1 << 30}) || got.Use != (amount.Vector{2000, 1 << 30}) {
		t.Errorf("requests %v, use %v: want 8 cores asked for, and the 2 of its annotation used", got.Requests, got.Use)
	}
}

// Whatever the score depends on is signed: pods that differ in it sign
// differently, and pods that do not, alike.
func TestSignaturesTellDemandsApart(t *testing.T) {
	pl := pluginOf(t, newCluster(), `{}`)
	base := func() *st.PodWrapper { return st.MakePod().Req(resources{gpu: "1", "cpu": "8", "memory": "1Gi"}) }
	sign := func(pod *st.PodWrapper) string {
		fragments, status := pl.SignPod(t.Context(), pod.Obj())
		if !status.IsSuccess() || len(fragments) != 1 {
			t.Fatalf("%v, %v", fragments, status)
		}
		return fmt.Sprintf("%s %+v", fragments[0].Key, fragments[0].Value)
	}
	want := sign(base())
	for name, same := range map[string]*st.PodWrapper{
		"another name, namespace, node selector and priority": base().Name("x").Namespace("y").NodeSelector(map[string]string{"a": "b"}).Priority(5),
		"another split between containers":                    st.MakePod().Req(resources{gpu: "1", "cpu": "3"}).Req(resources{"cpu": "5", "memory": "1Gi"}),
		"an estimate that says what the requests say":         base().Annotation(config.EstimateAnnotation, `{"cpu": "8"}`),
	} {
		if got := sign(same); got != want {
			t.Errorf("%s: signs %s, want %s", name, got, want)
		}
	}
	for name, other := range map[string]*st.PodWrapper{
		"two devices":          st.MakePod().Req(resources{gpu: "2", "cpu": "8", "memory": "1Gi"}),
		"another kind":         st.MakePod().Req(resources{mig: "1", "cpu": "8", "memory": "1Gi"}),
		"another kind as well": base().Req(resources{nic: "1"}),
		"no device":            st.MakePod().Req(resources{"cpu": "8", "memory": "1Gi"}),
		"more CPU":             st.MakePod().Req(resources{gpu: "1", "cpu": "8001m", "memory": "1Gi"}),
		"more memory":          st.MakePod().Req(resources{gpu: "1", "cpu": "8", "memory": "2Gi"}),
		"another estimate":     base().Annotation(config.EstimateAnnotation, `{"cpu": "2"}`),
		"an exempt pod":        base().Priority(scheduling.SystemCriticalPriority),
	} {
		if got := sign(other); got == want {
			t.Errorf("%s: signs as the other: %s", name, got)
		}
	}
}
