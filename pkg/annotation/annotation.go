// Package annotation reads the annotations by which users override arguments for
// one pod or node, and reports those that are not valid.
package annotation

import (
	"sync"

	v1 "k8s.io/api/core/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/line"
)

// Thresholds returns the thresholds of its own that a node's annotation gives it.
// The error is about an annotation that is not valid; then it has none.
func Thresholds(node *v1.Node) (own line.Own, err error) {
	value, given := node.Annotations[config.ThresholdsAnnotation]
	if !given {
		return own, nil
	}
	values, err := config.ParseThresholds(value)
	if err != nil {
		return line.Own{}, err
	}
	for r := range amount.NumResources {
		own.Percent[r], own.Set[r] = values[string(r.Name())]
	}
	return own, nil
}

// Estimate is what a pod's annotation says that it will use, of the resources that
// are Set.
type Estimate struct {
	Use amount.Vector
	Set [amount.NumResources]bool
}

// Over returns the use, with the estimate instead of it where that is set.
func (e *Estimate) Over(use amount.Vector) amount.Vector {
	for r := range use {
		if e.Set[r] {
			use[r] = e.Use[r]
		}
	}
	return use
}

// maxParsed bounds the estimates that are kept in parsed form. There are as many
// as pod templates that have one.
const maxParsed = 1000

// Estimates reads the estimates of pods, each text once. Its methods may be called
// from any goroutine.
type Estimates struct {
	mu     sync.Mutex
	parsed map[string]Estimate
}

// NewEstimates returns estimates that have read none yet.
func NewEstimates() *Estimates { return &Estimates{parsed: map[string]Estimate{}} }

// Of returns the estimate that the pod's annotation gives. One that is not valid
// is not there.
func (e *Estimates) Of(pod *v1.Pod) Estimate {
	value, given := pod.Annotations[config.EstimateAnnotation]
	if !given {
		return Estimate{}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	estimate, known := e.parsed[value]
	if known {
		return estimate
	}
	if quantities, err := config.ParseEstimate(value); err == nil {
		for r := range amount.NumResources {
			if quantity, ok := quantities[string(r.Name())]; ok {
				estimate.Use[r], estimate.Set[r] = amount.FromQuantity(r, quantity), true
			}
		}
	}
	if len(e.parsed) >= maxParsed {
		clear(e.parsed)
	}
	e.parsed[value] = estimate
	return estimate
}
