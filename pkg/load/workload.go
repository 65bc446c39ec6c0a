package load

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
)

// workloadKey tells pods apart that may use different amounts: by their
// controller, their template, and what they request. Never by a pod's name.
type workloadKey struct {
	controller types.UID
	template   string
	requests   amount.Vector
}

// compare orders keys, so that what is done in turn does not depend on the order
// of a map.
func (k workloadKey) compare(other workloadKey) int {
	return cmp.Or(
		cmp.Compare(k.controller, other.controller),
		cmp.Compare(k.template, other.template),
		slices.Compare(k.requests[:], other.requests[:]))
}

// workloadOf returns the key of the pod's workload, and whether it has one.
func (m *Model) workloadOf(pod *v1.Pod) (workloadKey, bool) {
	controller := metav1.GetControllerOfNoCopy(pod)
	if controller == nil {
		return workloadKey{}, false
	}
	template := pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey]
	if template == "" {
		template = pod.Labels[appsv1.ControllerRevisionHashLabelKey]
	}
	return workloadKey{controller: controller.UID, template: template, requests: m.config.Estimator.Pod(pod)}, true
}

const (
	// learnAfter is how much time samples must stand for before a workload is
	// believed to be known: less would be the start of a single pod.
	learnAfter = 5 * time.Minute
	// learnPercentile of the time a pod uses no more than its estimate.
	learnPercentile = 0.90
	// learnHalfLife is when a sample counts half.
	learnHalfLife = 6 * time.Hour
	// workloadGrace is how long a workload without pods is remembered: a Job or
	// a Deployment that restarts has none for a moment.
	workloadGrace = 10 * time.Minute
	// maxWorkloads bounds the memory, at about 1 KiB each. Beyond it, workloads
	// are estimated by their requests.
	maxWorkloads = 20_000
)

// workload is what is known of the real use of the pods of one template.
type workload struct {
	pods []types.NamespacedName // that run, in no order
	next int                    // of pods, to be measured
	// asked is when a pod of it was last measured, emptied when the last pod left.
	asked, emptied time.Time
	use            [amount.NumResources]histogram
	// estimate is for the next pod. It means something only if known.
	estimate amount.Vector
	known    bool
}

// learned returns what the pods of the pod's workload use, and whether that is
// known.
func (m *Model) learned(pod *v1.Pod) (amount.Vector, bool) {
	if len(m.workloads) == 0 {
		return amount.Vector{}, false
	}
	key, ok := m.workloadOf(pod)
	if !ok {
		return amount.Vector{}, false
	}
	w := m.workloads[key]
	if w == nil || !w.known {
		return amount.Vector{}, false
	}
	return w.estimate, true
}

// join adds a running pod to its workload. It returns nil if it has none.
func (m *Model) join(pod *v1.Pod, name types.NamespacedName) *workload {
	key, ok := m.workloadOf(pod)
	if !ok {
		return nil
	}
	w, known := m.workloads[key]
	if !known {
		if len(m.workloads) >= maxWorkloads {
			return nil
		}
		w = &workload{}
		m.workloads[key] = w
	}
	w.pods = append(w.pods, name)
	return w
}

// leave removes a pod from its workload.
func (m *Model) leave(w *workload, name types.NamespacedName) {
	if i := slices.Index(w.pods, name); i >= 0 {
		last := len(w.pods) - 1
		w.pods[i] = w.pods[last]
		w.pods = w.pods[:last]
	}
	if len(w.pods) == 0 {
		w.emptied = m.clock.Now()
	}
}

// forgetWorkloads drops those that are gone.
func (m *Model) forgetWorkloads() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for key, w := range m.workloads {
		if len(w.pods) == 0 && m.clock.Since(w.emptied) > workloadGrace {
			delete(m.workloads, key)
		}
	}
}

// nextToMeasure returns the pod of w whose turn it is and that is warm.
func (w *workload) nextToMeasure(m *Model) (types.NamespacedName, bool) {
	for range w.pods {
		w.next = (w.next + 1) % len(w.pods)
		name := w.pods[w.next]
		if s := m.subjects[name]; s != nil && m.clock.Since(s.runningSince) > m.config.WarmUp {
			return name, true
		}
	}
	return types.NamespacedName{}, false
}

// learn takes in a sample of a pod that has warmed up.
func (w *workload) learn(sample Sample) {
	w.known = true
	for r := range w.use {
		w.use[r].add(sample.Usage[r], sample.Timestamp, max(sample.Window, time.Second))
		w.estimate[r] = w.use[r].percentile(learnPercentile)
		w.known = w.known && w.use[r].observed >= learnAfter
	}
}

const (
	// Buckets grow by a tenth each, from 1 to above amount.Limit, so a percentile
	// is at most a tenth too high and never too low.
	bucketGrowth = 1.1
	buckets      = 365
)

// histogram is a decaying histogram of amounts. (Vertical Pod Autoscaler's
// recommender keeps its history in the same way.)
type histogram struct {
	weights  map[int16]float64 // by bucket; few are in use
	observed time.Duration     // that all samples together stand for, not decayed
	// reference is the time at which a weight of 1 is one second: weights of
	// later samples are larger instead of earlier ones being made smaller.
	reference time.Time
}

func (h *histogram) add(amount int64, at time.Time, stands time.Duration) {
	if h.weights == nil {
		h.weights, h.reference = map[int16]float64{}, at
	}
	halfLives := at.Sub(h.reference).Seconds() / learnHalfLife.Seconds()
	if halfLives > 50 { // before a weight grows out of a float's range
		for b := range h.weights {
			if h.weights[b] *= math.Exp2(-halfLives); h.weights[b] < 1e-6 {
				delete(h.weights, b)
			}
		}
		h.reference, halfLives = at, 0
	}
	h.weights[bucketOf(amount)] += stands.Seconds() * math.Exp2(halfLives)
	h.observed = min(h.observed+stands, 2*learnAfter)
}

func bucketOf(amount int64) int16 {
	if amount <= 1 {
		return 0
	}
	return int16(min(math.Ceil(math.Log(float64(amount))/math.Log(bucketGrowth)), buckets-1))
}

// percentile returns the upper end of the bucket below which at least the part
// of the weight lies.
func (h *histogram) percentile(part float64) int64 {
	used := slices.Sorted(maps.Keys(h.weights))
	total := 0.0
	for _, b := range used {
		total += h.weights[b]
	}
	reached := 0.0
	for _, b := range used {
		if reached += h.weights[b]; reached >= part*total*(1-1e-12) {
			return min(int64(math.Pow(bucketGrowth, float64(b))), amount.Limit)
		}
	}
	return 0
}
