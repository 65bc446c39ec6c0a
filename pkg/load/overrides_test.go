package load

import (
	"testing"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/annotation"
	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
)

// The least that an annotated pod counts as is a part of what was learned of its
// workload, which may be more than what it requests.
func TestTheLeastOfAnEstimateIsAPartOfWhatWasLearned(t *testing.T) {
	f, pods := newPodFixture(t)
	f.SetPod(running(replica("a", "web", "1"), f.now.Now()))
	pods.cores["a"] = 4
	f.runFor(warmUp + 4*window)
	next := replica("next", "web", "1") // it requests one core
	learned := f.Estimate(next)
	if learned[amount.CPU] < 2000 {
		t.Fatalf("estimate %v, want what was learned", learned)
	}
	next.Annotations = map[string]string{config.EstimateAnnotation: `{"cpu": "0"}`}
	want := amount.Vector{(learned[amount.CPU] + 9) / 10, learned[amount.Memory]}
	if got := f.Estimate(next); got != want {
		t.Errorf("estimate %v, want %v: a tenth of what was learned, by default", got, want)
	}
	next.Annotations[config.EstimateAnnotation] = `{"cpu": "7"}`
	if got := f.Estimate(next)[amount.CPU]; got != 7000 {
		t.Errorf("estimate %dm, want what the annotation says", got)
	}
}

func TestAnEstimateThatIsNotAllowedIsNotThere(t *testing.T) {
	args := config.DefaultNodeLoadArgs()
	args.Overrides.Estimate.Allow = false
	f := newFixture(t)
	cfg := f.config
	cfg.Overrides = annotation.OverridesOf(args)
	model := NewModel(cfg, f.source)
	pod := boundPod("p", "n")
	pod.Annotations = map[string]string{config.EstimateAnnotation: `{"cpu": "7", "memory": "7Gi"}`}
	if got := model.Estimate(pod); got != (amount.Vector{1000, 1 << 30}) {
		t.Errorf("estimate %v, want that of its requests", got)
	}
}
