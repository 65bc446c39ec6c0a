package integration

import (
	"fmt"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
	"github.com/plimsoll-scheduler/plimsoll/test/cluster"
)

const (
	// crashBound is for how long, from the first failure of one of its
	// containers, a pod may count beside what it is measured to use.
	crashBound = 5 * time.Minute
	// crashTime is for how long the container fails again and again.
	crashTime = 10 * time.Minute
	// crashPoll is how often the scheduler polls meanwhile.
	crashPoll = 15 * time.Second
)

// A pod of which one container runs while another crash-loops, from the start,
// never becomes a pod all containers of which run. What its node is predicted
// to use is what it is measured to use all the same, after a while; before, and
// after, it is never less.
//
// It takes ten minutes, so it is the first of the parallel tests, by the name of
// its file: of those that wait for their turn Go starts the first one first.
func TestCrashLoopDoesNotCountTwice(t *testing.T) {
	t.Parallel()
	const tolerance = 0.5 // cores
	p := newPool(t, node{name: "n", cores: 64, uses: "1"})
	s := startScheduler(t, "plimsoll.yaml", func(config map[string]any) {
		args(config)["source"] = map[string]any{"interval": crashPoll.String(), "timeout": crashPoll.String()}
	})
	reader := p.reader()
	pod := using(withCPU(p.pod("pod", "plimsoll"), "16"), "16")
	pod.Spec.Containers = append(pod.Spec.Containers, v1.Container{
		Name: cluster.IdleContainer, Image: "simulated",
		Resources: v1.ResourceRequirements{Requests: v1.ResourceList{v1.ResourceCPU: resource.MustParse("2")}},
	})
	p.create(pod)
	p.waitStarted(pod)

	loop := &crashLoop{p: p, pod: pod.Name, container: cluster.IdleContainer, runs: true}
	begin, before := time.Now(), explain.Load{}
	for i := 0; time.Since(begin) < crashTime; i++ {
		loop.step(time.Now())
		at, cpu := p.probe(s, reader, fmt.Sprint("probe-", i))
		passed, predicted := at.Sub(loop.failed), cpu.Predicted-cpu.Estimate // without the probe
		numbers := fmt.Sprintf("%v after the first failure %.1f cores are measured and %.1f predicted",
			passed.Round(time.Second), cpu.Measured, predicted)
		if cpu != before {
			t.Log(numbers)
		}
		before = cpu
		switch {
		case predicted < 17-tolerance:
			t.Fatalf("%s, less than the 17 that the node's pods use", numbers)
		case passed > crashBound+crashPoll && (predicted < cpu.Measured-tolerance || predicted > cpu.Measured+loop.uses()+tolerance):
			t.Fatalf("%s, want as much as is measured, and what the container uses while it runs", numbers)
		}
		p.waitUntil("the next step", time.Now().Add(crashStep))
	}
}

// crashStep is how long a container runs before it fails, and how often the
// prediction is looked at.
const crashStep = 5 * time.Second

// crashLoop has a container fail, and restarts it, as a kubelet does.
type crashLoop struct {
	p              *pool
	pod, container string
	runs           bool
	failed         time.Time // for the first time
	backOff        time.Duration
	restart        time.Time
}

// uses returns what the container is expected to use now, in cores: what it requests,
// while it runs.
func (c *crashLoop) uses() float64 {
	if c.runs {
		return 2
	}
	return 0
}

// step fails the container if it runs, and else restarts it if that is due.
func (c *crashLoop) step(now time.Time) {
	ctx := c.p.t.Context()
	switch {
	case c.runs:
		// The kubelet's: ten seconds, doubled each time, at most five minutes.
		c.backOff = min(max(2*c.backOff, 10*time.Second), 5*time.Minute)
		c.p.must(c.p.local.FailContainer(ctx, "default", c.pod, c.container))
		c.p.must(c.p.local.BackOffContainer(ctx, "default", c.pod, c.container, c.backOff))
		c.runs, c.restart = false, now.Add(c.backOff)
		if c.failed.IsZero() {
			c.failed = now
		}
	case !now.Before(c.restart):
		c.p.must(c.p.local.RestartContainer(ctx, "default", c.pod, c.container))
		c.runs = true
	}
}
