package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// The pause between two looks at a condition is a twentieth of what was waited
	// so far, within these bounds: what takes long is not looked at so often that the
	// looking itself keeps the machine busy.
	minPause = 100 * time.Millisecond
	maxPause = 500 * time.Millisecond
	// waitTimeout bounds a wait whose context has no deadline.
	waitTimeout = 2 * time.Minute
)

// WaitFor waits until the condition holds: at most until the context's
// deadline, or 2 minutes if it has none. An error of the condition does not
// end the wait: it is the state so far, and the last one is part of the error
// that WaitFor returns when the time is up.
func WaitFor(ctx context.Context, what string, condition func(context.Context) (bool, error)) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, waitTimeout)
		defer cancel()
	}
	begin := time.Now()
	var state error
	for {
		done, err := condition(ctx)
		if done {
			return nil
		}
		if ctx.Err() == nil || state == nil {
			state = err // the context's own end says nothing about the state
		}
		select {
		case <-ctx.Done():
			err := fmt.Errorf("waited %.1fs for %s: %w", time.Since(begin).Seconds(), what, context.Cause(ctx))
			if state != nil {
				err = fmt.Errorf("%w; last state: %w", err, state)
			}
			return err
		case <-time.After(min(max(time.Since(begin)/20, minPause), maxPause)):
		}
	}
}

// WaitNodeUsage waits until what metrics-server reports, by node, satisfies
// the condition. A node that has not been measured yet has no entry.
func (c *Cluster) WaitNodeUsage(ctx context.Context, condition func(usage map[string]corev1.ResourceList) bool) error {
	return WaitFor(ctx, "node usage in metrics-server", func(ctx context.Context) (bool, error) {
		list, err := c.Metrics.MetricsV1beta1().NodeMetricses().List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, err
		}
		usage := make(map[string]corev1.ResourceList, len(list.Items))
		for _, item := range list.Items {
			usage[item.Name] = item.Usage
		}
		return condition(usage), fmt.Errorf("usage is {%s}", formatUsage(usage))
	})
}

func formatUsage(usage map[string]corev1.ResourceList) string {
	nodes := make([]string, 0, len(usage))
	for name, list := range usage {
		nodes = append(nodes, fmt.Sprintf("%s: cpu %s, memory %s", name, list.Cpu(), list.Memory()))
	}
	slices.Sort(nodes)
	return strings.Join(nodes, "; ")
}
