package integration

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/ledger"
	"github.com/plimsoll-scheduler/plimsoll/pkg/status"
	"github.com/plimsoll-scheduler/plimsoll/test/cluster"
)

const (
	// pollInterval is how often schedulers with promptly poll.
	pollInterval = 2 * time.Second
	// warmUp is how long a pod runs there before it counts as measured.
	warmUp = 5 * time.Second
	// retryLimit is within which time a pod is retried once there is a reason.
	retryLimit = 2 * time.Second
)

// promptly has the latest sample decide alone, soon after it was taken, and
// pods count as warm after a short time.
func promptly(config map[string]any) {
	quickly(config)
	args(config)["source"] = map[string]any{"interval": pollInterval.String(), "timeout": pollInterval.String()}
	args(config)["estimate"] = map[string]any{"warmUp": warmUp.String()}
}

// on has the pod ask for one node.
func (p *pool) on(node string, pod *v1.Pod) *v1.Pod {
	pod.Spec.NodeSelector[v1.LabelHostname] = p.nodeName(node)
	return pod
}

// owned makes the pod one of a workload: it has a controller, which does not
// replace it when it is gone.
func (p *pool) owned(pod *v1.Pod) *v1.Pod {
	p.t.Helper()
	maps := p.local.Clientset.CoreV1().ConfigMaps("default")
	owner, err := maps.Create(p.t.Context(), &v1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: pod.Name}}, metav1.CreateOptions{})
	p.must(err)
	p.t.Cleanup(func() {
		if err := maps.Delete(context.WithoutCancel(p.t.Context()), owner.Name, metav1.DeleteOptions{}); err != nil {
			p.t.Error(err)
		}
	})
	pod.OwnerReferences = []metav1.OwnerReference{
		{APIVersion: "v1", Kind: "ConfigMap", Name: owner.Name, UID: owner.UID, Controller: new(true)},
	}
	return pod
}

// waitPodMeasured waits until the scheduler has measured the pod while it was warm,
// and expects of it what it uses.
func (p *pool) waitPodMeasured(s *scheduler, pod *v1.Pod) {
	p.t.Helper()
	use := resource.MustParse(cluster.UsageOf(pod).CPU)
	reader := p.reader()
	p.wait("pod "+pod.Name+" to be measured", func(ctx context.Context) (bool, error) {
		var known status.Pods
		if err := s.ask(ctx, reader, status.PodsPath+"?namespace=default", &known); err != nil {
			return false, err
		}
		i := slices.IndexFunc(known.Pods, func(known status.Pod) bool { return known.Name == pod.Name })
		if i < 0 {
			return false, errors.New("nothing is known of it")
		}
		got := known.Pods[i]
		ratio := got.CPU.Expected / use.AsApproximateFloat64()
		return got.Seen && got.Phase == ledger.Measured.String() && math.Abs(ratio-1) <= usageError, fmt.Errorf("it is known as %+v", got)
	})
}

// waitGone waits until the pod no longer exists.
func (p *pool) waitGone(pod *v1.Pod) {
	p.t.Helper()
	p.wait("pod "+pod.Name+" to be gone", func(ctx context.Context) (bool, error) {
		list, err := p.local.Clientset.CoreV1().Pods("default").List(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + pod.Name})
		return err == nil && len(list.Items) == 0, err
	})
}

// checkWaiting ends the test if any of the pods is bound.
func (p *pool) checkWaiting(when string, pods ...*v1.Pod) {
	p.t.Helper()
	for _, pod := range pods {
		got, err := p.local.Clientset.CoreV1().Pods("default").Get(p.t.Context(), pod.Name, metav1.GetOptions{})
		p.must(err)
		if got.Spec.NodeName != "" {
			p.t.Fatalf("%s pod %s is bound to %s", when, pod.Name, got.Spec.NodeName)
		}
	}
}

// allRejected is rejected for several pods.
func (p *pool) allRejected(pods ...*v1.Pod) {
	p.t.Helper()
	for _, pod := range pods {
		p.rejected(pod)
	}
}

// annotatePod and annotateNode set one annotation.
func (p *pool) annotatePod(pod *v1.Pod, name, value string) {
	p.t.Helper()
	_, err := p.local.Clientset.CoreV1().Pods("default").Patch(p.t.Context(), pod.Name, types.MergePatchType, annotation(name, value), metav1.PatchOptions{})
	p.must(err)
}

func (p *pool) annotateNode(node, name, value string) {
	p.t.Helper()
	_, err := p.local.Clientset.CoreV1().Nodes().Patch(p.t.Context(), p.nodeName(node), types.MergePatchType, annotation(name, value), metav1.PatchOptions{})
	p.must(err)
}

func annotation(name, value string) []byte {
	return fmt.Appendf(nil, `{"metadata": {"annotations": {%q: %q}}}`, name, value)
}

// join creates a node that is not measured, and what loads it.
func (p *pool) join(n node) {
	p.t.Helper()
	described := p.clusterNode(n)
	p.must(p.local.CreateNodes(p.t.Context(), described))
	p.must(p.local.StopMeasuring(p.t.Context(), described.Name))
	p.must(p.load(n))
}

// waitNodeMeasured waits until metrics-server has a sample of the node, or none.
func (p *pool) waitNodeMeasured(node string, measured bool) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), timeout)
	defer cancel()
	p.must(p.local.WaitNodeUsage(ctx, func(usage map[string]v1.ResourceList) bool {
		_, found := usage[p.nodeName(node)]
		return found == measured
	}))
}

// waitUntil waits for a point in time.
func (p *pool) waitUntil(what string, at time.Time) {
	p.t.Helper()
	p.wait(what, func(context.Context) (bool, error) { return time.Now().After(at), nil })
}

// waitStarted waits until the pod's containers run.
func (p *pool) waitStarted(pod *v1.Pod) {
	p.t.Helper()
	p.wait("pod "+pod.Name+" to start", func(ctx context.Context) (bool, error) {
		_, start, err := p.startOf(ctx, pod)
		return err == nil && !start.IsZero(), err
	})
}

// probe returns what the scheduler knows of the CPU of the pool's only node, and
// when: it creates a pod that asks for too much to be placed there, reads what
// was decided on it, and deletes it.
func (p *pool) probe(s *scheduler, token, name string) (at time.Time, cpu explain.Load) {
	p.t.Helper()
	pod := withCPU(p.pod(name, "plimsoll"), "1m")
	pod.Annotations = map[string]string{"plimsoll.io/estimate": `{"cpu": "1000"}`}
	p.create(pod)
	decision := p.decision(s, token, pod)
	now := metav1.DeleteOptions{GracePeriodSeconds: new(int64(0))}
	p.must(p.local.Clientset.CoreV1().Pods("default").Delete(p.t.Context(), pod.Name, now))
	if len(decision.Nodes) != 1 || decision.Nodes[0].Load == nil {
		p.t.Fatalf("the decision on %s: %+v, want the load of one node", name, decision)
	}
	return decision.Time, decision.Nodes[0].Load.CPU
}
