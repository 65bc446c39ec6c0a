// Package kube is a cluster as its scheduler sees it, without an API server: the
// objects, and kube-scheduler's own code (cache, snapshot, queue, framework,
// in-tree plugins) with the plugins that run in production, driven one call at a
// time in the time of a clock that the caller sets.
//
// The caller plays the rest of the cluster. It adds, updates and deletes nodes
// and pods, which the scheduler is told of before the call returns; runs
// scheduling cycles (ScheduleOne) and carries out what they decide (Bind); and
// runs what the scheduler's process does regularly (Routines) when it is due.
// The same calls at the same times give the same decisions: nothing is drawn,
// not even among nodes of the same score.
//
// A Cluster belongs to one goroutine.
//
// Four things differ from kube-scheduler's process. Informers call their
// handlers at once. A binding is not sent anywhere, but returned, and so is
// which pods preemption evicts; without who carries that out, pods preempt none.
// And the queue is not run, because its goroutines wait by the wall clock:
// what they do is a Routine, but for moving pods whose backoff has ended, which
// is not needed, because an idle kube-scheduler pops pods that back off
// (SchedulerPopFromBackoffQ).
package kube

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	kubescheduler "k8s.io/kubernetes/pkg/scheduler"
	schedconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"
	internalcache "k8s.io/kubernetes/pkg/scheduler/backend/cache"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	frameworkruntime "k8s.io/kubernetes/pkg/scheduler/framework/runtime"
	"k8s.io/utils/clock"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/demand"
	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

// Options say what a cluster is made of.
type Options struct {
	// Clock is the time that everything goes by. The caller sets it.
	Clock clock.WithTicker
	// Profiles are the scheduling profiles, at least one.
	Profiles []schedconfig.KubeSchedulerProfile
	// Source is what the load model reads. Without one, no node is ever measured.
	Source load.Source
	// Demands tells the load model what a pod is going to use; nil if nobody knows.
	Demands func(*v1.Pod) (d demand.Demand, known bool)
	// Plugins are those beside kube-scheduler's and Plimsoll's own. They replace
	// one of the scheduler command's plugins of the same name.
	Plugins frameworkruntime.Registry
	// ReplicaSets are the owners of pods: kube-scheduler spreads the pods of one
	// over nodes by default.
	ReplicaSets []*appsv1.ReplicaSet
	// Inventory returns the devices of dynamic resource allocation that nodes have, for
	// DeviceFit. Without one it knows of none.
	Inventory func(context.Context, fwk.Handle) (device.ClassInventory, error)
	// Decisions is where NodeLoad explains its decisions; nil if they are not
	// explained. It takes them in while its Run runs, by another goroutine.
	Decisions *explain.Log
	// Evict is told of each pod that preemption evicts, during a scheduling cycle;
	// the caller is to have it end after the cycle. Without it, pods preempt none.
	// (With the feature SchedulerAsyncPreemption, it is called by another
	// goroutine, at any time.)
	Evict func(pod types.NamespacedName)
	// Event is told of the events that the scheduler and its plugins record, with
	// Decisions also by the goroutine that explains them. It may be nil.
	Event func(Event)
}

// Event is an event of the Kubernetes API.
type Event struct {
	// Object is what the event regards.
	Object runtime.Object
	// Type is Normal or Warning.
	Type                 string
	Reason, Action, Note string
}

// Cluster is a cluster as its scheduler sees it.
type Cluster struct {
	clock       clock.PassiveClock
	logger      klog.Logger
	nodes, pods *informer
	others      others
	versions    uint64 // of objects, as the API server counts them

	scheduler *kubescheduler.Scheduler
	snapshot  *internalcache.Snapshot
	// defaultProfile is the schedulerName of pods that have none.
	defaultProfile string
	preempts       bool
	plugins        map[pluginKey]fwk.Plugin
	cycle          cycle
	// failed are the pods that were tried in vain.
	failed map[types.UID]failure

	model       *load.Model // nil if no plugin uses it
	modelConfig load.Config
	shadows     []*load.Model
}

// New returns a cluster without nodes and pods. What the plugins start ends
// with ctx.
func New(ctx context.Context, o Options) (*Cluster, error) {
	if len(o.Profiles) == 0 {
		return nil, fmt.Errorf("a cluster has at least one scheduling profile")
	}
	c := &Cluster{
		clock: o.Clock, logger: logr.Discard(), nodes: &informer{}, pods: &informer{}, others: newOthers(),
		defaultProfile: o.Profiles[0].SchedulerName, preempts: o.Evict != nil,
		plugins: map[pluginKey]fwk.Plugin{}, failed: map[types.UID]failure{},
	}
	ctx = klog.NewContext(ctx, c.logger)
	client := newClient(o.Evict, c)
	factory, err := c.newInformers(client, o.ReplicaSets)
	if err != nil {
		return nil, err
	}
	profiles := make([]schedconfig.KubeSchedulerProfile, len(o.Profiles))
	for i := range o.Profiles {
		profiles[i] = *o.Profiles[i].DeepCopy()
	}
	registry, err := c.registry(&o, profiles)
	if err != nil {
		return nil, err
	}
	c.scheduler, err = kubescheduler.New(ctx, client, factory, nil, newRecorder(o.Event),
		kubescheduler.WithComponentConfigVersion(componentConfigVersion),
		kubescheduler.WithProfiles(profiles...),
		kubescheduler.WithFrameworkOutOfTreeRegistry(registry),
		// Nodes are filtered by one goroutine instead of sixteen, so that which nodes
		// are found first does not depend on chance; how many are looked at
		// (percentageOfNodesToScore) and where the search begins are as always.
		kubescheduler.WithParallelism(1),
		kubescheduler.WithClock(o.Clock))
	if err != nil {
		return nil, err
	}
	c.snapshot = c.scheduler.Profiles[c.defaultProfile].SnapshotSharedLister().(*internalcache.Snapshot) // that of the scheduler
	c.observeCycles()
	return c, nil
}

// componentConfigVersion is the version of the configurations that profiles
// come from.
const componentConfigVersion = "kubescheduler.config.k8s.io/v1"

// newInformers returns informers of which those of nodes and pods are the
// cluster's, and those of what else it may have. Nothing tells the rest of anything.
func (c *Cluster) newInformers(client kubernetes.Interface, sets []*appsv1.ReplicaSet) (informers.SharedInformerFactory, error) {
	factory := informers.NewSharedInformerFactory(client, 0)
	factory.InformerFor(&v1.Pod{}, func(client kubernetes.Interface, resync time.Duration) cache.SharedIndexInformer {
		c.pods.SharedIndexInformer = coreinformers.NewPodInformer(client, v1.NamespaceAll, resync, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})
		return c.pods
	})
	factory.InformerFor(&v1.Node{}, func(client kubernetes.Interface, resync time.Duration) cache.SharedIndexInformer {
		c.nodes.SharedIndexInformer = coreinformers.NewNodeInformer(client, resync, cache.Indexers{})
		return c.nodes
	})
	c.others.install(factory)
	for _, set := range sets {
		if err := factory.Apps().V1().ReplicaSets().Informer().GetStore().Add(set); err != nil {
			return nil, fmt.Errorf("add ReplicaSet %s: %w", klog.KObj(set), err)
		}
	}
	return factory, nil
}

// Model returns the load model, or nil if no plugin of the profiles uses it.
func (c *Cluster) Model() *load.Model { return c.model }

// Requested returns what the pod's requests suggest to the load model that it uses.
func (c *Cluster) Requested(pod *v1.Pod) amount.Vector { return c.modelConfig.Estimator.Pod(pod) }

// Framework returns what runs the plugins of a profile, and whether there is
// such a profile.
func (c *Cluster) Framework(profile string) (framework.Framework, bool) {
	f, ok := c.scheduler.Profiles[profile]
	return f, ok
}

// Plugin returns the instance of one of Plimsoll's plugins, or of
// Options.Plugins, in a profile, and whether the profile uses it.
func (c *Cluster) Plugin(profile, name string) (fwk.Plugin, bool) {
	plugin, ok := c.plugins[pluginKey{profile, name}]
	return plugin, ok
}

// NodeInfos returns all nodes with the pods on them, as the next scheduling
// cycle will see them. They are valid until then.
func (c *Cluster) NodeInfos() ([]fwk.NodeInfo, error) {
	if err := c.scheduler.Cache.UpdateSnapshot(c.logger, c.snapshot); err != nil {
		return nil, fmt.Errorf("take a snapshot of the nodes: %w", err)
	}
	return c.snapshot.NodeInfos().List()
}
