package snapshot

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// hasher replaces names by hashes: within a snapshot the same for the same name, so that
// owners, nodes and selectors still match. The key is made for one snapshot and kept
// nowhere, so that names cannot be guessed and tried.
type hasher struct{ key []byte }

func newHasher() (*hasher, error) {
	h := &hasher{key: make([]byte, 32)}
	_, err := rand.Read(h.key)
	return h, err
}

// name returns the hash of a name: a name that Kubernetes takes.
func (h *hasher) name(name string) string {
	if name == "" {
		return ""
	}
	mac := hmac.New(sha256.New, h.key)
	mac.Write([]byte(name))
	return "h" + hex.EncodeToString(mac.Sum(nil)[:6])
}

// value returns the hash of a label's value. Numbers, true and false stay: they name
// nothing, and are compared.
func (h *hasher) value(value string) string {
	if _, err := strconv.ParseFloat(value, 64); err == nil || value == "true" || value == "false" {
		return value
	}
	return h.name(value)
}

// owner returns the hash of a controller's name. Of a ReplicaSet's and a Job's the end
// stays apart: by it their Deployment and CronJob are known.
func (h *hasher) owner(kind, name string) string {
	cut := strings.LastIndexByte(name, '-')
	if cut < 1 || kind != "ReplicaSet" && kind != "Job" {
		return h.name(name)
	}
	return h.name(name[:cut]) + "-" + h.value(name[cut+1:])
}

// all hashes all names of a snapshot.
func (h *hasher) all(s *state) {
	for _, node := range s.nodes {
		h.node(node)
	}
	for _, pod := range s.pods {
		h.pod(pod)
	}
	for _, m := range s.nodeMetrics {
		m.ObjectMeta = metav1.ObjectMeta{Name: h.name(m.Name)}
	}
	for _, m := range s.podMetrics {
		m.ObjectMeta = metav1.ObjectMeta{Namespace: h.name(m.Namespace), Name: h.name(m.Name)}
		for i := range m.Containers {
			m.Containers[i].Name = h.name(m.Containers[i].Name)
		}
	}
	if s.recording == nil {
		return
	}
	for i := range s.recording.Nodes {
		s.recording.Nodes[i].Name = h.name(s.recording.Nodes[i].Name)
	}
	for i := range s.recording.Pods {
		p := &s.recording.Pods[i]
		p.Namespace, p.Name, p.UID, p.Node = h.name(p.Namespace), h.name(p.Name), h.name(p.UID), h.name(p.Node)
		if p.Owner != nil {
			p.Owner.Name = h.owner(p.Owner.Kind, p.Owner.Name)
		}
	}
}

// meta returns what stays of an object's metadata.
func (h *hasher) meta(m *metav1.ObjectMeta) metav1.ObjectMeta {
	hashed := metav1.ObjectMeta{
		Name: h.name(m.Name), Namespace: h.name(m.Namespace), UID: types.UID(h.name(string(m.UID))),
		CreationTimestamp: m.CreationTimestamp, DeletionTimestamp: m.DeletionTimestamp,
		Labels: h.values(m.Labels), Annotations: map[string]string{},
	}
	for name, value := range m.Annotations {
		switch {
		case strings.HasPrefix(name, "plimsoll.io/") && name != "plimsoll.io/isolated":
			hashed.Annotations[name] = value
		case name == v1.MirrorPodAnnotationKey:
			hashed.Annotations[name] = h.name(value)
		}
	}
	for _, o := range m.OwnerReferences {
		hashed.OwnerReferences = append(hashed.OwnerReferences, metav1.OwnerReference{
			APIVersion: o.APIVersion, Kind: o.Kind, Name: h.owner(o.Kind, o.Name), UID: types.UID(h.name(string(o.UID))), Controller: o.Controller,
		})
	}
	return hashed
}

func (h *hasher) values(labels map[string]string) map[string]string {
	hashed := make(map[string]string, len(labels))
	for key, value := range labels {
		hashed[key] = h.value(value)
	}
	return hashed
}

// node leaves what a scheduler asks for of a node.
func (h *hasher) node(node *v1.Node) {
	node.ObjectMeta = h.meta(&node.ObjectMeta)
	node.Spec = v1.NodeSpec{Taints: node.Spec.Taints, Unschedulable: node.Spec.Unschedulable}
	for i := range node.Spec.Taints {
		node.Spec.Taints[i].Value = h.value(node.Spec.Taints[i].Value)
	}
	status := v1.NodeStatus{Capacity: node.Status.Capacity, Allocatable: node.Status.Allocatable}
	for _, c := range node.Status.Conditions {
		status.Conditions = append(status.Conditions, v1.NodeCondition{Type: c.Type, Status: c.Status, LastHeartbeatTime: c.LastHeartbeatTime, LastTransitionTime: c.LastTransitionTime})
	}
	node.Status = status
}

// pod leaves what a scheduler asks for of a pod, but for volumes and images.
func (h *hasher) pod(pod *v1.Pod) {
	pod.ObjectMeta = h.meta(&pod.ObjectMeta)
	spec := pod.Spec
	pod.Spec = v1.PodSpec{
		NodeName: h.name(spec.NodeName), NodeSelector: h.values(spec.NodeSelector), Affinity: spec.Affinity,
		Tolerations: spec.Tolerations, TopologySpreadConstraints: spec.TopologySpreadConstraints,
		Priority: spec.Priority, PreemptionPolicy: spec.PreemptionPolicy, Overhead: spec.Overhead,
		InitContainers: h.containers(spec.InitContainers), Containers: h.containers(spec.Containers),
		RestartPolicy: spec.RestartPolicy, HostNetwork: spec.HostNetwork, Resources: spec.Resources,
	}
	for i := range pod.Spec.Tolerations {
		pod.Spec.Tolerations[i].Value = h.value(pod.Spec.Tolerations[i].Value)
	}
	for i := range pod.Spec.TopologySpreadConstraints {
		h.selector(pod.Spec.TopologySpreadConstraints[i].LabelSelector)
	}
	h.affinity(spec.Affinity)
	pod.Status = h.status(&pod.Status)
}

// status leaves when the pod and its containers came and went.
func (h *hasher) status(from *v1.PodStatus) v1.PodStatus {
	status := v1.PodStatus{Phase: from.Phase, StartTime: from.StartTime}
	for _, c := range from.Conditions {
		status.Conditions = append(status.Conditions, v1.PodCondition{Type: c.Type, Status: c.Status, Reason: c.Reason, LastTransitionTime: c.LastTransitionTime})
	}
	for i := range from.ContainerStatuses {
		c := &from.ContainerStatuses[i]
		left := v1.ContainerStatus{Name: h.name(c.Name), Ready: c.Ready, RestartCount: c.RestartCount}
		if c.State.Running != nil {
			left.State.Running = &v1.ContainerStateRunning{StartedAt: c.State.Running.StartedAt}
		}
		if t := c.State.Terminated; t != nil {
			left.State.Terminated = &v1.ContainerStateTerminated{ExitCode: t.ExitCode, StartedAt: t.StartedAt, FinishedAt: t.FinishedAt}
		}
		status.ContainerStatuses = append(status.ContainerStatuses, left)
	}
	return status
}

func (h *hasher) containers(all []v1.Container) (hashed []v1.Container) {
	for _, c := range all {
		left := v1.Container{Name: h.name(c.Name), Resources: c.Resources, RestartPolicy: c.RestartPolicy}
		for _, port := range c.Ports {
			left.Ports = append(left.Ports, v1.ContainerPort{HostPort: port.HostPort, ContainerPort: port.ContainerPort, Protocol: port.Protocol})
		}
		left.Resources.Claims = nil
		hashed = append(hashed, left)
	}
	return hashed
}
