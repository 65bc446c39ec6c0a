package workload

import (
	"time"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/demand"
)

const (
	// priorEvidence is how many workloads count besides those that were measured, as
	// ones that use half of what they request, give or take as much: unknownMean and
	// unknownVariance. (In public traces most workloads use less than half.)
	priorEvidence   = 5
	unknownMean     = 0.5
	unknownVariance = 0.25
	// minMeasured is from how much time of samples a workload tells of others.
	minMeasured = 5 * time.Minute
)

// Prior is what is usual of a cluster's workloads: mean and variance over them of
// mean use by request.
type Prior struct{ mean, variance [amount.NumResources]float64 }

// of returns the mean, and the variance of the mean, of a workload of which only
// the request is known.
func (p *Prior) of(r amount.Resource, requested int64) (mean, variance float64) {
	q := float64(requested)
	return p.mean[r] * q, p.variance[r] * q * q
}

// demand is moments.demand where nothing was measured.
func (p *Prior) demand(r amount.Resource, requested int64) (mean, variance, uncertain float64) {
	mean, uncertain = p.of(r, requested)
	return mean, demand.UnknownVariance(mean) + uncertain, uncertain
}

// Demand returns the demand of a pod of which only the requests are known.
func (p *Prior) Demand(requests amount.Vector) (d demand.Demand) {
	for r := range requests {
		d.Mean[r], d.Variance[r], d.Doubt[r] = p.demand(amount.Resource(r), requests[r])
	}
	return d
}

// sums add up the ratios of workloads.
type sums struct{ count, sum, square float64 }

func (s *sums) add(ratio float64) {
	s.count++
	s.sum += ratio
	s.square += ratio * ratio
}

// moments returns mean and variance with those of workloads that use what they
// request besides.
func (s *sums) moments() (mean, variance float64) {
	count := s.count + priorEvidence
	mean = (s.sum + priorEvidence*unknownMean) / count
	return mean, (s.square+priorEvidence*(unknownVariance+unknownMean*unknownMean))/count - mean*mean
}

// Renew derives what is usual, and the demand of each workload, from what they have
// learned until now.
func (b *Book[Pod]) Renew() {
	var ratios [amount.NumResources]sums
	for _, w := range b.workloads {
		for r := range w.use {
			if requested := w.key.requests[r]; requested > 0 && w.use[r].weight >= minMeasured.Seconds() {
				ratios[r].add(w.use[r].mean / float64(requested))
			}
		}
	}
	for r := range ratios {
		b.prior.mean[r], b.prior.variance[r] = ratios[r].moments()
	}
	for _, w := range b.workloads {
		w.demand = w.demandGiven(b.prior)
	}
}

// Prior returns what is usual of the workloads.
func (b *Book[Pod]) Prior() *Prior { return &b.prior }

// Demand returns the demand of the next pod of the workload.
func (b *Book[Pod]) Demand(key Key) demand.Demand {
	if w := b.workloads[key]; w != nil {
		return w.demand
	}
	return b.prior.Demand(key.requests)
}

// Demand returns the demand of each pod of the workload, as it was last renewed.
func (w *Workload[Pod]) Demand() demand.Demand { return w.demand }

func (w *Workload[Pod]) demandGiven(prior Prior) (d demand.Demand) {
	for r := range w.use {
		d.Mean[r], d.Variance[r], d.Doubt[r] = w.use[r].demand(amount.Resource(r), w.key.requests[r], prior)
	}
	return d
}
