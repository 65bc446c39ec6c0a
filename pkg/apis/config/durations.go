package config

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

const (
	// maxPoll bounds the interval and the timeout of polls.
	maxPoll = 10 * time.Minute
	// maxSamples bounds a node's history. At 500 samples of 48 bytes, 5,000
	// nodes take 120 MB.
	maxSamples = 500
	// minSamples is the least that a statistic can be made of: with fewer it is
	// the newest sample, as with no history at all.
	minSamples = 2
)

// validateDurations returns every duration that is out of range, or that makes
// no sense beside another. Where one of two is out of range they are not
// compared: one message is enough.
//
// No rule is needed for the pairs that are not here. Warm-up is a property of
// what runs in pods: a pod counts by its estimate until warm-up is over and all
// of the history shows it, whichever of the two is longer. Expiration is
// compared with the newest sample, which stays however short the history is. And
// a pod whose wait (filter.maxWait) is shorter than an interval may still be
// helped by another pod's end.
func (a *NodeLoadArgs) validateDurations(fld *field.Path) field.ErrorList {
	d := durations{fld: fld}
	interval := d.in(a.Source.Interval, time.Second, maxPoll, "source", "interval")
	timeout := d.in(a.Source.Timeout, time.Millisecond, maxPoll, "source", "timeout")
	expiration := d.in(a.Expiration, time.Second, 24*time.Hour, "expiration")
	window := d.in(a.Window, 0, maxSamples*maxPoll, "window")
	d.in(a.Estimate.WarmUp, 0, time.Hour, "estimate", "warmUp")
	d.in(a.Filter.MaxWait, 0, 24*time.Hour, "filter", "maxWait")

	if interval && timeout && a.Source.Timeout > a.Source.Interval {
		d.invalid(a.Source.Timeout, fmt.Sprintf("must not exceed source.interval, which is %s: the next poll would be due before one has ended",
			a.Source.Interval), "source", "timeout")
	} else if least := a.Source.Interval + a.Source.Timeout; interval && timeout && expiration && a.Expiration < least {
		d.invalid(a.Expiration, fmt.Sprintf("must be at least source.interval + source.timeout, which is %s: a sample would expire before the next poll can replace it",
			least), "expiration")
	}
	if low, high := minSamples*a.Source.Interval, maxSamples*a.Source.Interval; interval && window && a.Window != 0 && (a.Window < low || a.Window > high) {
		d.invalid(a.Window, fmt.Sprintf("must be 0s, which keeps the newest sample only, or from %d to %d times source.interval, which is %s to %s",
			minSamples, maxSamples, low, high), "window")
		window = false
	}
	if a.Source.Type == PrometheusServer && a.Source.Prometheus != nil {
		d.prometheus(a, expiration, window)
	}
	return d.errs
}

// durations gathers the faults of durations below fld.
type durations struct {
	fld  *field.Path
	errs field.ErrorList
}

// prometheus compares the range of the expressions with the expiration and the
// history, where those are in range.
func (d *durations) prometheus(a *NodeLoadArgs, expiration, window bool) {
	own := a.Source.Prometheus.Window
	switch {
	case !d.in(own, time.Second, 24*time.Hour, "source", "prometheus", "window"):
	case expiration && own > a.Expiration:
		// A node that is gone may be in a range until all of it is past. That
		// must not be longer than a sample is believed.
		d.invalid(own, "must not exceed expiration, which is "+a.Expiration.String(), "source", "prometheus", "window")
	case window && a.Window != 0 && a.Window < own:
		d.invalid(a.Window, "must be 0s, or at least source.prometheus.window, which is "+own.String()+": each sample would reach back beyond the history", "window")
	}
}

// in reports whether the value is from low to high, and adds a fault if not.
func (d *durations) in(value, low, high time.Duration, path ...string) bool {
	if value >= low && value <= high {
		return true
	}
	d.invalid(value, "must be between "+low.String()+" and "+high.String(), path...)
	return false
}

func (d *durations) invalid(value time.Duration, why string, path ...string) {
	d.errs = append(d.errs, field.Invalid(d.fld.Child(path[0], path[1:]...), value.String(), why))
}
