package load

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/line"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/history"
)

// plainPod is what the reference knows of a pod of one container that is never read:
// since when it runs, if it does.
type plainPod struct {
	object   *v1.Pod
	estimate amount.Vector
	running  bool
	since    time.Time
}

// shownBy reports whether the sample shows all of the pod: its window began once it
// had warmed up.
func (p *plainPod) shownBy(s *history.Sample) bool {
	return p.running && !s.Start().Before(p.since.Add(warmUp))
}

// referencePrediction is the prediction by its definition: the statistics of the
// samples as they would have been had each pod run all along. Of a pod that the
// newest sample shows, and an older one does not, nobody knows what the older one
// lacks, so that one does not count.
func referencePrediction(h *history.History, pods []*plainPod) history.Statistics {
	samples := h.Samples()
	newest := &samples[len(samples)-1]
	var result history.Statistics
	for r := range amount.NumResources {
		var uses []int64 // one a second
		var latest int64
		for i := range samples {
			use, counts := samples[i].Usage[r], true
			for _, p := range pods {
				switch {
				case p.shownBy(&samples[i]):
				case p.shownBy(newest):
					counts = false
				default:
					use += p.estimate[r]
				}
			}
			if !counts {
				continue
			}
			latest = use
			for range secondsOf(samples, i, 3*time.Minute) {
				uses = append(uses, use)
			}
		}
		statisticsOf(uses, latest, r, &result)
	}
	return result
}

// secondsOf is how many seconds the sample stands for: those of its window that none
// before has, and that lie within the last minutes.
func secondsOf(samples []history.Sample, i int, within time.Duration) (seconds int) {
	s := &samples[i]
	for second := s.Start(); second.Before(s.Timestamp); second = second.Add(time.Second) {
		if second.Before(samples[len(samples)-1].Timestamp.Add(-within)) || i > 0 && second.Before(samples[i-1].Timestamp) {
			continue
		}
		seconds++
	}
	return seconds
}

func statisticsOf(uses []int64, latest int64, r amount.Resource, result *history.Statistics) {
	slices.Sort(uses)
	sum := 0.
	for _, use := range uses {
		sum += float64(use)
	}
	percentile := func(percent int) int64 {
		return uses[(percent*len(uses)+99)/100-1] // the least that so many in a hundred do not exceed
	}
	result[Latest][r] = latest
	result[Average][r] = int64(math.Round(sum / float64(len(uses))))
	result[P50][r], result[P90][r], result[P95][r], result[P99][r] = percentile(50), percentile(90), percentile(95), percentile(99)
	result[Peak][r] = uses[len(uses)-1]
}

func TestPredictionAgreesWithTheReference(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	f := newFixture(t)
	f.nodes.window = 3 * time.Minute
	f.SetNode("n", amount.Vector{64000, 1 << 38}, line.Own{})
	var pods []*plainPod
	pick := func() *plainPod { return pods[random.IntN(len(pods))] }
	for step := range 5000 {
		f.now.Step(time.Duration(1+random.IntN(7)) * time.Second)
		switch choice := random.IntN(6); {
		case choice == 0 && len(pods) < 12:
			p := &plainPod{object: boundPod(fmt.Sprint("p", step), "n")}
			cpu := int64(1 + random.IntN(4))
			p.object.Spec.Containers[0].Resources.Requests = requests(fmt.Sprint(cpu), fmt.Sprint(cpu, "Gi"))
			p.estimate = amount.Vector{1000 * cpu, cpu << 30}
			f.Reserve(p.object, "n")
			pods = append(pods, p)
		case choice == 1 && len(pods) > 0:
			if p := pick(); !p.running {
				p.running, p.since = true, f.now.Now()
				f.SetPod(running(p.object, p.since))
			}
		case choice == 2 && len(pods) > 0:
			p := pick()
			f.RemovePod(p.object)
			pods = slices.DeleteFunc(pods, func(other *plainPod) bool { return other == p })
		case choice > 2:
			f.sample("n", float64(1+random.IntN(20)))
		}
		n, _ := f.node("n")
		if !n.Sampled {
			continue
		}
		if want := referencePrediction(&f.nodes.get("n").history, pods); n.Predicted != want {
			t.Fatalf("step %d: predicted %v, want %v", step, n.Predicted, want)
		}
		if len(f.pods) != len(pods) {
			t.Fatalf("step %d: %d pods, want %d", step, len(f.pods), len(pods))
		}
	}
}

// What a view has of a node is the same whatever order its pods came in.
func TestTheOrderOfPodsDoesNotMatter(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 10))
	predict := func(order []int) history.Statistics {
		f, pods := newPodFixture(t)
		f.runForAt(2*time.Minute, 5)
		for _, i := range order {
			name := fmt.Sprint("p", i)
			pods.cores[name] = float64(i) / 10
			f.SetPod(running(boundPod(name, "n"), f.now.Now().Add(-time.Duration(i)*10*time.Second)))
		}
		f.runForAt(time.Minute, 5)
		for _, i := range order[:3] {
			f.RemovePod(boundPod(fmt.Sprint("p", i), "n"))
		}
		for _, i := range order[:3] { // and come back
			f.SetPod(running(boundPod(fmt.Sprint("p", i), "n"), f.now.Now()))
		}
		n, _ := f.node("n")
		return n.Predicted
	}
	order := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
	want := predict(order)
	for range 20 {
		random.Shuffle(7, func(i, j int) { order[3+i], order[3+j] = order[3+j], order[3+i] })
		if slices.SortFunc(order[:3], cmp.Compare); predict(order) != want {
			t.Fatalf("in the order %v: %v is predicted, want %v", order, predict(order), want)
		}
	}
}
