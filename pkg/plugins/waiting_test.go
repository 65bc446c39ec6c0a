package plugins_test

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
)

// latest has what was measured last decide, and nothing but that.
const latest = "{window: 0s}"

// DefaultPreemption ends the cycle of a pod for which it evicts another one. The
// pod is retried when that is gone all the same.
func TestPreemptorIsRetriedWhenItsVictimIsGone(t *testing.T) {
	c := newCluster(t, latest, 1, "n")
	c.running("base", "n", 1000, "4")
	victim := c.running("victim", "n", 0, "5")
	c.start()
	c.eventually("it to be known what the victim uses", func() bool {
		trial := c.model.Try("n")
		return trial != nil && trial.Remove(victim)
	})
	c.create(pending("preemptor", 1000, "1"))
	c.wantBound("preemptor")
	c.eventually("its place to be explained", func() bool {
		d := c.decisions.Get("default/preemptor")
		return d != nil && d.Result == explain.Placed
	})
	if _, err := c.CoreV1().Pods("default").Get(t.Context(), "victim", metav1.GetOptions{}); err == nil {
		t.Error("the victim was not evicted")
	}
}

// A node that is added is not measured yet, which under Reject is a reason to
// reject it. Its first sample is no event of the cluster.
func TestPodsAreRetriedWhenANewNodeIsMeasured(t *testing.T) {
	c := newCluster(t, "{window: 0s, stalePolicy: Reject}", 1, "hot")
	c.running("user", "hot", 1000, "9")
	c.create(pending("p", 0, "1"))
	c.setMeasured("new", false)
	c.start()
	c.waitRejected("p")
	c.addNode("new")
	c.eventually("the load model to know the node", func() bool {
		view := c.model.View()
		return view.Node("new") != nil
	})
	c.waitRejected("p")
	c.setMeasured("new", true)
	c.wantBound("p")
}

func TestPodsAreRetriedWhenTheirAnnotationsChange(t *testing.T) {
	for name, annotation := range map[string][2]string{
		"estimate":           {config.EstimateAnnotation, `{"cpu": "100m"}`},
		"when-unsatisfiable": {config.WhenUnsatisfiableAnnotation, string(config.ScheduleAnyway)},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, latest, 1, "n")
			c.running("user", "n", 1000, "8")
			c.create(pending("p", 0, "1"))
			c.start()
			c.waitRejected("p")
			c.annotate("p", annotation[0], annotation[1])
			c.wantBound("p")
		})
	}
}

func TestPodsAreRetriedWhenANodesThresholdsChange(t *testing.T) {
	c := newCluster(t, latest, 1, "n")
	c.running("user", "n", 1000, "8")
	c.create(pending("p", 0, "1"))
	c.start()
	c.waitRejected("p")
	node, err := c.CoreV1().Nodes().Get(t.Context(), "n", metav1.GetOptions{})
	c.must(err)
	node.Annotations = map[string]string{config.ThresholdsAnnotation: `{"cpu": 95}`}
	node.ResourceVersion += "1"
	_, err = c.CoreV1().Nodes().Update(t.Context(), node, metav1.UpdateOptions{})
	c.must(err)
	c.wantBound("p")
}
