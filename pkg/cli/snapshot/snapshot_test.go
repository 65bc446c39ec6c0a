package snapshot

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll-scheduler/plimsoll/pkg/recording"
)

func TestFlagsThatMakeNoSenseAreRefused(t *testing.T) {
	for flags, want := range map[string]string{
		"":                                  "accepts 1 arg",
		"d --since 2h":                      "--since is of what is recorded: it goes with --prometheus",
		"d --prometheus x --step 1500ms":    "--step 1.5s: must be whole seconds, from 1s to 1h",
		"d --prometheus x --since 10s":      "--since 10s: must be at least --step, 1m0s",
		"d --prometheus x --since 9999h":    "must be at most 50000",
		"d --prometheus x --node-label a-b": `--node-label "a-b": must be the name of a label`,
		"d --kubeconfig /nonexistent":       "/nonexistent",
	} {
		cmd := NewCommand()
		cmd.SetArgs(strings.Fields(flags))
		cmd.SilenceErrors, cmd.SilenceUsage = true, true
		if err := cmd.Execute(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: the error is %v, want %q in it", flags, err, want)
		}
	}
}

// fill writes files with a text.
func fill(t *testing.T, dir, text string, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// in returns what is in a directory, and beside it.
func in(t *testing.T, dir string) (inside, beside []string) {
	t.Helper()
	names := func(dir string) (all []string) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			all = append(all, entry.Name())
		}
		return all
	}
	return names(dir), names(filepath.Dir(dir))
}

func TestDirectoriesAreReplacedWholeOrNotAtAll(t *testing.T) {
	write := func(dir string) error { return os.WriteFile(filepath.Join(dir, nodesFile), []byte("new"), 0o600) }
	for name, test := range map[string]struct {
		before []string
		force  bool
		write  func(string) error
		want   string // of the error
		text   string // of the nodes afterwards
	}{
		"empty":         {nil, false, write, "", "new"},
		"a snapshot":    {[]string{nodesFile, podsFile}, false, write, "is a snapshot already: name another directory, or replace it with --force", "old"},
		"replaced":      {[]string{nodesFile, podsFile, recording.File}, true, write, "", "new"},
		"other files":   {[]string{nodesFile, "thesis.tex"}, true, write, "is not empty, and no snapshot (there is thesis.tex in it)", "old"},
		"failed writes": {[]string{nodesFile}, true, func(string) error { return errors.New("out of luck") }, "out of luck", "old"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "snapshot")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			fill(t, dir, "old", test.before...)
			err := writeTo(dir, test.force, test.write)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Fatalf("the error is %v, want %q in it", err, test.want)
			}
			inside, beside := in(t, dir)
			if text, err := os.ReadFile(filepath.Join(dir, nodesFile)); err != nil || string(text) != test.text {
				t.Errorf("the nodes are %q, %v", text, err)
			}
			if want := []string{nodesFile}; test.text == "new" && !slices.Equal(inside, want) || len(beside) != 1 {
				t.Errorf("there are %v in it and %v beside it", inside, beside)
			}
		})
	}
	for _, dir := range []string{".", "..", "/"} {
		if err := writeTo(dir, true, write); err == nil || !strings.Contains(err.Error(), "name a new directory in it") {
			t.Errorf("%s: %v", dir, err)
		}
	}
}

// secretive is a pod with names and values that must not be told.
func secretive() *v1.Pod {
	secret := &metav1.LabelSelector{MatchLabels: map[string]string{"app": "secret-app"}, MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "app", Operator: "In", Values: []string{"secret-app"}}}}
	return &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "secret-space", Name: "secret-app-7d4b-x", UID: "secret-uid", GenerateName: "secret-",
			Labels:          map[string]string{"app": "secret-app", "pod-template-hash": "7d4b", "count": "3"},
			Annotations:     map[string]string{"a": "secret", v1.LastAppliedConfigAnnotation: "secret", "plimsoll.io/estimate": `{"cpu": "1"}`},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "secret-app-7d4b", UID: "secret-set", Controller: new(true)}},
			ManagedFields:   []metav1.ManagedFieldsEntry{{Manager: "secret"}},
		},
		Spec: v1.PodSpec{
			NodeName: "secret-node", NodeSelector: map[string]string{"pool": "secret-pool"}, PriorityClassName: "secret-class", ServiceAccountName: "secret-account",
			Containers: []v1.Container{{
				Name: "secret-c", Image: "secret/image", Env: []v1.EnvVar{{Name: "SECRET", Value: "secret"}}, Args: []string{"--secret"},
				Resources:     v1.ResourceRequirements{Requests: v1.ResourceList{v1.ResourceCPU: resource.MustParse("1")}},
				LivenessProbe: &v1.Probe{ProbeHandler: v1.ProbeHandler{Exec: &v1.ExecAction{Command: []string{"secret"}}}},
			}},
			Volumes:     []v1.Volume{{Name: "secret-volume"}},
			Tolerations: []v1.Toleration{{Key: "dedicated", Value: "secret-team"}},
			Affinity: &v1.Affinity{
				NodeAffinity: &v1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &v1.NodeSelector{NodeSelectorTerms: []v1.NodeSelectorTerm{{
					MatchExpressions: []v1.NodeSelectorRequirement{{Key: "pool", Operator: "In", Values: []string{"secret-pool"}}},
					MatchFields:      []v1.NodeSelectorRequirement{{Key: "metadata.name", Operator: "In", Values: []string{"secret-node"}}},
				}}}},
				PodAntiAffinity: &v1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []v1.PodAffinityTerm{{LabelSelector: secret, Namespaces: []string{"secret-space"}}}},
			},
			TopologySpreadConstraints: []v1.TopologySpreadConstraint{{TopologyKey: "zone", LabelSelector: secret.DeepCopy()}},
		},
	}
}

func secretNode() *v1.Node {
	return &v1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: "secret-node", Labels: map[string]string{"pool": "secret-pool"}},
		Spec:       v1.NodeSpec{ProviderID: "secret", Taints: []v1.Taint{{Key: "dedicated", Value: "secret-team"}}},
		Status:     v1.NodeStatus{Images: []v1.ContainerImage{{Names: []string{"secret/image"}}}, Addresses: []v1.NodeAddress{{Address: "secret"}}},
	}
}

// contents is all that a snapshot consists of.
func contents(t *testing.T, s *state) string {
	t.Helper()
	dir := t.TempDir()
	if err := s.write(dir); err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, name := range []string{nodesFile, podsFile} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

func TestWhatNoSimulationNeedsIsNotWritten(t *testing.T) {
	text := contents(t, &state{nodes: []*v1.Node{trimNode(secretNode())}, pods: []*v1.Pod{trimPod(secretive())}})
	for _, not := range []string{"SECRET", "--secret", "last-applied", "livenessProbe", "managedFields"} {
		if strings.Contains(text, not) {
			t.Errorf("%s is written:\n%s", not, text)
		}
	}
	if !strings.Contains(text, "secret/image") {
		t.Error("images are not written, by which kube-scheduler ranks nodes")
	}
}

func TestHashedNamesStillMatch(t *testing.T) {
	h, err := newHasher()
	if err != nil {
		t.Fatal(err)
	}
	node, pod := secretNode(), secretive()
	s := &state{nodes: []*v1.Node{node}, pods: []*v1.Pod{pod}, recording: &recording.Recording{
		Header: recording.Header{Format: recording.Format, From: time.Unix(0, 0), To: time.Unix(60, 0), StepSeconds: 60},
		Nodes:  []recording.Node{{Name: "secret-node"}},
		Pods:   []recording.Pod{{Namespace: "secret-space", Name: "secret-app-7d4b-x", UID: "secret-uid", Node: "secret-node", Owner: &recording.Owner{Kind: "ReplicaSet", Name: "secret-app-7d4b"}}},
	}}
	h.all(s)
	if text := contents(t, s); strings.Contains(strings.ToLower(text), "secret") {
		t.Errorf("names are written:\n%s", text)
	}
	recorded, owner := s.recording.Pods[0], pod.OwnerReferences[0]
	affinity := pod.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0]
	anti := pod.Spec.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution[0]
	for what, same := range map[string][]string{
		"the node":      {node.Name, pod.Spec.NodeName, recorded.Node, s.recording.Nodes[0].Name, affinity.MatchFields[0].Values[0]},
		"the pod":       {pod.Name, recorded.Name},
		"its UID":       {string(pod.UID), recorded.UID},
		"its namespace": {pod.Namespace, recorded.Namespace, anti.Namespaces[0]},
		"its owner":     {owner.Name, recorded.Owner.Name},
		"the pool":      {node.Labels["pool"], pod.Spec.NodeSelector["pool"], affinity.MatchExpressions[0].Values[0]},
		"the app":       {pod.Labels["app"], anti.LabelSelector.MatchLabels["app"], anti.LabelSelector.MatchExpressions[0].Values[0], pod.Spec.TopologySpreadConstraints[0].LabelSelector.MatchLabels["app"]},
		"the taint":     {node.Spec.Taints[0].Value, pod.Spec.Tolerations[0].Value},
	} {
		if slices.ContainsFunc(same, func(name string) bool { return name != same[0] || name == "" }) {
			t.Errorf("%s is called %v", what, same)
		}
	}
	if !strings.HasSuffix(owner.Name, "-"+pod.Labels["pod-template-hash"]) {
		t.Errorf("the ReplicaSet %s is not known to be one of a Deployment by the hash %s", owner.Name, pod.Labels["pod-template-hash"])
	}
	if pod.Labels["count"] != "3" || pod.Annotations["plimsoll.io/estimate"] == "" || pod.Spec.Containers[0].Resources.Requests.Cpu().Value() != 1 {
		t.Errorf("what is no name is lost: %+v", pod)
	}
	other, err := newHasher()
	if err != nil {
		t.Fatal(err)
	}
	if other.name("secret-node") == h.name("secret-node") {
		t.Error("two snapshots have the same hashes: names could be tried")
	}
}

func at(second int64) metav1.Time { return metav1.Unix(second, 0) }

func TestWhenPodsCameAndWent(t *testing.T) {
	pod := &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "p", UID: "u", CreationTimestamp: at(10)},
		Status: v1.PodStatus{
			Phase:      v1.PodSucceeded,
			Conditions: []v1.PodCondition{{Type: v1.PodScheduled, Status: v1.ConditionTrue, LastTransitionTime: at(20)}},
			ContainerStatuses: []v1.ContainerStatus{
				{State: v1.ContainerState{Terminated: &v1.ContainerStateTerminated{StartedAt: at(30), FinishedAt: at(90)}}},
				{State: v1.ContainerState{Terminated: &v1.ContainerStateTerminated{StartedAt: at(35), FinishedAt: at(80)}}},
			},
		},
	}
	p := lifeOf(pod)
	for what, times := range map[string][2]int64{
		"created": {p.Created.Unix(), 10}, "scheduled": {p.Scheduled.Unix(), 20}, "started": {p.Started.Unix(), 35}, "ended": {p.Ended.Unix(), 90},
	} {
		if times[0] != times[1] {
			t.Errorf("%s at %d, want %d", what, times[0], times[1])
		}
	}
	if !p.Completed {
		t.Error("it did not end by itself")
	}
	waiting := lifeOf(&v1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "w"}})
	if waiting.Created != nil || waiting.Scheduled != nil || waiting.Started != nil || waiting.Ended != nil || waiting.Completed {
		t.Errorf("a pod of which nothing is known: %+v", waiting)
	}
}

func TestSeriesBelongToThePodOfTheirTime(t *testing.T) {
	l := newLives(nil)
	for _, p := range []struct {
		uid, node string
		created   int64
	}{{"second", "b", 100}, {"first", "a", 10}} {
		l.add(&recording.Pod{Namespace: "n", Name: "db-0", UID: p.uid, Node: p.node, Created: new(time.Unix(p.created, 0))})
	}
	l.sort()
	name := types.NamespacedName{Namespace: "n", Name: "db-0"}
	for _, test := range []struct {
		node string
		at   int64
		want string
	}{{"", 5, "first"}, {"", 50, "first"}, {"", 150, "second"}, {"a", 150, "first"}, {"b", 50, "second"}, {"c", 50, ""}} {
		got := ""
		if p := l.at(name, test.node, time.Unix(test.at, 0)); p != nil {
			got = p.UID
		}
		if got != test.want {
			t.Errorf("at %d on node %q it is the %q, want the %q", test.at, test.node, got, test.want)
		}
	}
}

func TestPodsThatPrometheusDoesNotKnowAreTold(t *testing.T) {
	running := func(name, node string) *v1.Pod {
		return &v1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: name, UID: types.UID(name)},
			Spec:       v1.PodSpec{NodeName: node}, Status: v1.PodStatus{Phase: v1.PodRunning},
		}
	}
	s := &state{pods: []*v1.Pod{running("known", "a"), running("unknown", "b"), running("half", "c"), {ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "waits"}}}}
	r := &recorder{options: &options{}, lives: newLives(s.pods)}
	for name, uses := range map[types.UID][2]float64{"known": {1, 1}, "half": {1, -1}} {
		p := r.lives.byUID[name]
		p.CPU.Set(0, uses[0])
		if uses[1] > 0 {
			p.Memory.Set(0, uses[1])
		}
	}
	var warned strings.Builder
	notes := r.unmeasured(s, &warned)
	if len(notes) != 1 || notes[0] != "CPU or memory of 2 of 3 pods that run, on 2 nodes" || !strings.Contains(warned.String(), "2 of 3 pods that run, on nodes b, c: does it scrape their kubelets?") {
		t.Errorf("it notes %q and warns %q", notes, warned.String())
	}
}
