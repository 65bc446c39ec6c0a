package integration

import (
	"context"
	"fmt"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll-scheduler/plimsoll/test/cluster"
)

// expiration is after which time samples are stale where tests wait for that.
const expiration = 20 * time.Second

// expiring is promptly with that expiration.
func expiring(config map[string]any) {
	promptly(config)
	args(config)["expiration"] = expiration.String()
}

// The samples of a hot node stop, while others go on: that it is no longer
// known to be hot does not make it a better place than they are. When it is
// measured again, and cool, it takes the pods that waited.
func TestHotNodeThatFallsSilentTakesNoPods(t *testing.T) {
	t.Parallel()
	p := newPool(t, node{name: "silent", uses: "9"}, node{name: "hot", uses: "9"})
	s := startScheduler(t, "plimsoll.yaml", expiring)
	pods := []*v1.Pod{p.pod("early", "plimsoll")}
	p.create(pods...)
	p.allRejected(pods...)

	last := p.sampleTime("silent")
	p.must(p.local.StopMeasuring(t.Context(), p.nodeName("silent")))
	p.waitNodeMeasured("silent", false)
	p.waitUntil("the last sample to expire", last.Add(2*resolution+expiration)) // one may have been taken since
	s.waitPolls()
	p.checkWaiting("with the samples of one node expired", pods...)
	pods = append(pods, p.on("silent", p.pod("late", "plimsoll")), p.pod("any", "plimsoll"))
	p.create(pods[1:]...)
	p.allRejected(pods...)
	s.waitPolls()
	p.checkWaiting("though its node was last measured hot", pods...)

	p.setUse("silent", "1")
	p.must(p.local.StartMeasuring(t.Context(), p.nodeName("silent")))
	p.waitUsage(node{name: "silent", uses: "1"})
	if got := p.placed(pods...); got["silent"] != len(pods) {
		t.Errorf("the pods are on %v", got)
	}
}

// sampleTime returns when the newest sample of the node was taken.
func (p *pool) sampleTime(node string) time.Time {
	p.t.Helper()
	metrics, err := p.local.Metrics.MetricsV1beta1().NodeMetricses().Get(p.t.Context(), p.nodeName(node), metav1.GetOptions{})
	p.must(err)
	return metrics.Timestamp.Time
}

// A container that uses most of a node restarts. While it does it uses nothing,
// which is no room for others: it will use as much as before.
func TestRestartIsNoRelief(t *testing.T) {
	t.Parallel()
	// The line is at 22.5 cores.
	p := newPool(t, node{name: "n", cores: 30})
	heavy := p.owned(withCPU(p.user("heavy", "n", "", "20"), "2"))
	p.create(heavy, p.user("light", "n", "", "1"))
	s := startScheduler(t, "plimsoll.yaml", promptly)
	p.waitPodMeasured(s, heavy)
	var waiting []*v1.Pod
	for i := range 3 {
		waiting = append(waiting, using(withCPU(p.pod(fmt.Sprint("waiting-", i), "plimsoll"), "3"), "3"))
	}
	p.create(waiting...)
	p.allRejected(waiting...)

	uses := func(cores string) {
		t.Helper()
		p.must(p.local.SetUsage(t.Context(), "default", heavy.Name, cluster.Usage{CPU: cores}))
	}
	p.must(p.local.FailContainer(t.Context(), "default", heavy.Name, "c"))
	p.must(p.local.CountUsage(t.Context(), p.nodeName("n"))) // it has run until now
	uses("0")
	p.waitUsage(node{name: "n", uses: "1"})
	s.waitPolls()
	p.checkWaiting("while the container does not run", waiting...)
	uses("20")
	p.must(p.local.RestartContainer(t.Context(), "default", heavy.Name, "c"))
	s.waitPolls()
	p.checkWaiting("while no sample shows the container again", waiting...)
	p.waitUsage(node{name: "n", uses: "21"})
	s.waitPolls()
	p.checkWaiting("when the container is measured again", waiting...)

	// An end is relief.
	p.must(p.local.Clientset.CoreV1().Pods("default").Delete(t.Context(), heavy.Name, metav1.DeleteOptions{}))
	p.placed(waiting...)
}

// metrics-server is down until all samples have expired, while many pods wait
// for hot nodes, and comes back. What happens meanwhile makes the queue retry
// them. At no time do more get in than fit below the line by what was measured.
func TestOutageBringsNoRush(t *testing.T) {
	t.Parallel()
	const count, fit = 200, 2
	// The line is at 7.5 cores; each pod asks for one, and uses it.
	in := ownCluster(t)
	p := newPoolIn(t, in, node{name: "a", uses: "9"}, node{name: "b", uses: "9"}, node{name: "c", uses: "5"})
	bystander := p.user("bystander", "a", "", "10m")
	p.create(bystander)
	s := p.startScheduler("plimsoll.yaml", expiring)
	pods := make([]*v1.Pod, count)
	for i := range pods {
		pods[i] = using(p.pod(fmt.Sprint("p", i), "plimsoll"), "1")
	}
	p.createAtOnce(pods)
	s.waitMetric(`scheduler_pending_pods{queue="unschedulable"}`, func(pending float64) bool { return pending == count-fit })
	p.waitUsage(node{name: "c", uses: "7"})
	s.waitPolls()
	check := func(when string, want int) {
		t.Helper()
		if got := p.bound(); got != want {
			t.Fatalf("%s %d pods are bound, want %d", when, got, want)
		}
	}
	check("before the outage", fit)

	p.must(in.StopComponent(cluster.MetricsServer))
	s.waitMetric(freshNodes, func(nodes float64) bool { return nodes == 0 })
	s.waitPolls()
	check("when all samples have expired", fit)
	// A node comes that takes none of them, nodes change, and a pod goes.
	tainted := p.clusterNode(node{name: "tainted"})
	tainted.Taints = append(tainted.Taints, v1.Taint{Key: "test", Effect: v1.TaintEffectNoSchedule})
	p.must(in.CreateNodes(t.Context(), tainted))
	p.annotateNode("tainted", "plimsoll.io/thresholds", `{"cpu": 90}`)
	_, err := in.Kubectl(t.Context(), "label", "node", tainted.Name, p.nodeName("a"), "changed=true")
	p.must(err)
	p.must(in.Clientset.CoreV1().Pods("default").Delete(t.Context(), bystander.Name, metav1.DeleteOptions{}))
	p.waitGone(bystander)
	late := using(p.pod("late", "plimsoll"), "1")
	p.create(late)
	p.rejected(late)
	s.waitPolls()
	check("in the outage", fit)

	p.must(in.StartComponent(t.Context(), cluster.MetricsServer))
	s.waitPolls()
	check("before there are samples again", fit)
	s.waitMetric(freshNodes, func(nodes float64) bool { return nodes == 3 })
	s.waitPolls()
	check("with samples again", fit)
	// From 9 cores to 1 there is room for six.
	p.setUse("a", "1")
	p.wait("the pods that fit to be bound", func(context.Context) (bool, error) {
		bound := p.bound()
		return bound >= fit+6, fmt.Errorf("%d are", bound)
	})
	p.waitMeasured()
	s.waitPolls()
	check("after the load of one node has dropped", fit+6)
}
