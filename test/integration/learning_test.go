package integration

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll-scheduler/plimsoll/pkg/status"
	"github.com/plimsoll-scheduler/plimsoll/test/cluster"
)

// Two replicas ask for 100m and use 4 cores. When samples of them stand for half a
// minute, an autoscaler makes them twelve. By their requests the ten would all go to a node
// that has become free.
func TestAutoscaledWorkloadIsSpread(t *testing.T) {
	t.Parallel()
	const line = 0.75 * 24
	nodes := []node{{name: "idle", cores: 24, uses: "100m"}}
	for i := range 4 {
		nodes = append(nodes, node{name: fmt.Sprint("n", i), cores: 24, uses: "5"})
	}
	p := newPool(t, nodes...)
	p.mark("idle", true)
	s := startScheduler(t, "plimsoll.yaml", promptly)
	template := using(withCPU(p.pod("w", "plimsoll"), "100m"), "4")
	p.deploy("w", 2, template)
	p.waitBound("w", 2)
	bound, _ := p.workload("w")
	p.waitSampledAfterStart(warmUp+time.Second, &bound[0], &bound[1]) // the start is in whole seconds
	p.waitLearned(s, 30*time.Second, "w")

	p.mark("idle", false)
	p.scale("w", 12)
	p.waitBound("w", 12)
	p.waitMeasured()
	p.checkRealUse(line)
}

// Three workloads ask for 100m and use 4 cores, which is learned on one node. What
// then comes in their place finds only one with less room than that: the pods of a
// rollout, of a Deployment that was scaled to zero, and of a CronJob's next run.
func TestWhatIsLearnedOutlivesPodsAndTheirOwners(t *testing.T) {
	t.Parallel()
	p := newPool(t, node{name: "first", cores: 64, uses: "1"}, node{name: "tight", uses: "6"})
	s := startScheduler(t, "plimsoll.yaml", promptly)
	before := map[string]string{"rollout": "", "zero": "", "cron": ""} // pods by workload
	template := func(name string) *v1.Pod {
		return using(withCPU(p.pod(name, "plimsoll"), "100m"), "4")
	}
	p.mark("tight", true)
	p.deploy("rollout", 1, template("rollout"))
	p.deploy("zero", 1, template("zero"))
	cron := p.cronJob("cron", template("cron"))
	run := p.run(cron, 28_000_000)
	for name := range before {
		pod := p.podOf(name, "")
		p.waitSampledAfterStart(warmUp+time.Second, pod) // the start is in whole seconds
		before[name] = pod.Name
	}
	p.waitLearned(s, 30*time.Second, "rollout", "zero", "cron")

	p.mark("first", true)
	p.mark("tight", false)
	p.rollOut("rollout")
	p.scale("zero", 0)
	p.waitBound("zero", 0)
	s.waitPolls()
	p.scale("zero", 1)
	p.end(run)
	p.run(cron, 28_000_060)
	for name, pod := range before {
		t.Run(name, func(t *testing.T) {
			p := &pool{t: t, name: p.name, local: p.local}
			if why := p.rejected(p.podOf(name, pod)); !strings.Contains(why, "1 "+overCPULine) {
				t.Errorf("a pod that is known to use 4 cores is rejected with %q", why)
			}
		})
	}
	// Others that ask for as much get in.
	p.deploy("unknown", 1, template("unknown"))
	p.waitBound("unknown", 1)
}

// waitLearned waits until what the scheduler has learned of each workload is from
// samples that stand for so much time.
func (p *pool) waitLearned(s *scheduler, from time.Duration, workloads ...string) {
	p.t.Helper()
	reader := p.reader()
	for _, name := range workloads {
		p.wait(fmt.Sprintf("%v of samples of %s", from, name), func(ctx context.Context) (bool, error) {
			var known status.Workloads
			if err := s.ask(ctx, reader, status.WorkloadsPath, &known); err != nil {
				return false, err
			}
			for _, w := range known.Workloads {
				if w.Name == p.podName(name) {
					return w.CPU.Seconds >= from.Seconds(), fmt.Errorf("it is %v s", w.CPU.Seconds)
				}
			}
			return false, errors.New("nothing is known of it")
		})
	}
}

// mark makes the node unschedulable, or schedulable again.
func (p *pool) mark(node string, unschedulable bool) {
	p.t.Helper()
	p.patchNode(node, map[string]any{"spec": map[string]any{"unschedulable": unschedulable}})
}

// podOf waits until the workload has a pod, other than the one before, and returns
// it.
func (p *pool) podOf(workload, before string) (pod *v1.Pod) {
	p.t.Helper()
	p.wait("another pod of "+workload, func(ctx context.Context) (bool, error) {
		pods, err := p.pods(ctx, workload)
		for i := range pods {
			if pods[i].Name != before {
				pod = &pods[i]
			}
		}
		return pod != nil, err
	})
	return pod
}

// rollOut has the Deployment make its pods anew.
func (p *pool) rollOut(deployment string) {
	p.t.Helper()
	patch := []byte(`{"spec": {"template": {"metadata": {"annotations": {"version": "2"}}}}}`)
	_, err := p.local.Clientset.AppsV1().Deployments("default").Patch(p.t.Context(), p.podName(deployment), types.StrategicMergePatchType, patch, metav1.PatchOptions{})
	p.must(err)
}

// cronJob creates a CronJob of such pods, which have the label workload and do not
// end. It makes no runs by itself.
func (p *pool) cronJob(name string, template *v1.Pod) *batchv1.CronJob {
	p.t.Helper()
	_, pods := podsLike(template, name)
	pods.Spec.RestartPolicy = v1.RestartPolicyNever
	maps.Copy(pods.Annotations, cluster.EndAfter(time.Hour))
	cronJobs := p.local.Clientset.BatchV1().CronJobs("default")
	cron, err := cronJobs.Create(p.t.Context(), &batchv1.CronJob{
		ObjectMeta: metav1.ObjectMeta{Name: p.podName(name)},
		Spec: batchv1.CronJobSpec{
			Schedule: "0 0 1 1 *", Suspend: new(true),
			JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: pods}},
		},
	}, metav1.CreateOptions{})
	p.must(err)
	p.removeController(func(ctx context.Context, opts metav1.DeleteOptions) error {
		return cronJobs.Delete(ctx, cron.Name, opts)
	})
	return cron
}

// run creates the CronJob's run of a minute, counted from 1970, as its controller
// does.
func (p *pool) run(cron *batchv1.CronJob, minute int) *batchv1.Job {
	p.t.Helper()
	job, err := p.local.Clientset.BatchV1().Jobs("default").Create(p.t.Context(), &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{
			Name:            fmt.Sprintf("%s-%d", cron.Name, minute),
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(cron, batchv1.SchemeGroupVersion.WithKind("CronJob"))},
		},
		Spec: cron.Spec.JobTemplate.Spec,
	}, metav1.CreateOptions{})
	p.must(err)
	return job
}

// end deletes the run, and waits until its pods are gone.
func (p *pool) end(run *batchv1.Job) {
	p.t.Helper()
	foreground := metav1.DeletePropagationForeground
	jobs := p.local.Clientset.BatchV1().Jobs("default")
	p.must(jobs.Delete(p.t.Context(), run.Name, metav1.DeleteOptions{PropagationPolicy: &foreground}))
	p.wait("the run "+run.Name+" to be gone", func(ctx context.Context) (bool, error) {
		list, err := jobs.List(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + run.Name})
		return err == nil && len(list.Items) == 0, err
	})
}
