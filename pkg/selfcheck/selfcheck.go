// Package selfcheck looks, when the scheduler starts and from time to time, for what is
// wrong around it: what it lacks in the cluster, and how to mend it. It stops nothing: the
// scheduler goes on as well as it can.
package selfcheck

import (
	"context"
	"sync"
	"time"

	"k8s.io/component-base/metrics"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
)

// Finding is something that is wrong.
type Finding struct {
	// What says what it is, and Remedy how to mend it.
	What, Remedy string
}

// Check looks at one thing. Run returns what is wrong; empty if nothing is. An error is
// that it cannot be told: then what was last found stands.
type Check struct {
	// Name is a label of a metric: short, with underscores.
	Name string
	Run  func(ctx context.Context) ([]Finding, error)
}

const (
	// every is how often all is looked at, and soon how often while something is wrong.
	every, soon = 10 * time.Minute, time.Minute
	// limit is for one check.
	limit = 10 * time.Second
)

// Checker runs checks.
type Checker struct {
	checks []Check
	clock  clock.Clock
	gauge  *metrics.GaugeVec
	// report is told of each finding that is new.
	report func(ctx context.Context, check string, f Finding)

	mu    sync.Mutex
	found map[string][]Finding
}

// New returns a checker. report, which may be nil, is told of each finding once, as long as
// it stands.
func New(checks []Check, report func(ctx context.Context, check string, f Finding), clock clock.Clock) *Checker {
	if report == nil {
		report = func(context.Context, string, Finding) {}
	}
	return &Checker{
		checks: checks, report: report, clock: clock, found: map[string][]Finding{},
		gauge: metrics.NewGaugeVec(&metrics.GaugeOpts{
			Namespace: "plimsoll", Name: "self_check_findings", StabilityLevel: metrics.ALPHA,
			Help: "Things that are wrong around the scheduler, by the check that found them; the log and events on the scheduler's pod say what, and how to mend it.",
		}, []string{"check"}),
	}
}

// Metrics returns the checker's metrics, to be registered.
func (c *Checker) Metrics() []metrics.Registerable { return []metrics.Registerable{c.gauge} }

// Run runs all checks now and then, until ctx ends.
func (c *Checker) Run(ctx context.Context) {
	for {
		wait := every
		if c.Once(ctx) {
			wait = soon
		}
		select {
		case <-ctx.Done():
			return
		case <-c.clock.After(wait):
		}
	}
}

// Once runs all checks, and reports whether something is wrong.
func (c *Checker) Once(ctx context.Context) (wrong bool) {
	for _, check := range c.checks {
		found, err := c.run(ctx, check)
		if ctx.Err() != nil {
			return wrong
		}
		if err != nil {
			klog.FromContext(ctx).V(2).Info("A check of what is around the scheduler could not be made", "check", check.Name, "err", err)
			wrong = true // look again soon
			continue
		}
		wrong = c.note(ctx, check.Name, found) || wrong
	}
	return wrong
}

func (c *Checker) run(ctx context.Context, check Check) ([]Finding, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return check.Run(ctx)
}

// note notes what a check has found, and tells of what is new, and of what is mended.
func (c *Checker) note(ctx context.Context, check string, found []Finding) (wrong bool) {
	c.mu.Lock()
	before := c.found[check]
	c.found[check] = found
	c.mu.Unlock()
	c.gauge.WithLabelValues(check).Set(float64(len(found)))
	logger := klog.FromContext(ctx)
	for _, f := range missingIn(before, found) {
		logger.Error(nil, f.What, "check", check, "remedy", f.Remedy)
		c.report(ctx, check, f)
	}
	for _, f := range missingIn(found, before) {
		logger.Info("Mended: "+f.What, "check", check)
	}
	return len(found) > 0
}

// missingIn returns those of the findings that are not in the others.
func missingIn(others, findings []Finding) (missing []Finding) {
	known := map[string]bool{}
	for _, f := range others {
		known[f.What] = true
	}
	for _, f := range findings {
		if !known[f.What] {
			missing = append(missing, f)
		}
	}
	return missing
}
