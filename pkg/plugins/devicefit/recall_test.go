package devicefit

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	st "k8s.io/kubernetes/pkg/scheduler/testing"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
	"github.com/plimsoll-scheduler/plimsoll/pkg/line"
	"github.com/plimsoll-scheduler/plimsoll/pkg/recall"
)

// Whatever happens to nodes, pods and the mix in between, what is recalled of a node is
// what would be found.
func TestWhatIsRecalledIsWhatWouldBeFound(t *testing.T) {
	for _, args := range []string{`{}`, `{"strategy": "MostAllocated"}`} {
		t.Run(args, func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, 2))
			cluster := newCluster()
			pl := pluginOf(t, cluster, args)
			nodes := map[string]fwk.NodeInfo{}
			set := func(name string) {
				capacity := resources{"cpu": "64", "memory": "256Gi"}
				if random.IntN(3) > 0 {
					capacity[gpu], capacity[fpga] = fmt.Sprint(random.IntN(9)), "2"
				}
				nodes[name] = newNode(t, name, capacity, resources{"cpu": "1", gpu: fmt.Sprint(random.IntN(9))})
				cluster.model.SetNode(name, amount.FromList(nodes[name].Node().Status.Allocatable), line.Own{})
				pl.devices.SetNode(nodes[name].Node())
			}
			names := make([]string, 30)
			for i := range names {
				names[i] = fmt.Sprint("node-", i)
				set(names[i])
			}
			use := func(name string) {
				cluster.use[name] = [amount.NumResources]float64{64 * random.Float64(), 256 * random.Float64() * (1 << 30)}
			}
			for _, name := range names {
				use(name)
			}
			cluster.model.Poll(t.Context())
			recalled, found := 0, 0
			for step := range 2000 {
				name := names[random.IntN(len(names))]
				switch random.IntN(50) {
				case 0:
					use(name)
					cluster.clock.Step(15 * time.Second)
					cluster.model.Poll(t.Context())
				case 1:
					delete(cluster.use, name)
				case 2: // samples grow old, and what is away ceases to count
					cluster.clock.Step(time.Duration(random.IntN(40)) * time.Second)
				case 3: // another machine, or its plugin is away
					set(name)
				case 4: // other pods are typical
					amounts := amount.Vector{amount.CPU: 1000 * random.Int64N(20), amount.Memory: random.Int64N(64) << 30}
					pl.learner.Observe([]device.Request{{Name: gpu, Count: 1 + random.Int64N(8)}}, amounts, amounts, cluster.clock.Now())
					cluster.clock.Step(time.Second)
				}
				request := resources{"cpu": []string{"100m", "4"}[random.IntN(2)]}
				if count := random.IntN(3); count > 0 {
					request[gpu] = fmt.Sprint(count)
				}
				pod := st.MakePod().Name("p").UID("p").Req(request).Obj()
				state := framework.NewCycleState()
				pl.PreFilter(t.Context(), state, pod, nil)
				pl.PreScore(t.Context(), state, pod, nil)
				c := pl.cycleOf(state, pod)
				for _, name := range names {
					node := c.view.NodeOf(nodes[name])
					if _, known := c.sheet.At(node.Slot, recall.VersionOf(&c.view, nodes[name], node)); known {
						recalled++
					} else {
						found++
					}
					got, _ := pl.Score(t.Context(), state, pod, nodes[name])
					if want := pl.rank(c, nodes[name], node); got != int64(want.score) {
						t.Fatalf("step %d: node %s scores %d, and would %+v", step, name, got, want)
					}
					if kept, known := c.sheet.At(node.Slot, recall.VersionOf(&c.view, nodes[name], node)); known && kept != pl.rank(c, nodes[name], node) {
						t.Fatalf("step %d: %+v is kept of node %s, and %+v would be found", step, kept, name, pl.rank(c, nodes[name], node))
					}
				}
			}
			if recalled < found/4 {
				t.Errorf("%d were recalled, and %d found: the test shows little", recalled, found)
			}
		})
	}
}
