package churn

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim"
)

// workload is the pods of one controller.
type workload struct {
	key  string // namespace, kind and name of the controller
	pods []sim.Pod
	// replicas is how many there are on average in the measured part.
	replicas float64
	becomes  Event // empty: it remains a service
	made     int   // pods that were made
}

// group makes workloads of the pods that are services, and returns the others.
func (c *churner) group() (rest []sim.Pod) {
	byKey := map[string]*workload{}
	for _, pod := range c.scenario.Pods {
		c.taken[pod.Object.Namespace+"/"+pod.Object.Name] = true
		owner := metav1.GetControllerOfNoCopy(pod.Object)
		if pod.Object.Spec.NodeName != "" || owner == nil || sim.KindOf(pod.Object) != sim.Service {
			rest = append(rest, pod)
			continue
		}
		key := pod.Object.Namespace + "/" + owner.Kind + "/" + owner.Name
		w := byKey[key]
		if w == nil {
			w = &workload{key: key}
			byKey[key] = w
			c.workloads = append(c.workloads, w)
		}
		w.pods = append(w.pods, pod)
		w.replicas += c.presence(&pod)
	}
	return rest
}

// presence returns for which part of the measured time the pod is there, if it does
// not wait.
func (c *churner) presence(p *sim.Pod) float64 {
	from, to := c.scenario.MeasureFrom, c.scenario.End
	there := min(to, endOf(p)) - max(from, p.Arrival)
	return max(0, there.Seconds()) / (to - from).Seconds()
}

// endOf returns when the pod is deleted if it does not wait.
func endOf(p *sim.Pod) time.Duration { return p.EndsAt(p.Arrival + p.StartDelay) }

// owner is the controller of pods.
type owner struct {
	reference metav1.OwnerReference
	labels    map[string]string // of its pods
	policy    v1.RestartPolicy
}

// ownerOf returns the controller that the pod has, which must have one.
func ownerOf(pod *v1.Pod) owner {
	return owner{*metav1.GetControllerOfNoCopy(pod), pod.Labels, pod.Spec.RestartPolicy}
}

// deploymentOf returns the name of what stands above the pod's ReplicaSet, and whether
// anything does.
func deploymentOf(o *owner) (name string, found bool) {
	hash := o.labels[appsv1.DefaultDeploymentUniqueLabelKey]
	if o.reference.Kind != "ReplicaSet" || hash == "" {
		return "", false
	}
	return strings.CutSuffix(o.reference.Name, "-"+hash)
}

// revised returns the ReplicaSet of a later revision of a Deployment; what is none
// remains as it is.
func revised(o owner, revision int) owner {
	deployment, found := deploymentOf(&o)
	if !found {
		return o
	}
	hash := fmt.Sprintf("%08x", uint32(hashOf(string(o.reference.UID), fmt.Sprint(revision))))
	o.reference.Name = deployment + "-" + hash
	o.reference.UID += types.UID(fmt.Sprintf("-revision-%d", revision))
	o.labels = maps.Clone(o.labels)
	o.labels[appsv1.DefaultDeploymentUniqueLabelKey] = hash
	return o
}

// jobOf returns a Job instead of the pods' own controller. The name is that of what
// stands above that, and the suffix.
func jobOf(o owner, suffix string) owner {
	name := o.reference.Name
	if deployment, found := deploymentOf(&o); found {
		name = deployment
	}
	name += "-" + suffix
	isController := true
	labels := maps.Clone(o.labels)
	if labels == nil {
		labels = map[string]string{}
	}
	delete(labels, appsv1.DefaultDeploymentUniqueLabelKey)
	labels["batch.kubernetes.io/job-name"] = name
	return owner{
		reference: metav1.OwnerReference{
			APIVersion: "batch/v1", Kind: "Job", Name: name, UID: o.reference.UID + types.UID("-job-"+suffix), Controller: &isController,
		},
		labels: labels, policy: v1.RestartPolicyNever,
	}
}

// owned gives the pod the owner, and a name of its own.
func (c *churner) owned(w *workload, pod sim.Pod, o *owner) sim.Pod {
	object := *pod.Object
	for {
		w.made++
		object.Name = fmt.Sprintf("%s-c%05d", o.reference.Name, w.made)
		if name := object.Namespace + "/" + object.Name; !c.taken[name] {
			c.taken[name] = true
			break
		}
	}
	object.UID = types.UID("pod " + object.Namespace + "/" + object.Name)
	object.OwnerReferences, object.Labels = []metav1.OwnerReference{o.reference}, o.labels
	object.Spec.RestartPolicy = o.policy
	pod.Object = &object
	return pod
}

// replica returns another pod of the workload: one that requests and uses as one of its
// pods, but for the place in the series. It stays for ever.
func (c *churner) replica(w *workload, templates []sim.Pod, o *owner, arrival time.Duration, random *rand.Rand) sim.Pod {
	pod := c.owned(w, templates[random.IntN(len(templates))], o)
	pod.Arrival, pod.Lifetime, pod.Until = arrival, 0, 0
	if n := len(pod.Use.CPU); n > 0 {
		pod.Use.Offset = time.Duration(random.Float64() * float64(pod.Use.Step) * float64(n))
	}
	return pod
}

// ownersOf returns the ReplicaSets that own the pods, with those that the scenario had.
func (c *churner) ownersOf(pods []sim.Pod) []*appsv1.ReplicaSet {
	known := map[types.UID]bool{}
	sets := slices.Clone(c.scenario.ReplicaSets)
	for _, set := range sets {
		known[set.UID] = true
	}
	for i := range pods {
		object := pods[i].Object
		controller := metav1.GetControllerOfNoCopy(object)
		if controller == nil || controller.Kind != "ReplicaSet" || known[controller.UID] {
			continue
		}
		known[controller.UID] = true
		sets = append(sets, &appsv1.ReplicaSet{
			ObjectMeta: metav1.ObjectMeta{Namespace: object.Namespace, Name: controller.Name, UID: controller.UID, Labels: object.Labels},
			Spec:       appsv1.ReplicaSetSpec{Selector: &metav1.LabelSelector{MatchLabels: object.Labels}},
		})
	}
	return sets
}
