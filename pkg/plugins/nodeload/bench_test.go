package nodeload

import (
	"fmt"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
)

// 5,000 nodes with a load that lets some pass and rejects others, and arguments that
// change, if it is not nil, has changed.
func benchmarkCycle(b *testing.B, change func(*config.NodeLoadArgs)) (*cluster, fwk.CycleState, []fwk.NodeInfo, *v1.Pod) {
	names := make([]string, 5000)
	for i := range names {
		names[i] = fmt.Sprintf("node-%d", i)
	}
	c := newCluster(b, args(change), names...)
	for i, name := range names {
		c.use(name, float64(i%100)/10, int64(i%100)*gi)
	}
	c.poll(b)
	p := pod("p", "1", "1Gi")
	infos, err := handle{c: c}.SnapshotSharedLister().NodeInfos().List()
	if err != nil {
		b.Fatal(err)
	}
	state := framework.NewCycleState()
	if _, status := c.PreFilter(b.Context(), state, p, nil); !status.IsSuccess() {
		b.Fatal(status.AsError())
	}
	b.ReportAllocs()
	return c, state, infos, p
}

// An operation is Filter on all 5,000 nodes, of which a third is rejected.
func BenchmarkFilter(b *testing.B) {
	c, state, infos, p := benchmarkCycle(b, nil)
	for b.Loop() {
		for _, info := range infos {
			c.Filter(b.Context(), state, p, info)
		}
	}
}

// An operation is Score on all 5,000 nodes.
func BenchmarkScore(b *testing.B) {
	for _, strategy := range []config.ScoreStrategy{config.MostHeadroom, config.LeastExpectedLoss} {
		b.Run(string(strategy), func(b *testing.B) {
			c, state, infos, p := benchmarkCycle(b, func(a *config.NodeLoadArgs) { a.Score.Strategy = strategy })
			for b.Loop() {
				for _, info := range infos {
					c.Score(b.Context(), state, p, info)
				}
			}
		})
	}
}

// An operation is a round's look at 5,000 pods that wait on 5,000 nodes.
func BenchmarkActivate(b *testing.B) {
	large := func(int) string { return "5" }
	for _, test := range []struct {
		name  string
		cpu   func(i int) string // that pods ask for
		cores float64            // that nodes use of 10, below a line of 7.5
		cool  int                // nodes that use 1
		tiny  bool               // one more pod asks for next to nothing
		// elsewhere: the cool nodes did not reject the pods, another plugin did.
		elsewhere bool
	}{
		{name: "hot cluster", cpu: large, cores: 9},
		{name: "large pods, room for small ones", cpu: large, cores: 6},
		{name: "one tiny pod beside them", cpu: large, cores: 7, tiny: true},
		{name: "an idle node that they may not use", cpu: large, cores: 7, cool: 1, elsewhere: true, tiny: true},
		{name: "1,000 idle nodes that they may not use", cpu: large, cores: 7, cool: 1000, elsewhere: true, tiny: true},
		{name: "all of different sizes", cpu: func(i int) string { return fmt.Sprint(2000+i, "m") }, cores: 6, cool: 1, elsewhere: true, tiny: true},
		{name: "10 idle nodes", cpu: large, cores: 9, cool: 10},
		{name: "1,000 idle nodes", cpu: large, cores: 9, cool: 1000},
	} {
		b.Run(test.name, func(b *testing.B) {
			c, _, _, _ := benchmarkCycle(b, nil)
			i := 0
			for name := range c.measured {
				if c.use(name, test.cores, gi); i < test.cool {
					c.use(name, 1, gi)
				}
				i++
			}
			c.clock.Step(15 * time.Second)
			c.poll(b)
			wait := func(p *v1.Pod) {
				if err := c.informers.Core().V1().Pods().Informer().GetStore().Add(p); err != nil {
					b.Fatal(err)
				}
				attempt, view := c.waiting.Begin(p, false)
				for node := range view.All {
					if !test.elsewhere || c.measured[node.Name][0] != 1 {
						attempt.Reject(node, node.Allocatable, int(overCPU))
					}
				}
			}
			for i := range 5000 {
				wait(pod(fmt.Sprint("p", i), test.cpu(i), "1Gi"))
			}
			if test.tiny {
				p := pod("tiny", "1m", "1Mi")
				p.Spec.Priority = new(int32(-1))
				wait(p)
			}
			b.ReportAllocs()
			for b.Loop() {
				c.waiting.Wake(b.Context())
			}
			b.ReportMetric(float64(len(c.activated)), "woken")
		})
	}
}
