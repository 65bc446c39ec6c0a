package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/isolate"
)

// isolate runs kubectl plimsoll isolate.
func (p *pool) isolate(args ...string) (printed string, err error) {
	p.t.Helper()
	cmd := isolate.NewCommand()
	var out bytes.Buffer
	cmd.SetArgs(append([]string{"--kubeconfig", p.local.Kubeconfig, "--namespace", "default"}, args...))
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	err = cmd.ExecuteContext(p.t.Context())
	p.t.Logf("isolate %s: %v\n%s", strings.Join(args, " "), err, out.String())
	return out.String(), err
}

// mustIsolate is isolate for what must succeed, and must print these texts.
func (p *pool) mustIsolate(args []string, want ...string) {
	p.t.Helper()
	printed, err := p.isolate(args...)
	p.must(err)
	for _, text := range want {
		if !strings.Contains(printed, text) {
			p.t.Errorf("isolate %v printed\n%s\nwant %q in it", args, printed, text)
		}
	}
}

// serve makes a Service for the pods of a workload, and a budget that lets one of them
// be away.
func (p *pool) serve(workload string, atLeast int) {
	p.t.Helper()
	selector := map[string]string{"pool": p.name, "workload": workload}
	least := intstr.FromInt(atLeast)
	meta := metav1.ObjectMeta{Name: p.podName(workload)}
	services, budgets := p.local.Clientset.CoreV1().Services("default"), p.local.Clientset.PolicyV1().PodDisruptionBudgets("default")
	_, err := services.Create(p.t.Context(), &v1.Service{
		ObjectMeta: meta, Spec: v1.ServiceSpec{Selector: selector, Ports: []v1.ServicePort{{Port: 80}}},
	}, metav1.CreateOptions{})
	p.must(err)
	_, err = budgets.Create(p.t.Context(), &policyv1.PodDisruptionBudget{
		ObjectMeta: meta, Spec: policyv1.PodDisruptionBudgetSpec{MinAvailable: &least, Selector: &metav1.LabelSelector{MatchLabels: selector}},
	}, metav1.CreateOptions{})
	p.must(err)
	p.t.Cleanup(func() {
		ctx := context.WithoutCancel(p.t.Context())
		if err := services.Delete(ctx, meta.Name, metav1.DeleteOptions{}); err != nil {
			p.t.Error(err)
		}
		if err := budgets.Delete(ctx, meta.Name, metav1.DeleteOptions{}); err != nil {
			p.t.Error(err)
		}
	})
}

// serving waits until the workload's Service sends traffic to so many pods, and returns
// their names.
func (p *pool) serving(workload string, count int) (names []string) {
	p.t.Helper()
	p.wait(fmt.Sprintf("%d endpoints of %s", count, workload), func(ctx context.Context) (bool, error) {
		names = nil
		slices, err := p.local.Clientset.DiscoveryV1().EndpointSlices("default").List(ctx, metav1.ListOptions{
			LabelSelector: discoveryv1.LabelServiceName + "=" + p.podName(workload),
		})
		if err != nil {
			return false, err
		}
		for _, slice := range slices.Items {
			for _, endpoint := range slice.Endpoints {
				if endpoint.Conditions.Ready == nil || *endpoint.Conditions.Ready {
					names = append(names, endpoint.TargetRef.Name)
				}
			}
		}
		return len(names) == count, fmt.Errorf("its endpoints are %v", names)
	})
	return names
}

// removeAtEnd deletes a pod that has lost the label of the pool, if it is still there.
func (p *pool) removeAtEnd(pod string) {
	p.t.Cleanup(func() {
		err := p.local.Clientset.CoreV1().Pods("default").Delete(context.WithoutCancel(p.t.Context()), pod, metav1.DeleteOptions{GracePeriodSeconds: new(int64(0))})
		if err != nil && !apierrors.IsNotFound(err) {
			p.t.Error(err)
		}
	})
}

func (p *pool) get(pod string) *v1.Pod {
	p.t.Helper()
	got, err := p.local.Clientset.CoreV1().Pods("default").Get(p.t.Context(), pod, metav1.GetOptions{})
	p.must(err)
	return got
}

// One of three replicas is isolated: it gets no traffic, another takes its place, and it
// stays with its device, which is counted, until that is undone.
func TestIsolatedPodIsReplacedAndKept(t *testing.T) {
	t.Parallel()
	p := newPool(t, node{name: "n", gpus: 4, uses: "1"})
	startScheduler(t, "plimsoll.yaml", nil)
	template := withCPU(withGPUs(p.pod("web", "plimsoll"), "1"), "100m")
	template.Annotations = map[string]string{"cluster-autoscaler.kubernetes.io/safe-to-evict": "true"}
	p.serve("web", 2)
	p.deploy("web", 3, template)
	before := p.serving("web", 3)
	bad := before[0]
	p.removeAtEnd(bad)
	was := p.get(bad)

	p.mustIsolate([]string{bad, "--dry-run"}, "Service "+p.podName("web"), "ReplicaSet "+p.podName("web"), "makes another (3 of 3 replicas now)",
		"PodDisruptionBudget "+p.podName("web"), "workload=web", "1 "+gpu, "this is a dry run")
	if now := p.get(bad); now.ResourceVersion != was.ResourceVersion {
		t.Errorf("the dry run changed the pod: %+v", now.ObjectMeta)
	}
	p.mustIsolate([]string{bad, "--for", "1ns", "--reason", "answers with 500"}, "isolated; undo it by: kubectl plimsoll isolate "+bad)

	p.wait("the traffic to go elsewhere", func(ctx context.Context) (bool, error) {
		now := p.serving("web", 3)
		return !slices.Contains(now, bad), fmt.Errorf("the endpoints are %v, and %s is among them", now, bad)
	})
	p.checkIsolated(was)
	extra := withGPUs(p.pod("extra", "plimsoll"), "1")
	p.create(extra)
	if why := p.rejected(extra); !strings.Contains(why, "Insufficient "+gpu) {
		t.Errorf("a fifth device of four, one of which the isolated pod has: %q", why)
	}
	p.must(local.Clientset.CoreV1().Pods("default").Delete(t.Context(), extra.Name, metav1.DeleteOptions{}))
	if _, err := p.isolate(bad); err == nil || !strings.Contains(err.Error(), "is isolated already") {
		t.Errorf("isolated twice: %v", err)
	}
	p.mustIsolate([]string{"--list"}, bad, "(overdue)", "answers with 500")

	p.mustIsolate([]string{"--undo", "--overdue"}, "sends it traffic again", "has one too many then (3 of 3 replicas now), and deletes one", "put back")
	p.serving("web", 3)
	if now, err := local.Clientset.CoreV1().Pods("default").Get(t.Context(), bad, metav1.GetOptions{}); err == nil {
		checkPutBack(t, was, now)
	} else if !apierrors.IsNotFound(err) {
		t.Error(err) // that it was the one too many is right
	}
}

// checkIsolated checks that the pod is there as it was, but for its labels.
func (p *pool) checkIsolated(was *v1.Pod) {
	p.t.Helper()
	now := p.get(was.Name)
	if now.UID != was.UID || now.DeletionTimestamp != nil || now.Status.Phase != v1.PodRunning || now.Spec.NodeName != was.Spec.NodeName {
		p.t.Errorf("the isolated pod is %s on %q, deleted: %v", now.Status.Phase, now.Spec.NodeName, now.DeletionTimestamp)
	}
	if len(now.Labels) != 0 || metav1.GetControllerOf(now) != nil || now.Annotations["cluster-autoscaler.kubernetes.io/safe-to-evict"] != "false" {
		p.t.Errorf("the isolated pod has labels %v, owners %v, annotations %v", now.Labels, now.OwnerReferences, now.Annotations)
	}
	var record isolate.Record
	p.must(json.Unmarshal([]byte(now.Annotations[config.IsolatedAnnotation]), &record))
	if record.Reason != "answers with 500" || record.By == "" || record.Until == nil || record.Controller.Kind != "ReplicaSet" {
		p.t.Errorf("what is remembered is %+v", record)
	}
}

func checkPutBack(t *testing.T, was, now *v1.Pod) {
	t.Helper()
	if now.UID != was.UID || fmt.Sprint(now.Labels) != fmt.Sprint(was.Labels) || fmt.Sprint(now.Annotations) != fmt.Sprint(was.Annotations) {
		t.Errorf("put back with labels %v and annotations %v, want %v and %v", now.Labels, now.Annotations, was.Labels, was.Annotations)
	}
}

// Preemption evicts no isolated pod, though nothing else would help, until that
// is over.
func TestPreemptionSparesIsolatedPods(t *testing.T) {
	t.Parallel()
	p := newPool(t, node{name: "n", gpus: 1, uses: "1"})
	low, high := p.priority(1), p.priority(1000)
	startScheduler(t, "plimsoll.yaml", nil)
	kept := withCPU(withGPUs(p.pod("kept", "plimsoll"), "1"), "100m")
	kept.Spec.PriorityClassName = low
	p.create(kept)
	p.nodeOf(kept)
	p.wait("the pod to run", func(context.Context) (bool, error) { return p.get(kept.Name).Status.Phase == v1.PodRunning, nil })
	if _, err := p.isolate(kept.Name); err == nil || !strings.Contains(err.Error(), "has no controller: nothing would take its place") {
		t.Errorf("isolated without a controller: %v", err)
	}
	p.mustIsolate([]string{kept.Name, "--unreplaced"}, "no other pod takes its place")

	preemptor := withCPU(withGPUs(p.pod("preemptor", "plimsoll"), "1"), "100m")
	preemptor.Spec.PriorityClassName = high
	p.create(preemptor)
	if why := p.rejected(preemptor); !strings.Contains(why, "Insufficient "+gpu) || !strings.Contains(why, "No preemption victims found") {
		t.Errorf("rejected with %q", why)
	}
	if p.isGone(kept) {
		t.Fatal("the isolated pod was evicted")
	}
	p.mustIsolate([]string{kept.Name, "--undo", "--delete"}, "deleted")
	if got := p.nodeOf(preemptor); got != "n" {
		t.Errorf("the preemptor is on %q", got)
	}
}
