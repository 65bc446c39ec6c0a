package scenario

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	schedconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/kube"
)

// runner plays a scenario: it has time pass, and changes what is true and the
// cluster's objects as the commands say.
type runner struct {
	t       *testing.T
	world   *world
	metrics *metricsServer
	profile *schedconfig.KubeSchedulerProfile
	cluster *kube.Cluster
	stop    context.CancelFunc // of the scheduler
	begun   bool               // time has begun to pass

	pods    map[string]*pod
	evicted []string          // by preemption, in the present cycle
	held    map[string]string // pods that are reserved and not bound, with their node
	reasons map[string]string // why a pod was not placed when it was tried last
	parked  []types.NamespacedName
	retried []string // which were put back into the queue, and when
	events  []string
}

func newRunner(t *testing.T) *runner {
	r := &runner{t: t, world: newWorld(), pods: map[string]*pod{}, held: map[string]string{}, reasons: map[string]string{}}
	r.metrics = newMetricsServer(r.world, func(name string) *pod { return r.pods[name] })
	t.Cleanup(func() {
		if r.stop != nil {
			r.stop()
		}
	})
	return r
}

// block runs the commands of a block, and returns what they print.
func (r *runner) block(d *datadriven.TestData) string {
	if d.Cmd == "config" {
		if err := r.configure(d.Input); err != nil {
			d.Fatalf(r.t, "config: %v", err)
		}
		return ""
	}
	if r.cluster == nil {
		if err := r.configure(""); err != nil {
			d.Fatalf(r.t, "%v", err)
		}
	}
	p := printer{}
	if err := r.command(&p, d.Cmd, d.CmdArgs); err != nil {
		d.Fatalf(r.t, "%s: %v", d.FullCmd(), err)
	}
	for line := range strings.Lines(d.Input) {
		cmd, list, err := datadriven.ParseLine(line)
		if err == nil && cmd != "" && !strings.HasPrefix(cmd, "#") {
			err = r.command(&p, cmd, list)
		}
		if err != nil {
			d.Fatalf(r.t, "%s: %v", strings.TrimSpace(line), err)
		}
	}
	return p.String()
}

func (r *runner) command(p *printer, cmd string, list []datadriven.CmdArg) error {
	a := newArgs(list)
	run, known := commands()[cmd]
	switch {
	case strings.HasPrefix(cmd, "+"):
		run = func(r *runner, _ *args, _ *printer) error { return r.advance(a.seconds(cmd)) }
	case !known:
		return fmt.Errorf("there is no such command")
	}
	if err := run(r, a, p); err != nil {
		return err
	}
	r.observeQueue()
	return a.end()
}

// advance has time pass.
func (r *runner) advance(by time.Duration) error {
	if err := r.begin(); err != nil {
		return err
	}
	for end := r.elapsed() + by; r.elapsed() < end; {
		if err := r.world.clock.RunUntil(r.elapsed() + time.Second); err != nil {
			return err
		}
		r.observeQueue()
	}
	return nil
}

// elapsed returns the time since the start in whole seconds.
func (r *runner) elapsed() time.Duration { return r.world.clock.Elapsed().Truncate(time.Second) }

// tick has so little time pass that nothing happens in it, but that the queue knows
// what came first: for scheduling cycles, and pods that are made together.
func (r *runner) tick() error {
	if !r.begun {
		return nil
	}
	return r.world.clock.RunUntil(r.world.clock.Elapsed() + time.Millisecond)
}

// begin has the time begin to pass: what is due at the start happens.
func (r *runner) begin() error {
	if r.begun {
		return nil
	}
	r.begun = true
	return r.world.clock.RunUntil(0)
}

// startScheduler starts a scheduler, which knows the objects that there are.
func (r *runner) startScheduler(nodes []*v1.Node, pods []*v1.Pod) error {
	if r.stop != nil {
		r.stop()
	}
	ctx, stop := context.WithCancel(r.t.Context())
	cluster, err := kube.New(ctx, kube.Options{
		Clock: r.world.clock.WithTicker(), Profiles: []schedconfig.KubeSchedulerProfile{*r.profile}, Source: r.metrics,
		Evict: func(name types.NamespacedName) { r.evicted = append(r.evicted, name.Name) },
		Event: func(e kube.Event) { r.events = append(r.events, describe(&e)) },
	})
	if err != nil {
		stop()
		return err
	}
	r.cluster, r.stop = cluster, stop
	for _, node := range nodes {
		if err := cluster.AddNode(node.DeepCopy()); err != nil {
			return err
		}
	}
	for _, pod := range pods {
		if err := cluster.AddPod(pod.DeepCopy()); err != nil {
			return err
		}
	}
	for _, routine := range cluster.Routines() {
		first := r.elapsed()
		if r.begun {
			first = first/routine.Interval*routine.Interval + routine.Interval
		}
		r.world.clock.Every(first, routine.Interval, func() error {
			if r.cluster == cluster {
				routine.Run(ctx)
			}
			return nil
		})
	}
	if r.begun {
		cluster.Poll(ctx)
	}
	return nil
}

// observeQueue notes which pods were put back into the queue.
func (r *runner) observeQueue() {
	now := r.cluster.Unschedulable()
	for _, name := range r.parked {
		pod, err := r.cluster.Pod(name)
		if err == nil && pod.Spec.NodeName == "" && !slices.Contains(now, name) {
			r.retried = append(r.retried, fmt.Sprintf("%s %s", since(r.elapsed()), name.Name))
		}
	}
	r.parked = now
}

// pod returns the pod of the name.
func (r *runner) pod(name string) (*pod, error) {
	p := r.pods[name]
	if p == nil {
		return nil, fmt.Errorf("there is no pod %s", name)
	}
	return p, nil
}

// machine returns the machine of the name.
func (r *runner) machine(name string) (*machine, error) {
	m := r.world.machine(name)
	if m == nil {
		return nil, fmt.Errorf("there is no node %s", name)
	}
	return m, nil
}

// changePod has the API server change the pod.
func (r *runner) changePod(name string, change func(*v1.Pod)) error {
	before, err := r.cluster.Pod(nameOf(name))
	if err != nil {
		return err
	}
	object := before.DeepCopy()
	change(object)
	return r.cluster.UpdatePod(object)
}

// changeNode has the API server change the node.
func (r *runner) changeNode(name string, change func(*v1.Node)) error {
	before, err := r.cluster.Node(name)
	if err != nil {
		return err
	}
	object := before.DeepCopy()
	change(object)
	return r.cluster.UpdateNode(object)
}

// tell has the kubelet tell the API server of the pod.
func (r *runner) tell(p *pod) error {
	return r.changePod(p.name, func(object *v1.Pod) { object.Status = p.status(&object.Status) })
}
