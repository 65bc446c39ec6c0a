package nodeload

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/recall"
)

// Whatever happens to nodes and pods in between, a score that is recalled is the one that
// would be found.
func TestScoresThatAreRecalledAreWhatWouldBeFound(t *testing.T) {
	for name, change := range map[string]func(*config.NodeLoadArgs){
		"LeastExpectedLoss": nil,
		"MostHeadroom":      func(a *config.NodeLoadArgs) { a.Score.Strategy = config.MostHeadroom },
		"ScheduleAnyway":    func(a *config.NodeLoadArgs) { a.Filter.WhenUnsatisfiable = config.ScheduleAnyway },
	} {
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, 2))
			names := make([]string, 30)
			for i := range names {
				names[i] = fmt.Sprint("node-", i)
			}
			c := newCluster(t, args(change), names...)
			infos := map[string]fwk.NodeInfo{}
			for _, name := range names {
				infos[name] = c.info(name)
			}
			use := func(name string) { c.use(name, 10*random.Float64(), int64(random.IntN(100))*gi) }
			for _, name := range names {
				use(name)
			}
			c.poll(t)
			recalled, found := 0, 0
			for step := range 2000 {
				name := names[random.IntN(len(names))]
				switch random.IntN(50) {
				case 0: // the node is measured
					use(name)
					c.clock.Step(15 * time.Second)
					c.poll(t)
				case 1: // it is not any more
					delete(c.measured, name)
				case 2: // samples grow old
					c.clock.Step(time.Duration(random.IntN(40)) * time.Second)
				case 3: // a pod comes to it
					p := pod(fmt.Sprint("placed-", step), "500m", "1Gi")
					c.model.Reserve(p, name)
					p.Spec.NodeName = name
					added := infos[name].Snapshot()
					added.AddPodInfo(mustPodInfo(t, p))
					infos[name] = added
				case 4: // what it can allocate changes
					node := infos[name].Node().DeepCopy()
					node.Status.Allocatable[v1.ResourceCPU] = *resource.NewQuantity(5+random.Int64N(10), resource.DecimalSI)
					changed := infos[name].Snapshot()
					changed.SetNode(node)
					infos[name] = changed
				}
				p := pod("p", []string{"100m", "1", "4"}[random.IntN(3)], "1Gi")
				state := framework.NewCycleState()
				c.PreFilter(t.Context(), state, p, nil)
				c.PreScore(t.Context(), state, p, nil)
				cy := c.cycleOf(state, p)
				for _, name := range names {
					node := cy.view.NodeOf(infos[name])
					if _, known := cy.sheet.At(node.Slot, recall.VersionOf(&cy.view, infos[name], node)); known {
						recalled++
					} else {
						found++
					}
					got, _ := c.Score(t.Context(), state, p, infos[name])
					if want := c.scoreOf(&cy.view, node, infos[name], cy.ask, cy.newcomer); got != want {
						t.Fatalf("step %d: node %s scores %d, and would %d", step, name, got, want)
					}
				}
			}
			if recalled < found/4 {
				t.Errorf("%d scores were recalled, and %d found: the test shows little", recalled, found)
			}
		})
	}
}

func mustPodInfo(t *testing.T, pod *v1.Pod) fwk.PodInfo {
	t.Helper()
	info, err := framework.NewPodInfo(pod)
	if err != nil {
		t.Fatal(err)
	}
	return info
}
