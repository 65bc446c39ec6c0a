package kube

import (
	"errors"
	"fmt"
	"strconv"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
)

// The methods below do what the API server does, and tell all informers. An
// object that is passed to one belongs to the cluster then: the caller must not
// change it any more.

// AddNode adds a node.
func (c *Cluster) AddNode(node *v1.Node) error {
	c.stamp(node)
	return c.nodes.add(node)
}

// UpdateNode replaces the node of the same name.
func (c *Cluster) UpdateNode(node *v1.Node) error {
	c.stamp(node)
	return c.nodes.update(node)
}

// DeleteNode deletes a node. The pods on it remain, as they do for a while in
// a real cluster.
func (c *Cluster) DeleteNode(name string) error { return c.nodes.remove(name) }

// AddPod adds a pod: one that is to be scheduled if it has no node name. A
// schedulerName that it does not have is that of the first profile.
func (c *Cluster) AddPod(pod *v1.Pod) error {
	if err := c.admit(pod); err != nil {
		return fmt.Errorf("add pod %s: %w", klog.KObj(pod), err)
	}
	return c.pods.add(pod)
}

// UpdatePod replaces the pod of the same name. With another UID it is another
// pod, as after an interruption of the informer's watch.
func (c *Cluster) UpdatePod(pod *v1.Pod) error {
	if err := c.admit(pod); err != nil {
		return fmt.Errorf("update pod %s: %w", klog.KObj(pod), err)
	}
	return c.pods.update(pod)
}

// admit gives the pod what all pods have here.
func (c *Cluster) admit(pod *v1.Pod) error {
	if pod.UID == "" {
		return errors.New("it has no UID")
	}
	if pod.Spec.SchedulerName == "" {
		pod.Spec.SchedulerName = c.defaultProfile
	}
	if !c.preempts {
		never := v1.PreemptNever
		pod.Spec.PreemptionPolicy = &never
	}
	c.stamp(pod)
	return nil
}

// DeletePod deletes a pod.
func (c *Cluster) DeletePod(name types.NamespacedName) error {
	return c.deletePod(name, c.pods.remove)
}

// LosePod deletes a pod while nobody watches: that it is gone is told by a
// tombstone, with the pod as it was last seen.
func (c *Cluster) LosePod(name types.NamespacedName) error {
	return c.deletePod(name, c.pods.lose)
}

func (c *Cluster) deletePod(name types.NamespacedName, remove func(string) error) error {
	pod, err := c.Pod(name)
	if err != nil {
		return err
	}
	delete(c.failed, pod.UID)
	return remove(keyOf(name))
}

// Bind assigns the pod to the node, as the API server does when the scheduler
// asks it to.
func (c *Cluster) Bind(name types.NamespacedName, node string) error {
	before, err := c.Pod(name)
	if err != nil {
		return err
	}
	if before.Spec.NodeName != "" {
		return fmt.Errorf("bind pod %s to node %s: it is on node %s", name, node, before.Spec.NodeName)
	}
	delete(c.failed, before.UID)
	pod := before.DeepCopy()
	pod.Spec.NodeName = node
	return c.UpdatePod(pod)
}

// Pod returns the pod as it is at present. It must not be changed.
func (c *Cluster) Pod(name types.NamespacedName) (*v1.Pod, error) {
	object, found, err := c.pods.GetStore().GetByKey(keyOf(name))
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, fmt.Errorf("there is no pod %s", name)
	}
	return object.(*v1.Pod), nil
}

// Node returns the node as it is at present. It must not be changed.
func (c *Cluster) Node(name string) (*v1.Node, error) {
	object, found, err := c.nodes.GetStore().GetByKey(name)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, fmt.Errorf("there is no node %s", name)
	}
	return object.(*v1.Node), nil
}

// keyOf returns the key of a pod in the informer's store.
func keyOf(name types.NamespacedName) string {
	return cache.ObjectName{Namespace: name.Namespace, Name: name.Name}.String()
}

func nameOf(pod *v1.Pod) types.NamespacedName {
	return types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}
}

// stamp gives the object the next resource version.
func (c *Cluster) stamp(object metav1.Object) {
	c.versions++
	object.SetResourceVersion(strconv.FormatUint(c.versions, 10))
}
