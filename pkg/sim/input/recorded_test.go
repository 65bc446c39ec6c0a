package input_test

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/recording"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input/warning"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/policy"
)

// minute is a time of a recording, which begins at minute 0.
func minute(m int) *time.Time {
	return new(time.Date(2026, 1, 1, 8, 0, 0, 0, time.UTC).Add(time.Duration(m) * time.Minute))
}

// use is a series of values from a minute on; below 0 is a gap.
func use(first int, values ...float64) recording.Use {
	u := recording.Use{CPU: recording.Series{First: first}, Memory: recording.Series{First: first}}
	for _, v := range values {
		memory := v * (1 << 30)
		if v < 0 {
			v, memory = math.NaN(), math.NaN()
		}
		u.CPU.Values, u.Memory.Values = append(u.CPU.Values, v), append(u.Memory.Values, memory)
	}
	return u
}

// recorded writes the snapshot of goodSnapshot with a recording of ten minutes.
func recorded(t *testing.T, nodes []recording.Node, pods ...recording.Pod) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range goodSnapshot() {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.Create(filepath.Join(dir, recording.File))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r := recording.Recording{Header: recording.Header{From: *minute(0), To: *minute(10), StepSeconds: 60}, Nodes: nodes, Pods: pods}
	if err := r.Write(file); err != nil {
		t.Fatal(err)
	}
	return dir
}

func replayed(t *testing.T, dir string) (*sim.Scenario, *warning.List) {
	t.Helper()
	var warnings warning.List
	s, err := input.Recorded(dir, input.Calm(), 1, &warnings)
	if err != nil {
		t.Fatal(err)
	}
	return s, &warnings
}

func podOf(t *testing.T, s *sim.Scenario, name string) *sim.Pod {
	t.Helper()
	for i := range s.Pods {
		if s.Pods[i].Object.Name == name {
			return &s.Pods[i]
		}
	}
	t.Fatalf("there is no pod %s", name)
	return nil
}

// The pods of the examples: one that ran all the time, one that came, grew and stayed,
// one that did its work, and one of which only the use is known.
func ran() recording.Pod {
	return recording.Pod{Namespace: "ns", Name: "web-1", UID: "web-1", Node: "a", Created: minute(-60), Started: minute(-60), Use: use(0, 1, 1, -1, 1, 1, 1, 1, 1, 1, 1)}
}

func came() recording.Pod {
	return recording.Pod{Namespace: "ns", Name: "db-0", UID: "db-0", Node: "a", Created: minute(2), Scheduled: minute(3), Started: minute(4), Use: use(4, 2, 2, 5, 5, 5, 5)}
}

func worked() recording.Pod {
	return recording.Pod{
		Namespace: "ns", Name: "job", UID: "gone", Node: "b", Owner: &recording.Owner{Kind: "Job", Name: "train"}, Completed: true,
		Requests: map[string]string{"cpu": "2", "nvidia.com/gpu": "1"}, Created: minute(1), Scheduled: minute(1), Started: minute(2), Ended: minute(6), Use: use(2, 1, 2, 3, 4),
	}
}

func stray() recording.Pod {
	return recording.Pod{Namespace: "ns", Name: "stray", Node: "b", Ended: minute(8), Use: use(5, 1, 1, 1)}
}

func nodesOf() []recording.Node {
	return []recording.Node{
		{Name: "a", Use: use(0, 1.5, 1.5, 1.5, 1.5, 3.5, 3.5, 6.5, 6.5, 6.5, 6.5)},
		{Name: "b", Use: use(0, 0, 0, 1, 2, 3, 5, 1, 1, 0, 0)},
	}
}

func TestPodsComeEndAndUseWhatWasRecorded(t *testing.T) {
	s, warnings := replayed(t, recorded(t, nodesOf(), ran(), came(), worked(), stray(),
		recording.Pod{Namespace: "ns", Name: "before", UID: "before", Created: minute(-20), Ended: minute(-10), Requests: map[string]string{}},
	))
	if len(s.Pods) != 4 || s.End != 10*time.Minute || s.MeasureFrom != 0 {
		t.Fatalf("%d pods until %v", len(s.Pods), s.End)
	}
	web, db, job, other := podOf(t, s, "web-1"), podOf(t, s, "db-0"), podOf(t, s, "job"), podOf(t, s, "stray")
	if web.Object.Spec.NodeName != "a" || web.Arrival != -time.Hour || web.Until != 0 || web.Use.CPUAt(150*time.Second) != 1 {
		t.Errorf("the pod that ran all the time: %+v", web)
	}
	if db.Object.Spec.NodeName != "" || db.Arrival != 2*time.Minute || db.StartDelay != time.Minute || db.Until != 0 || db.Lifetime != 0 {
		t.Errorf("the pod that came: %+v", db)
	}
	for at, want := range map[time.Duration]float64{2 * time.Minute: 2, 4 * time.Minute: 2, 359 * time.Second: 2, 6 * time.Minute: 5, 599 * time.Second: 5} {
		if got := db.Use.CPUAt(at); got != want {
			t.Errorf("at %v it uses %v cores, want %v", at, got, want)
		}
	}
	if job.Lifetime != 4*time.Minute || job.Until != 0 || !job.Use.ByAge || job.Object.Spec.Containers[0].Resources.Requests.Cpu().Value() != 2 || sim.KindOf(job.Object) != sim.Job {
		t.Errorf("the pod that did its work: %+v", job)
	}
	if other.Object.Spec.NodeName != "b" || other.Arrival != 5*time.Minute || other.Until != 8*time.Minute {
		t.Errorf("the pod of which only the use is known: %+v", other)
	}
	f := s.Recording.Facts
	if f.MeasuredPods != 4 || f.ModelledPods != 0 || f.StayingPods != 2 || f.GapsPercent < 2 || f.GapsPercent > 5 {
		t.Errorf("the facts are %+v", f)
	}
	if got := s.Background["a"]; math.Abs(got.CPU-0.5) > 1e-9 {
		t.Errorf("beside its pods node a uses %+v, want half a core", got)
	}
	// Those of the snapshot that the recording does not have.
	if lines := strings.Join(warnings.Lines(), "\n"); f.LeftOutPods != 3 || !strings.Contains(lines, "pod ns/web-2 is not in the recording: it is left out") {
		t.Errorf("%d are left out, with warnings\n%s", f.LeftOutPods, lines)
	}
}

func TestReplayWhereItRanUsesWhatWasRecorded(t *testing.T) {
	s, _ := replayed(t, recorded(t, nodesOf(), ran(), came(), worked(), stray()))
	builtin, err := policy.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	r, err := sim.RunRecorded(t.Context(), s, builtin[0])
	if err != nil {
		t.Fatal(err)
	}
	f := s.Recording.Facts.Fidelity
	if f == nil || f.Values != 20 || f.CPUP99Percent > 0.001 || f.MemoryP99Percent > 0.001 {
		t.Errorf("the error is %+v, want none in 20 values", f)
	}
	if r.Name != sim.RecordedPolicy || r.PodsScheduled != 2 || r.WaitSeconds.P99 != 60 {
		t.Errorf("the result is %+v", r)
	}
	// The same, placed anew: all of them get a node.
	result, err := sim.Run(t.Context(), s, builtin, sim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range result.Policies {
		if p.PodsScheduled != 2 || p.PodsUnscheduled != 0 {
			t.Errorf("%s: %d pods got a node, and %d not", p.Name, p.PodsScheduled, p.PodsUnscheduled)
		}
	}
}

// A job that starts later than it did uses what it used since its start.
func TestWorkIsReplayedByItsAge(t *testing.T) {
	s, _ := replayed(t, recorded(t, nil, ran(), worked()))
	for i := range s.Pods {
		if s.Pods[i].Object.Name == "job" {
			s.Pods[i].StartDelay += 150 * time.Second
		}
	}
	result, err := sim.Run(t.Context(), s, named(t, "stock"), sim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	// After five minutes it is in the first of four that it runs.
	sum := float32(0)
	for _, percent := range result.Policies[0].Timeline.Utilization[1] {
		sum += percent
	}
	if want := float32(10 * (1 + 1)); math.Abs(float64(sum-want)) > 1 {
		t.Errorf("after five minutes all nodes together use %v %%, want %v", sum, want)
	}
}

func named(t *testing.T, name string) []sim.Policy {
	t.Helper()
	builtin, err := policy.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	selected, err := policy.Select(builtin, []string{name}, "the built-in ones")
	if err != nil {
		t.Fatal(err)
	}
	return selected
}

func TestPodsOfWhichTooLittleIsKnownAreLeftOut(t *testing.T) {
	bad := worked()
	bad.Requests = map[string]string{"cpu": "much"}
	huge := worked()
	huge.UID, huge.Requests = "huge", map[string]string{"cpu": "-1"}
	away := ran()
	away.UID, away.Name, away.Node = "away", "away", "x"
	nowhere := stray()
	nowhere.Node = ""
	s, warnings := replayed(t, recorded(t, nodesOf(), ran(), bad, huge, away, nowhere))
	lines := strings.Join(warnings.Lines(), "\n")
	for _, want := range []string{
		`pod ns/job: requests[cpu] is "much"`, `pod ns/job: spec.containers[0].resources.requests`,
		"pod ns/away ran on node x, which is not in the snapshot", "of pod ns/stray it is not known what it requests, or on which node it ran",
	} {
		if !strings.Contains(lines, want) {
			t.Errorf("the warnings lack %q:\n%s", want, lines)
		}
	}
	if len(s.Pods) != 1 {
		t.Errorf("%d pods are left", len(s.Pods))
	}
}

// Pods of StatefulSets come again under their name.
func TestPodsOfTheSameNameAreToldApart(t *testing.T) {
	first, second := came(), came()
	first.UID, first.Requests, first.Ended, first.Use = "first", map[string]string{"cpu": "1"}, minute(5), use(4, 1)
	second.Created, second.Scheduled, second.Started, second.Use = minute(6), minute(6), minute(6), use(6, 1, 1, 1, 1)
	s, _ := replayed(t, recorded(t, nodesOf(), first, second))
	if len(s.Pods) != 2 || s.Pods[0].Object.Name == s.Pods[1].Object.Name || s.Pods[0].Object.UID == s.Pods[1].Object.UID {
		t.Errorf("the pods are %v and %v", s.Pods[0].Object, s.Pods[1].Object)
	}
}

// What decides where a pod that is gone may run is that of another of its owner, or that
// it ran where it did.
func TestPodsThatAreGoneMayRunWhereTheirLikeDo(t *testing.T) {
	gone := worked()
	s, _ := replayed(t, recorded(t, nodesOf(), ran(), gone))
	if tolerations := podOf(t, s, "job").Object.Spec.Tolerations; len(tolerations) != 0 {
		t.Errorf("it tolerates %v, and its node has no taint", tolerations)
	}
	dir := recorded(t, nodesOf(), ran(), gone)
	tainted := strings.Replace(snapshotNode("b"), `"status"`, `"spec": {"taints": [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]}, "status"`, 1)
	if err := os.WriteFile(filepath.Join(dir, "nodes.json"), []byte(list(snapshotNode("a"), tainted)), 0o600); err != nil {
		t.Fatal(err)
	}
	s, _ = replayed(t, dir)
	want := v1.Toleration{Key: "gpu", Operator: v1.TolerationOpEqual, Value: "yes", Effect: v1.TaintEffectNoSchedule}
	if tolerations := podOf(t, s, "job").Object.Spec.Tolerations; len(tolerations) != 1 || tolerations[0] != want {
		t.Errorf("it tolerates %v, want %v", tolerations, want)
	}
}

func TestBrokenRecordingsAreErrors(t *testing.T) {
	unmeasured := came()
	unmeasured.Use = recording.Use{}
	empty := recorded(t, nodesOf())
	cut := recorded(t, nodesOf(), ran())
	content, err := os.ReadFile(filepath.Join(cut, recording.File))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(cut, recording.File), content[:len(content)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{
		empty:                              "none of the 0 pods in it can be replayed: make the snapshot anew, or simulate it with --modelled",
		cut:                                "make the snapshot anew",
		recorded(t, nodesOf(), unmeasured): "none of the 1 pods in it was measured: make the snapshot anew with a Prometheus that scrapes the kubelets",
	} {
		var warnings warning.List
		_, err := input.Recorded(dir, input.Calm(), 1, &warnings)
		if err == nil || !strings.Contains(err.Error(), filepath.Join(dir, recording.File)) || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %q in it", err, want)
		}
	}
}

func TestSnapshotsWithoutRecordingHaveNone(t *testing.T) {
	with, without := recorded(t, nil), t.TempDir()
	for path, want := range map[string]bool{with: true, without: false, filepath.Join(with, "pods.json"): false, filepath.Join(without, "none"): false} {
		if got, err := input.HasRecording(path); err != nil || got != want {
			t.Errorf("%s has a recording: %t, %v", path, got, err)
		}
	}
}
