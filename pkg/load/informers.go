package load

import (
	"fmt"

	v1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/annotation"
	"github.com/plimsoll-scheduler/plimsoll/pkg/line"
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
	set := func(node *v1.Node) {
		own, err := annotation.Thresholds(node)
		if err != nil {
			own = line.Own{} // annotation.Reporter says so
		}
		m.SetNodeSince(node.Name, node.CreationTimestamp.Time, amount.FromList(node.Status.Allocatable), own)
	}
	return cache.ResourceEventHandlerFuncs{
		AddFunc: func(obj any) {
			if node, ok := obj.(*v1.Node); ok {
				set(node)
			}
		},
		UpdateFunc: func(oldObj, newObj any) {
			before, wasNode := oldObj.(*v1.Node)
			node, isNode := newObj.(*v1.Node)
			if !wasNode || !isNode {
				return
			}
			if isAnother(before, node) {
				m.RemoveNode(before.Name)
			}
			set(node)
		},
		DeleteFunc: func(obj any) {
			if node, ok := LastKnown(obj).(*v1.Node); ok {
				m.RemoveNode(node.Name)
			}
		},
	}
}

// isAnother reports whether a node has been replaced under its name while nobody
// watched, or has booted anew: what was measured before says nothing of it.
func isAnother(before, node *v1.Node) bool {
	was, is := before.Status.NodeInfo.BootID, node.Status.NodeInfo.BootID
	return before.UID != node.UID || was != is && was != "" && is != ""
}

func (m *Model) podHandler() cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{
		AddFunc: func(obj any) {
			if pod, ok := obj.(*v1.Pod); ok {
				m.SetPod(pod)
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
			if before.UID != pod.UID {
				m.RemovePod(before)
			}
			m.SetPod(pod)
		},
		DeleteFunc: func(obj any) {
			if pod, ok := LastKnown(obj).(*v1.Pod); ok {
				m.RemovePod(pod)
			}
		},
	}
}

// LastKnown returns the object behind a deletion, also behind one that was
// noticed only because the object was no longer listed.
func LastKnown(obj any) any {
	if tombstone, ok := obj.(cache.DeletedFinalStateUnknown); ok {
		return tombstone.Obj
	}
	return obj
}
