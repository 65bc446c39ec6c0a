package integration

import (
	"testing"

	"github.com/plimsoll-scheduler/plimsoll/test/cluster"
)

// A new or changed node, of whichever test, is a reason to retry pods that
// wait, and so is a pod that is deleted. What follows is about pods that are
// retried for another reason, or are not. It would pass by chance beside other
// tests, so it runs one by one on a cluster of its own, while the others run on
// theirs.
func TestInQuiet(t *testing.T) {
	t.Parallel()
	quiet, err := cluster.Start(t.Context(), clusterOptions())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := quiet.Close(); err != nil {
			t.Error(err)
		}
	})
	run := func(name string, test func(*testing.T, *cluster.Cluster)) {
		t.Run(name, func(t *testing.T) { test(t, quiet) })
	}
	run("PreemptorRunsWhenVictimIsGone", preemptorRunsWhenVictimIsGone)
	run("PreemptorWakesWhenLoadDrops", preemptorWakesWhenLoadDrops)
	run("AnnotationWakesPods", annotationWakesPods)
	run("NodeIsMeasuredLate", nodeIsMeasuredLate)
	run("OutageBringsNoRush", outageBringsNoRush)
}
