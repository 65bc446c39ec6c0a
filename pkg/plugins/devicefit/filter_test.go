package devicefit

import (
	"math/big"
	"testing"
	"testing/quick"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	fwk "k8s.io/kube-scheduler/framework"
	schedconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	st "k8s.io/kubernetes/pkg/scheduler/testing"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
)

func TestStrandsIsItsFormula(t *testing.T) {
	huge := []int64{0, 1, 1 << 50, -1 << 50}
	check := func(headroom, use, perDevice [amount.NumResources]int16, free uint16, scale uint8) bool {
		var a, b, c amount.Vector
		want := false
		for r := range amount.NumResources {
			a[r], b[r], c[r] = int64(headroom[r]), int64(max(use[r], 0)), int64(max(perDevice[r], 0)%100)
			if scale%8 == 0 {
				a[r], c[r] = huge[int(scale/8)%4], huge[int(scale/32)%3]
			}
			left := new(big.Int).Sub(big.NewInt(a[r]), big.NewInt(b[r]))
			needed := new(big.Int).Mul(big.NewInt(c[r]), big.NewInt(int64(free)))
			want = want || c[r] > 0 && left.Cmp(needed) < 0
		}
		return strands(b, spare(a, c, int64(free))) == want
	}
	if err := quick.Check(check, &quick.Config{MaxCount: 10_000}); err != nil {
		t.Error(err)
	}
}

// Memory is watched if it is asked for, CPU is not if it is not.
func TestHeadroomOfMemory(t *testing.T) {
	c := newCluster()
	node := c.addNode(t, "n", 63) // 1 of 256 GiB is in use
	c.model.Poll(t.Context())
	pl := pluginOf(t, c, `{"headroomPerDevice": {"memory": "16Gi"}}`)
	for memory, want := range map[string]int{"127Gi": 0, "128Gi": 1} {
		pod := st.MakePod().Req(resources{"cpu": "60", "memory": memory}).Obj()
		if got := c.attempt(t, pl, pod, node); len(got) != want {
			t.Errorf("a pod of %s: rejected by %v", memory, got)
		}
	}
}

// Pods that no node is rejected for are not, also in a profile that enables
// Filter alone; and neither is a node that came after the cycle began, or that
// the load model has not heard of, a reason to fail.
func TestFilterWithoutPreFilter(t *testing.T) {
	c := newCluster()
	node := c.addNode(t, "n", 63)
	c.model.Poll(t.Context())
	profile, err := c.newProfile(t.Context(), onePerDevice, func(p *schedconfig.Plugins) *schedconfig.PluginSet { return &p.Filter })
	if err != nil {
		t.Fatal(err)
	}
	daemon := st.MakePod().Req(resources{"cpu": "2"}).Obj()
	daemon.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(&metav1.ObjectMeta{Name: "d"}, v1.SchemeGroupVersion.WithKind("DaemonSet"))}
	unknown := newNode(t, "unknown", resources{gpu: "8", "cpu": "8"})
	for _, tt := range []struct {
		name string
		pod  *v1.Pod
		node fwk.NodeInfo
		want fwk.Code
	}{
		{"a plain pod", st.MakePod().Req(resources{"cpu": "2"}).Obj(), node, fwk.UnschedulableAndUnresolvable},
		{"a plain pod, on a node that is not known", st.MakePod().Req(resources{"cpu": "2"}).Obj(), unknown, fwk.UnschedulableAndUnresolvable},
		{"a pod with a device", st.MakePod().Req(resources{gpu: "1", "cpu": "2"}).Obj(), node, fwk.Success},
		{"a DaemonSet's pod", daemon, node, fwk.Success},
	} {
		state := framework.NewCycleState()
		if _, status, _ := profile.RunPreFilterPlugins(t.Context(), state, tt.pod); !status.IsSuccess() {
			t.Fatal(status.AsError())
		}
		if got := profile.RunFilterPlugins(t.Context(), state, tt.pod, tt.node); got.Code() != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
