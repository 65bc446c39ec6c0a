package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-scheduler/plimsoll/pkg/recording"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim"
)

// recordedFiles is a snapshot with ten minutes of recorded use.
func recordedFiles(t *testing.T) (dir string) {
	t.Helper()
	dir = snapshotFiles(t)
	from := time.Date(2026, 1, 1, 8, 0, 0, 0, time.UTC)
	use := recording.Use{CPU: recording.Series{Values: recording.Values{1, 1, 1, 1, 1, 2, 2, 2, 2, 2}}, Memory: recording.Series{Values: recording.Values{1 << 30}}}
	r := recording.Recording{
		Header: recording.Header{From: from, To: from.Add(10 * time.Minute), StepSeconds: 60, Notes: []string{"a note of the snapshot"}},
		Nodes:  []recording.Node{{Name: "n1", Use: use}},
		Pods: []recording.Pod{
			{Namespace: "default", Name: "a", UID: "a", Node: "n1", Created: &from, Started: &from, Use: use},
			{Namespace: "default", Name: "b", UID: "b", Created: new(from.Add(time.Minute))},
		},
	}
	file, err := os.Create(filepath.Join(dir, recording.File))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := r.Write(file); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestRecordedUseIsReplayedAndSaidToBe(t *testing.T) {
	dir := recordedFiles(t)
	page := filepath.Join(t.TempDir(), "out.html")
	stdout, stderr, exit := plimsoll(t, "simulate", "--cluster", dir, "--report", page)
	if exit != 0 {
		t.Fatalf("exit status %d: %s", exit, stderr)
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Measured: arrivals, ends and use of 1 pods, from 2026-01-01T08:00:00Z to 2026-01-01T08:10:00Z in steps of 1m0s",
		"Not measured: the use of 1 other pods", "Not recorded: a note of the snapshot", "is off what was measured by 0.00 % of allocatable CPU on average",
	} {
		if !strings.Contains(stdout, want) || !strings.Contains(string(text), want) {
			t.Errorf("%q is not in both of\n%s\n%s", want, stdout, text)
		}
	}
	if !strings.Contains(stdout, "\n"+sim.RecordedPolicy) || strings.Contains(stdout, "is a model: no public trace") || !strings.Contains(string(text), "was <b>measured</b>") {
		t.Errorf("printed\n%s", stdout)
	}
	stdout, _, _ = plimsoll(t, "simulate", "--cluster", dir, "-o", "json")
	var result sim.Result
	if err := json.Unmarshal([]byte(stdout), &result); err != nil || result.Scenario.Recording == nil || result.Scenario.Recording.MeasuredPods != 1 || result.Scenario.Recording.Fidelity.Values != 10 {
		t.Errorf("%v in %s", err, stdout)
	}
	stdout, stderr, exit = plimsoll(t, "simulate", "--cluster", dir, "--modelled", "--model", "fill-time=10m,churn-time=20m")
	if exit != 0 || strings.Contains(stdout, "Measured:") {
		t.Errorf("modelled: exit status %d, printed %q and %q", exit, stdout, stderr)
	}
}

func TestRecordingsThatCannotBeReplayedAreErrors(t *testing.T) {
	dir := recordedFiles(t)
	_, stderr, exit := plimsoll(t, "simulate", "--cluster", dir, "--churn", "all")
	if exit != exitError || !strings.Contains(stderr, "--churn would change what was recorded") {
		t.Errorf("with churn: exit status %d, %q", exit, stderr)
	}
	_, stderr, exit = plimsoll(t, "simulate", "--modelled")
	if exit != exitError || !strings.Contains(stderr, "--modelled goes with --cluster") {
		t.Errorf("exit status %d, %q", exit, stderr)
	}
	file := filepath.Join(dir, recording.File)
	if err := os.WriteFile(file, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, exit := plimsoll(t, "simulate", "--cluster", dir)
	if exit != exitError || stdout != "" || !strings.Contains(stderr, file) || !strings.Contains(stderr, "kubectl plimsoll snapshot") {
		t.Errorf("a broken recording: exit status %d, %q", exit, stderr)
	}
}
