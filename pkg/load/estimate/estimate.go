// Package estimate says how much a pod will use, by its requests, before that
// can be measured.
package estimate

import (
	v1 "k8s.io/api/core/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
)

// Estimator says how much a pod will use before that can be measured.
type Estimator struct {
	// Factors are percent of the request.
	Factors [amount.NumResources]int64
	// Defaults stand in for the request of a container that has none. They are
	// not scaled by Factors.
	Defaults amount.Vector
}

// Pod returns the estimate for pod. Containers are added up as the scheduler
// adds up their requests (KEP-753, "effective request"): the larger of
//
//   - all containers and sidecars together, and
//   - each init container that has not ended together with the sidecars started
//     before it,
//
// except that a request for the whole pod (KEP-2837) replaces those of its
// containers. The pod's overhead is added as it is.
func (e *Estimator) Pod(pod *v1.Pod) amount.Vector { return e.sum(pod, hasSucceeded) }

// Template returns the estimate for pod before anything of it has run: it follows
// from its spec alone, and is the same for all pods that are made alike.
func (e *Estimator) Template(pod *v1.Pod) amount.Vector {
	return e.sum(pod, func(*v1.Pod, string) bool { return false })
}

// sum adds up the estimates of the containers. ended reports whether an init
// container does not count any more.
func (e *Estimator) sum(pod *v1.Pod, ended func(pod *v1.Pod, initContainer string) bool) amount.Vector {
	running, peak := amount.Vector{}, amount.Vector{}
	for i := range pod.Spec.InitContainers {
		c := &pod.Spec.InitContainers[i]
		estimate := e.Container(c)
		switch {
		case IsSidecar(c):
			running = running.Add(estimate)
			peak = peak.Max(running)
		case !ended(pod, c.Name):
			peak = peak.Max(running.Add(estimate))
		}
	}
	for i := range pod.Spec.Containers {
		running = running.Add(e.Container(&pod.Spec.Containers[i]))
	}
	total := running.Max(peak)
	if pod.Spec.Resources != nil {
		for r := range amount.NumResources {
			if quantity, ok := pod.Spec.Resources.Requests[r.Name()]; ok {
				total[r] = e.scale(r, amount.FromQuantity(r, quantity))
			}
		}
	}
	total = total.Add(amount.FromList(pod.Spec.Overhead))
	for r := range total {
		total[r] = min(total[r], amount.Limit)
	}
	return total
}

// IsSidecar reports whether an init container runs on beside the others.
func IsSidecar(c *v1.Container) bool {
	return c.RestartPolicy != nil && *c.RestartPolicy == v1.ContainerRestartPolicyAlways
}

// hasSucceeded reports whether the init container of the name has done its work. A
// kubelet may report none: then all have that run before a pod that runs.
func hasSucceeded(pod *v1.Pod, name string) bool {
	for i := range pod.Status.InitContainerStatuses {
		if s := &pod.Status.InitContainerStatuses[i]; s.Name == name {
			return s.State.Terminated != nil && s.State.Terminated.ExitCode == 0
		}
	}
	return pod.Status.Phase == v1.PodRunning
}

// Container returns the estimate for a container alone.
func (e *Estimator) Container(c *v1.Container) amount.Vector {
	estimate := e.Defaults
	for r := range amount.NumResources {
		if quantity, ok := c.Resources.Requests[r.Name()]; ok {
			estimate[r] = e.scale(r, amount.FromQuantity(r, quantity))
		}
	}
	return estimate
}

// Requested returns the use to expect from pods that request this much.
func (e *Estimator) Requested(requests amount.Vector) amount.Vector {
	for r := range amount.NumResources {
		requests[r] = e.scale(r, min(requests[r], amount.Limit))
	}
	return requests
}

func (e *Estimator) scale(r amount.Resource, request int64) int64 {
	return request * e.Factors[r] / 100
}
