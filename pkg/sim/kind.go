package sim

import (
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/load/workload"
)

// Kind is a kind of workload, by when its pods come and go.
type Kind string

// The kinds.
const (
	// Service: replicas that are there all the time.
	Service Kind = "service"
	// Autoscaled: replicas that come and go with the load.
	Autoscaled Kind = "autoscaled"
	// Job: pods that come once.
	Job Kind = "job"
	// CronJob: pods that come again and again, each time in another Job.
	CronJob Kind = "cronjob"
	// Single: a pod that nobody makes again.
	Single Kind = "single pod"
)

// kinds are all of them, in the order in which they are reported.
func kinds() []Kind { return []Kind{Service, Autoscaled, Job, CronJob, Single} }

// KindOf returns the kind of a pod's workload, as far as its owner tells.
func KindOf(pod *v1.Pod) Kind {
	owner := metav1.GetControllerOfNoCopy(pod)
	switch {
	case owner == nil:
		return Single
	case owner.Kind != "Job":
		return Service
	}
	if _, isRun := workload.CronJobOf(owner.Name); isRun {
		return CronJob
	}
	return Job
}

// kind returns the kind of the pod's workload.
func (p *Pod) kind() Kind {
	if p.Kind != "" {
		return p.Kind
	}
	return KindOf(p.Object)
}
