package isolate

import (
	"context"
	"encoding/json"
	"maps"

	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	ktesting "k8s.io/client-go/testing"

	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
)

// web is a pod of the ReplicaSet that replicaSet makes.
func web(change ...func(*v1.Pod)) *v1.Pod {
	pod := &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: "web-1", UID: "pod", ResourceVersion: "7",
			Labels:          map[string]string{"app": "web", "hash": "1", "team": "a"},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web", UID: "set", Controller: new(true)}},
		},
		Spec: v1.PodSpec{NodeName: "n", Containers: []v1.Container{{Name: "c", Resources: v1.ResourceRequirements{Requests: v1.ResourceList{
			v1.ResourceCPU: resource.MustParse("2"), "nvidia.com/gpu": resource.MustParse("1"),
		}}}}},
		Status: v1.PodStatus{Phase: v1.PodRunning, Conditions: []v1.PodCondition{{Type: v1.PodReady, Status: v1.ConditionTrue}}},
	}
	for _, f := range change {
		f(pod)
	}
	return pod
}

// ownedBy has the pod belong to another controller.
func ownedBy(kind, name string, uid types.UID) func(*v1.Pod) {
	return func(pod *v1.Pod) {
		pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: "x/v1", Kind: kind, Name: name, UID: uid, Controller: new(true)}}
	}
}

func meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID(name)}
}

func byLabels(pairs ...string) *metav1.LabelSelector {
	s := &metav1.LabelSelector{MatchLabels: map[string]string{}}
	for _, pair := range pairs {
		key, value, _ := strings.Cut(pair, "=")
		s.MatchLabels[key] = value
	}
	return s
}

func replicaSet(has, wants int32) *appsv1.ReplicaSet {
	set := &appsv1.ReplicaSet{ObjectMeta: meta("set"), Spec: appsv1.ReplicaSetSpec{Replicas: &wants, Selector: byLabels("app=web", "hash=1")}, Status: appsv1.ReplicaSetStatus{Replicas: has}}
	set.Name = "web"
	return set
}

func service(name string, pairs ...string) *v1.Service {
	return &v1.Service{ObjectMeta: meta(name), Spec: v1.ServiceSpec{Selector: byLabels(pairs...).MatchLabels}}
}

// lookedAt is what is read around a pod in a namespace with these objects.
func lookedAt(t *testing.T, objects ...runtime.Object) *around {
	t.Helper()
	a, err := lookAround(t.Context(), fake.NewClientset(objects...), "shop")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func said(p *Plan) string {
	var lines []string
	for _, e := range p.Effects {
		lines = append(lines, e.Kind+" "+e.Name+" "+e.Effect)
	}
	return strings.Join(append(lines, p.Warnings...), "\n")
}

func TestLabelsThatPodsAreKnownByAreTakenOffAndNoOthers(t *testing.T) {
	a := lookedAt(t, replicaSet(3, 3), service("web", "app=web"), service("other", "app=db"), service("none"),
		&policyv1.PodDisruptionBudget{ObjectMeta: meta("web"), Spec: policyv1.PodDisruptionBudgetSpec{Selector: byLabels("app=web")}},
		&policyv1.PodDisruptionBudget{ObjectMeta: meta("all"), Spec: policyv1.PodDisruptionBudgetSpec{Selector: byLabels()}},
		&networkingv1.NetworkPolicy{ObjectMeta: meta("lock"), Spec: networkingv1.NetworkPolicySpec{PodSelector: *byLabels("app=web")}},
		&networkingv1.NetworkPolicy{ObjectMeta: meta("team"), Spec: networkingv1.NetworkPolicySpec{PodSelector: *byLabels("team=a")}},
	)
	p, err := planIsolation(web(), a, false)
	if err != nil {
		t.Fatal(err)
	}
	if want := map[string]string{"app": "web", "hash": "1"}; !maps.Equal(p.Labels, want) || !maps.Equal(p.labels, map[string]string{"team": "a"}) {
		t.Errorf("takes off %v and leaves %v, want %v taken off", p.Labels, p.labels, want)
	}
	if p.Devices["nvidia.com/gpu"] != 1 {
		t.Errorf("devices %v", p.Devices)
	}
	for _, want := range []string{
		"Service web sends it no more traffic", "ReplicaSet web lets it go, and makes another (3 of 3 replicas now)",
		"PodDisruptionBudget web no longer counts it (disruptions allowed now: 0)", "PodDisruptionBudget web is at its minimum",
		"PodDisruptionBudget all selects all pods", "NetworkPolicy lock no longer applies to it", "NetworkPolicy lock no longer restricts",
	} {
		if !strings.Contains(said(p), want) {
			t.Errorf("it does not say %q:\n%s", want, said(p))
		}
	}
	for _, not := range []string{"Service other", "Service none", "NetworkPolicy team"} {
		if strings.Contains(said(p), not) {
			t.Errorf("it speaks of %s:\n%s", not, said(p))
		}
	}
}

func TestPodsThatCannotBeKeptOrReplacedAreRefused(t *testing.T) {
	unlabelled := &v1.Service{ObjectMeta: meta("all"), Spec: v1.ServiceSpec{Selector: map[string]string{"app": "web"}}}
	adopting := &appsv1.ReplicaSet{ObjectMeta: meta("adopting"), Spec: appsv1.ReplicaSetSpec{Selector: &metav1.LabelSelector{
		MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "app", Operator: metav1.LabelSelectorOpDoesNotExist}},
	}}}
	for name, test := range map[string]struct {
		pod    *v1.Pod
		around []runtime.Object
		want   string
	}{
		"isolated":    {web(func(p *v1.Pod) { p.Annotations = map[string]string{config.IsolatedAnnotation: "{}"} }), nil, "is isolated already: put it back with --undo"},
		"static":      {web(ownedBy("Node", "n", "n")), nil, "is a static pod, which the kubelet of node n runs from a file"},
		"mirror":      {web(func(p *v1.Pod) { p.Annotations = map[string]string{mirrorAnnotation: "x"} }), nil, "is a static pod"},
		"deleted":     {web(func(p *v1.Pod) { p.DeletionTimestamp = &metav1.Time{} }), nil, "is being deleted"},
		"succeeded":   {web(func(p *v1.Pod) { p.Status.Phase = v1.PodSucceeded }), nil, "has ended (Succeeded)"},
		"failed":      {web(func(p *v1.Pod) { p.Status.Phase = v1.PodFailed }), nil, "has ended (Failed)"},
		"waiting":     {web(func(p *v1.Pod) { p.Spec.NodeName = "" }), nil, "waits for a node"},
		"StatefulSet": {web(ownedBy("StatefulSet", "db", "db")), nil, "belongs to StatefulSet db, which replaces it by a pod of the same name and volumes"},
		"Job":         {web(ownedBy("Job", "train", "train")), nil, "belongs to Job train, which would do its work once more"},
		"unknown":     {web(ownedBy("CloneSet", "web", "web")), nil, "belongs to CloneSet web of x/v1: it is not known how that selects its pods"},
		"bare":        {web(func(p *v1.Pod) { p.OwnerReferences = nil }), nil, "has no controller: nothing would take its place; to isolate it all the same say --unreplaced"},
		"owner gone":  {web(), nil, "belongs to ReplicaSet web, which is gone"},
		"too many":    {web(), []runtime.Object{replicaSet(4, 3)}, "belongs to ReplicaSet web, which would not replace it (4 of 3 replicas)"},
		"scaled down": {web(), []runtime.Object{replicaSet(0, 0)}, "would not replace it (0 of 0 replicas)"},
		"adopted":     {web(), []runtime.Object{replicaSet(3, 3), unlabelled, adopting}, "ReplicaSet adopting would select it whatever labels are taken off (it selects !app)"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := planIsolation(test.pod, lookedAt(t, test.around...), false)
			if err == nil || !strings.Contains(err.Error(), "pod shop/web-1") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %v, want %q in it", err, test.want)
			}
		})
	}
}

func TestPodsWithoutReplacementAreIsolatedIfThatIsWanted(t *testing.T) {
	for name, a := range map[string]*around{"bare": {}, "scaled down": lookedAt(t, replicaSet(4, 3))} {
		pod := web()
		if name == "bare" {
			pod.OwnerReferences = nil
		}
		if p, err := planIsolation(pod, a, true); err != nil {
			t.Errorf("%s: %v", name, err)
		} else if name != "bare" && !strings.Contains(said(p), "lets it go, and makes no other (4 of 3 replicas now)") {
			t.Errorf("%s: it says\n%s", name, said(p))
		}
	}
}

func TestSecondPodOfADaemonSetHasToFit(t *testing.T) {
	node := func(cpu, gpus string) *v1.Node {
		return &v1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n"}, Status: v1.NodeStatus{Allocatable: v1.ResourceList{
			v1.ResourceCPU: resource.MustParse(cpu), "nvidia.com/gpu": resource.MustParse(gpus), v1.ResourcePods: resource.MustParse("10"),
		}}}
	}
	daemon := web(ownedBy("DaemonSet", "agent", "agent"))
	port := web(ownedBy("DaemonSet", "agent", "agent"), func(p *v1.Pod) { p.Spec.Containers[0].Ports = []v1.ContainerPort{{HostPort: 9100}} })
	for _, test := range []struct {
		pod  *v1.Pod
		node *v1.Node
		want string
	}{
		{daemon, node("4", "2"), ""},
		{daemon, node("3", "2"), "enough cpu: 1 are free, and 2 are requested"},
		{daemon, node("4", "1"), "enough nvidia.com/gpu: 0 are free, and 1 are requested"},
		{port, node("4", "2"), "port 9100, which both would listen on"},
	} {
		err := checkDaemon(t.Context(), fake.NewClientset(test.node, test.pod), test.pod)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("the error is %v, want %q in it", err, test.want)
		}
	}
}

// isolatedWeb is the pod after it was isolated.
func isolatedWeb(t *testing.T, a *around, change ...func(*v1.Pod)) *v1.Pod {
	t.Helper()
	pod := web(change...)
	p, err := planIsolation(pod, a, false)
	if err != nil {
		t.Fatal(err)
	}
	record := Record{Labels: p.Labels, Controller: &Controller{Kind: "ReplicaSet", Name: "web", UID: "set"}, Annotations: set(p.annotations, guards())}
	text, err := json.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	pod.Labels, pod.Annotations, pod.OwnerReferences = p.labels, p.annotations, nil
	pod.Annotations[config.IsolatedAnnotation] = string(text)
	return pod
}

func TestUndoRestoresLabelsAndAnnotationsExactly(t *testing.T) {
	a := lookedAt(t, replicaSet(3, 3), service("web", "app=web"))
	before := map[string]string{"cluster-autoscaler.kubernetes.io/safe-to-evict": "true", "descheduler.alpha.kubernetes.io/evict": "true", "karpenter.sh/do-not-disrupt": "true", "x": "y"}
	pod := isolatedWeb(t, a, func(p *v1.Pod) { p.Annotations = before })
	if pod.Annotations["cluster-autoscaler.kubernetes.io/safe-to-evict"] != "false" || pod.Annotations["descheduler.alpha.kubernetes.io/prefer-no-eviction"] != "true" {
		t.Errorf("isolated with annotations %v", pod.Annotations)
	}
	if _, there := pod.Annotations["descheduler.alpha.kubernetes.io/evict"]; there {
		t.Errorf("isolated with annotations %v", pod.Annotations)
	}
	p, err := planUndo(pod, a)
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(p.labels, web().Labels) || !maps.Equal(p.annotations, before) {
		t.Errorf("restores labels %v and annotations %v, want %v and %v", p.labels, p.annotations, web().Labels, before)
	}
}

func TestUndoSaysWhatTheControllerDoes(t *testing.T) {
	at := lookedAt(t, replicaSet(3, 3))
	other := lookedAt(t, &appsv1.ReplicaSet{ObjectMeta: meta("set"), Spec: appsv1.ReplicaSetSpec{Selector: byLabels("app=db")}})
	for name, test := range map[string]struct {
		around *around
		want   string
	}{
		"replaced": {at, "has one too many then (3 of 3 replicas now), and deletes one"},
		"short":    {lookedAt(t, replicaSet(2, 3)), "takes it back (2 of 3 replicas now)"},
		"gone":     {&around{}, "ReplicaSet web, which it belonged to, is gone"},
		"changed":  {other, "selects other pods now"},
	} {
		p, err := planUndo(isolatedWeb(t, at), test.around)
		if err != nil || !strings.Contains(said(p), test.want) {
			t.Errorf("%s: %v, want %q in\n%s", name, err, test.want, said(p))
		}
	}
}

func TestUndoRefusesWhatItCannotRestore(t *testing.T) {
	a := lookedAt(t, replicaSet(3, 3))
	relabelled := isolatedWeb(t, a)
	relabelled.Labels["app"] = "other"
	broken := isolatedWeb(t, a)
	broken.Annotations[config.IsolatedAnnotation] = "{"
	for _, test := range []struct {
		pod  *v1.Pod
		want string
	}{
		{web(), "pod shop/web-1 is not isolated"},
		{relabelled, `metadata.labels: app is "other" and was "web"; remove them first`},
		{broken, "metadata.annotations[plimsoll.io/isolated] cannot be read"},
	} {
		if _, err := planUndo(test.pod, a); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("the error is %v, want %q in it", err, test.want)
		}
	}
}

// A pod that changes between its reading and its writing is read anew, and what is done
// is planned for what it is then.
func TestChangesMeanwhileArePlannedAnew(t *testing.T) {
	for name, test := range map[string]struct {
		failures int
		changes  bool
		want     string
	}{
		"once":        {1, true, ""},
		"again":       {100, true, "changed each of 5 times between its reading and its writing: nothing was done"},
		"other fault": {1, false, "denied"},
	} {
		t.Run(name, func(t *testing.T) {
			client := fake.NewClientset(web())
			failures := 0
			var tested []string
			client.PrependReactor("patch", "pods", func(action ktesting.Action) (bool, runtime.Object, error) {
				patch := string(action.(ktesting.PatchAction).GetPatch())
				tested = append(tested, patch)
				if failures++; failures > test.failures {
					return true, web(), nil
				}
				if test.changes {
					changed := web()
					changed.ResourceVersion = "8" + strings.Repeat("0", failures)
					if err := client.Tracker().Update(v1.SchemeGroupVersion.WithResource("pods"), changed, "shop"); err != nil {
						t.Error(err)
					}
				}
				return true, nil, apierrors.NewInvalid(v1.SchemeGroupVersion.WithKind("Pod").GroupKind(), "denied", nil)
			})
			plan := func(pod *v1.Pod) (*Plan, error) { return newPlan(pod, actionIsolate), nil }
			p, err := change(context.Background(), client, "shop", "web-1", plan, func(*Plan) error { return nil }, false)
			if test.want == "" && (err != nil || !p.Done || len(tested) != 2 || !strings.Contains(tested[1], `"/metadata/resourceVersion","value":"80"`)) {
				t.Errorf("%v after patches %v", err, tested)
			}
			if test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("the error is %v, want %q in it", err, test.want)
			}
		})
	}
}

func TestFlagsThatMakeNoSenseAreRefused(t *testing.T) {
	for flags, want := range map[string]string{
		"":                            "name the pod, or say --list",
		"a --list":                    "name none",
		"a --delete":                  "--delete goes with --undo",
		"a --overdue":                 "name none",
		"--overdue":                   "--overdue goes with --undo or --list",
		"a --all-namespaces":          "--all-namespaces goes with --list or --overdue",
		"a --undo --for 2h":           "leave them out with --undo",
		"a --for 0s":                  "--for 0s: must be above 0",
		"a -o xml":                    `--output "xml": must be one of table, wide, json, yaml`,
		"--list --undo":               "--list only shows",
		"a --kubeconfig /nonexistent": "/nonexistent",
	} {
		cmd := NewCommand()
		cmd.SetArgs(strings.Fields(flags))
		cmd.SilenceErrors, cmd.SilenceUsage = true, true
		if err := cmd.Execute(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: the error is %v, want %q in it", flags, err, want)
		}
	}
}
