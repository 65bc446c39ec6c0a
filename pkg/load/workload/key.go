package workload

import (
	"cmp"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
)

// Key tells pods apart that may use different amounts: by the owner that outlives
// a rollout or a run, the names of their containers, and what they request as their
// owner makes them. Never by the name or UID of a pod, nor of a ReplicaSet or a run of
// a CronJob, nor by how far a pod has got.
type Key struct {
	namespace, kind, name string
	containers            string
	requests              amount.Vector
}

// KeyOf returns the key of the pod's workload, and whether it has one. requests is
// what the requests of its spec suggest that it uses, whatever its status says.
func KeyOf(pod *v1.Pod, requests amount.Vector) (Key, bool) {
	controller := metav1.GetControllerOfNoCopy(pod)
	if controller == nil {
		return Key{}, false
	}
	k := Key{namespace: pod.Namespace, requests: requests, containers: containersOf(pod)}
	k.kind, k.name = rootOf(pod, controller)
	return k, true
}

// containersOf joins the names of the containers that run as long as the pod.
func containersOf(pod *v1.Pod) string {
	if len(pod.Spec.Containers) == 1 {
		return pod.Spec.Containers[0].Name
	}
	names := make([]string, 0, len(pod.Spec.Containers))
	for i := range pod.Spec.Containers {
		names = append(names, pod.Spec.Containers[i].Name)
	}
	return strings.Join(names, ",")
}

const (
	// jobSetLabel has the name of the JobSet that a Job belongs to.
	jobSetLabel = "jobset.sigs.k8s.io/jobset-name"
	// rolloutHashLabel is to Argo's Rollouts what pod-template-hash is to
	// Deployments.
	rolloutHashLabel = "rollouts-pod-template-hash"
)

// rootOf returns what stands above the pod's controller, as far as names and labels
// tell, so that no further objects have to be watched: a Deployment or a Rollout
// names its ReplicaSets after itself and the hash of the template, which the pods
// carry as a label, and a CronJob its Jobs after itself and the minute of the run.
func rootOf(pod *v1.Pod, controller *metav1.OwnerReference) (kind, name string) {
	switch controller.Kind {
	case "ReplicaSet":
		for _, label := range [...]string{appsv1.DefaultDeploymentUniqueLabelKey, rolloutHashLabel} {
			if hash := pod.Labels[label]; hash != "" {
				if above, found := strings.CutSuffix(controller.Name, "-"+hash); found && above != "" {
					return "Deployment", above
				}
			}
		}
	case "Job":
		if above := pod.Labels[jobSetLabel]; above != "" {
			return "JobSet", above
		}
		if above, found := CronJobOf(controller.Name); found {
			return "CronJob", above
		}
	}
	return controller.Kind, controller.Name
}

// OwnerOf returns the owner by which the pod's workload is known, and whether it has one.
func OwnerOf(pod *v1.Pod) (kind, name string, ok bool) {
	controller := metav1.GetControllerOfNoCopy(pod)
	if controller == nil {
		return "", "", false
	}
	kind, name = rootOf(pod, controller)
	return kind, name, true
}

// compare orders keys, so that what is done in turn does not depend on the order
// of a map.
func (k *Key) compare(other *Key) int {
	return cmp.Or(
		cmp.Compare(k.namespace, other.namespace),
		cmp.Compare(k.kind, other.kind),
		cmp.Compare(k.name, other.name),
		cmp.Compare(k.containers, other.containers),
		slices.Compare(k.requests[:], other.requests[:]))
}

// minuteDigits is how many digits the minutes since 1970 have until the year 2160.
const minuteDigits = 8

// CronJobOf returns the name of the CronJob that the Job is a run of, by its name:
// that of the CronJob, and the minutes from 1970 until the run.
func CronJobOf(job string) (cronJob string, found bool) {
	last := strings.LastIndexByte(job, '-')
	if last <= 0 || len(job)-last-1 != minuteDigits {
		return "", false
	}
	for _, digit := range job[last+1:] {
		if digit < '0' || digit > '9' {
			return "", false
		}
	}
	return job[:last], true
}
