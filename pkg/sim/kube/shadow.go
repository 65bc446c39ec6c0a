package kube

import (
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

// Shadow returns what another load model estimates that a pod uses. It has the
// settings of the cluster's, is told of the same nodes and pods, those as seen returns
// them, and reads the source in the same Routines. No plugin asks it: it is for who
// wants to compare. Call it before nodes and pods are added, and only if there is a
// Model. seen must not change the pod that it is given.
func (c *Cluster) Shadow(source load.Source, seen func(*v1.Pod) *v1.Pod) (estimate func(*v1.Pod) amount.Vector, err error) {
	factory := informers.NewSharedInformerFactory(nil, 0)
	factory.InformerFor(&v1.Node{}, func(kubernetes.Interface, time.Duration) cache.SharedIndexInformer { return c.nodes })
	factory.InformerFor(&v1.Pod{}, func(kubernetes.Interface, time.Duration) cache.SharedIndexInformer {
		return &disguise{c.pods, seen}
	})
	config := c.modelConfig
	config.Report, config.Demands = nil, nil
	config.Window = 0 // statistics of nodes, which it is not asked for, take most of the time
	model := load.NewModel(config, source)
	if _, err := model.Watch(factory); err != nil {
		return nil, err
	}
	c.shadows = append(c.shadows, model)
	return func(pod *v1.Pod) amount.Vector { return model.Estimate(seen(pod)) }, nil
}

// disguise is an informer whose handlers are told of other pods than there are.
type disguise struct {
	*informer
	seen func(*v1.Pod) *v1.Pod
}

func (d *disguise) AddEventHandler(handler cache.ResourceEventHandler) (cache.ResourceEventHandlerRegistration, error) {
	other := func(object any) any {
		if pod, ok := object.(*v1.Pod); ok {
			return d.seen(pod)
		}
		return object
	}
	return d.informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { handler.OnAdd(other(object), false) },
		UpdateFunc: func(before, object any) { handler.OnUpdate(other(before), other(object)) },
		DeleteFunc: func(object any) { handler.OnDelete(other(object)) },
	})
}
