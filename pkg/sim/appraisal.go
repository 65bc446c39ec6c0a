package sim

import (
	"math"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/kube"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/world"
)

// appraised is how much of a pod's life its estimate is compared with.
const appraised = 15 * time.Minute

// The ways in which a pod's use is estimated.
const (
	byRequest = iota
	byUID
	byWorkload
	numEstimates
)

// EstimateErrors is how far the estimates that were made of pods when they got
// their nodes are from the CPU that they use on average over their first 15 minutes,
// or their life if that is shorter: of the pods of a kind of workload that arrived
// in the measured part and started.
type EstimateErrors struct {
	Kind Kind `json:"kind"`
	Pods int  `json:"pods"`
	// Request is of what the pods request.
	Request EstimateError `json:"request"`
	// ByUID is of what would have been learned if workloads were known by the UIDs of
	// their pods' controllers: of ReplicaSets, and of the runs of CronJobs.
	ByUID EstimateError `json:"byUID"`
	// Learned is of the estimates that decisions were based on.
	Learned EstimateError `json:"learned"`
}

// EstimateError is of one way to estimate. The error is the mean of the difference
// between estimate and use, whichever is larger; the bias the mean of estimate less
// use. Percent are of the pod's request.
type EstimateError struct {
	ErrorCores   float64 `json:"errorCores"`
	BiasCores    float64 `json:"biasCores"`
	ErrorPercent float64 `json:"errorPercent"`
	BiasPercent  float64 `json:"biasPercent"`
}

// appraisal compares what pods were estimated to use with what they do use.
type appraisal struct {
	clock    *world.Clock
	from     time.Duration
	estimate func(*v1.Pod) [numEstimates]float64
	sums     map[Kind]*estimateSums
}

var _ lifecycleObserver = &appraisal{}

// newAppraisal returns an appraisal of the estimates of the cluster's load model
// from a time on. It must be made before the cluster has nodes and pods.
func newAppraisal(cluster *kube.Cluster, source *source, clock *world.Clock, from time.Duration) (*appraisal, error) {
	uidEstimate, err := cluster.Shadow(source, ownedByUID)
	if err != nil {
		return nil, err
	}
	cores := func(use amount.Vector) float64 { return amount.CPU.InUnits(use[amount.CPU]) }
	return &appraisal{
		clock: clock, from: from, sums: map[Kind]*estimateSums{},
		estimate: func(pod *v1.Pod) [numEstimates]float64 {
			return [numEstimates]float64{
				byRequest:  cores(cluster.Requested(pod)),
				byUID:      cores(uidEstimate(pod)),
				byWorkload: cores(cluster.Model().Estimate(pod)),
			}
		},
	}, nil
}

// ownedByUID returns the pod with a controller of which nothing is told but its UID.
func ownedByUID(pod *v1.Pod) *v1.Pod {
	controller := metav1.GetControllerOfNoCopy(pod)
	if controller == nil {
		return pod
	}
	owner := *controller
	owner.Kind, owner.Name = "Controller", string(controller.UID)
	seen := *pod
	seen.OwnerReferences = []metav1.OwnerReference{owner}
	return &seen
}

func (a *appraisal) arrived(*lifecycle) {}

func (a *appraisal) bound(l *lifecycle) { l.estimates = a.estimate(l.spec.Object) }

func (a *appraisal) ran(*lifecycle) {}

// started compares at once: what the pod is going to use is known here.
func (a *appraisal) started(l *lifecycle) {
	if l.spec.Arrival < a.from {
		return
	}
	sums := a.sums[l.spec.kind()]
	if sums == nil {
		sums = &estimateSums{}
		a.sums[l.spec.kind()] = sums
	}
	start := a.clock.Elapsed()
	sums.add(l.estimates, l.task.Use.MeanCPU(start, min(start+appraised, l.spec.EndsAt(start))))
}

func (a *appraisal) ended(*lifecycle) {}

func (a *appraisal) withdrawn(*lifecycle) {}

// result returns the errors of each kind of workload of which there were pods.
func (a *appraisal) result() []EstimateErrors {
	var all []EstimateErrors
	for _, kind := range kinds() {
		if sums := a.sums[kind]; sums != nil {
			all = append(all, EstimateErrors{
				Kind: kind, Pods: sums.pods,
				Request: sums.of(byRequest), ByUID: sums.of(byUID), Learned: sums.of(byWorkload),
			})
		}
	}
	return all
}

// estimateSums are the errors of pods, added up.
type estimateSums struct {
	pods int
	// requesting are those of them that request CPU.
	requesting int
	errors     [numEstimates]EstimateError
}

func (s *estimateSums) add(estimates [numEstimates]float64, use float64) {
	request := estimates[byRequest]
	s.pods++
	if request > 0 {
		s.requesting++
	}
	for i, estimate := range estimates {
		e, over := &s.errors[i], estimate-use
		e.ErrorCores += math.Abs(over)
		e.BiasCores += over
		if request > 0 {
			e.ErrorPercent += 100 * math.Abs(over) / request
			e.BiasPercent += 100 * over / request
		}
	}
}

func (s *estimateSums) of(way int) EstimateError {
	sum, pods, requesting := s.errors[way], float64(s.pods), float64(max(1, s.requesting))
	return EstimateError{
		ErrorCores: sum.ErrorCores / pods, BiasCores: sum.BiasCores / pods,
		ErrorPercent: sum.ErrorPercent / requesting, BiasPercent: sum.BiasPercent / requesting,
	}
}
