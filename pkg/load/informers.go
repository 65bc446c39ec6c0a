package load

import (
	"fmt"

	v1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
)

// Watch feeds the model from the informers of nodes and pods. Call it before
// the informers start. It returns what tells whether all that the API server
// listed first has been taken in.
func (m *Model) Watch(factory informers.SharedInformerFactory) (synced []cache.InformerSynced, err error) {
	nodes, err := factory.Core().V1().Nodes().Informer().AddEventHandler(m.nodeHandler())
	if err != nil {
		return nil, fmt.Errorf("watch nodes: %w", err)
	}
	pods, err := factory.Core().V1().Pods().Informer().AddEventHandler(m.podHandler())
	if err != nil {
		return nil, fmt.Errorf("watch pods: %w", err)
	}
	return []cache.InformerSynced{nodes.HasSynced, pods.HasSynced}, nil
}

func (m *Model) nodeHandler() cache.ResourceEventHandler {
	set := func(obj any) {
		if n, ok := obj.(*v1.Node); ok {
			m.SetNode(n.Name, amount.FromList(n.Status.Allocatable))
			m.setOverrides(n)
		}
	}
	return cache.ResourceEventHandlerFuncs{
		AddFunc:    set,
		UpdateFunc: func(_, obj any) { set(obj) },
		DeleteFunc: func(obj any) {
			if n, ok := lastKnown(obj).(*v1.Node); ok {
				m.RemoveNode(n.Name)
			}
		},
	}
}

func (m *Model) podHandler() cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{
		AddFunc: func(obj any) {
			if pod, ok := obj.(*v1.Pod); ok {
				m.checkAnnotations(nil, pod)
				m.SetPod(pod, true)
			}
		},
		UpdateFunc: func(oldObj, newObj any) {
			before, wasPod := oldObj.(*v1.Pod)
			pod, isPod := newObj.(*v1.Pod)
			if !wasPod || !isPod {
				return
			}
			// A watch that was interrupted shows a pod that was deleted and made
			// again under the same name as an update.
			recreated := before.UID != pod.UID
			if recreated {
				m.RemovePod(before)
			}
			m.checkAnnotations(before, pod)
			m.SetPod(pod, recreated || before.Spec.NodeName == "")
		},
		DeleteFunc: func(obj any) {
			if pod, ok := lastKnown(obj).(*v1.Pod); ok {
				m.RemovePod(pod)
			}
		},
	}
}

// lastKnown returns the object behind a deletion, also behind one that was
// noticed only because the object was no longer listed.
func lastKnown(obj any) any {
	if tombstone, ok := obj.(cache.DeletedFinalStateUnknown); ok {
		return tombstone.Obj
	}
	return obj
}
