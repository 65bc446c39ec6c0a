package devicefit

import (
	"context"
	"strings"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	st "k8s.io/kubernetes/pkg/scheduler/testing"

	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
)

// decision returns the last decision on the pod when it is written down.
func (pl *DeviceFit) decision(t *testing.T, pod *v1.Pod) (d *explain.Decision) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go pl.decisions.Run(ctx)
	err := wait.PollUntilContextTimeout(ctx, time.Millisecond, 20*time.Second, true, func(context.Context) (bool, error) {
		d = pl.decisions.Get(pod.Namespace + "/" + pod.Name)
		return d != nil, nil
	})
	if err != nil {
		t.Fatalf("no decision on %s: %v", pod.Name, err)
	}
	return d
}

// A profile with DeviceFit alone has explanations, too.
func TestDecisionWithoutNodeLoad(t *testing.T) {
	c := newCluster()
	hot, cool := c.addNode(t, "hot", 60), c.addNode(t, "cool", 1)
	c.model.Poll(t.Context())
	pl := pluginOf(t, c, onePerDevice)
	pl.decisions = explain.NewLog(c.clock)

	waits := st.MakePod().Name("waits").Namespace("ns").UID("waits").Req(resources{"cpu": "2"}).Obj()
	c.attempt(t, pl, waits, hot)
	d := pl.decision(t, waits)
	if d.Result != explain.Waits || d.Considered != 1 || d.Rejected[strandsDevices] != 1 || d.Profile != "plimsoll" ||
		d.Nodes[0].Name != "hot" || d.Nodes[0].State != "Fresh" || d.Nodes[0].DeviceFit.Rejected != strandsDevices {
		t.Errorf("%+v", d)
	}
	if !strings.HasPrefix(d.WaitsFor, "the predicted use of one of 1 node(s) to fall, or its free devices to be taken") {
		t.Errorf("waits for %q", d.WaitsFor)
	}

	placed := st.MakePod().Name("placed").Namespace("ns").UID("placed").Req(resources{"cpu": "2", gpu: "1"}).Obj()
	state := framework.NewCycleState()
	nodes := []fwk.NodeInfo{hot, cool}
	pl.PreFilter(t.Context(), state, placed, nodes)
	pl.PreScore(t.Context(), state, placed, nodes)
	for _, node := range nodes {
		pl.Score(t.Context(), state, placed, node)
	}
	pl.Reserve(t.Context(), state, placed, "cool")
	d = pl.decision(t, placed)
	if d.Result != explain.Placed || d.Node != "cool" || d.Considered != 2 || len(d.Nodes) != 2 || d.Rejected != nil {
		t.Fatalf("%+v", d)
	}
	if first := d.Nodes[0]; first.Name != "cool" || first.DeviceFit.Score == nil || first.Fragmentation == nil || first.Load != nil {
		t.Errorf("%+v, want the node that was chosen with its score and fragmentation", first)
	}
}
