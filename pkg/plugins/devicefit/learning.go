package devicefit

import (
	"context"
	"fmt"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

// learn has the mix of pods learned from those that are created. The resource
// claims of a pod are often made after it; it is learned as soon as they exist.
func (pl *DeviceFit) learn(ctx context.Context, factory informers.SharedInformerFactory) error {
	incomplete := sets.New[types.UID]() // pods of which a claim is missing; handlers are called one at a time
	observe := func(pod *v1.Pod) {
		if incomplete.Delete(pod.UID); !pl.observe(pod) {
			incomplete.Insert(pod.UID)
		}
	}
	_, err := factory.Core().V1().Pods().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(obj any) {
			if pod, ok := obj.(*v1.Pod); ok && pl.devicesAreKnown(ctx) {
				observe(pod)
			}
		},
		UpdateFunc: func(before, after any) {
			if pod, ok := after.(*v1.Pod); ok && incomplete.Has(pod.UID) {
				observe(pod)
			}
			if was, ok := before.(*v1.Pod); ok && was.UID != after.(*v1.Pod).UID {
				incomplete.Delete(was.UID)
			}
		},
		DeleteFunc: func(obj any) {
			if pod, ok := load.LastKnown(obj).(*v1.Pod); ok {
				incomplete.Delete(pod.UID)
			}
		},
	})
	if err != nil {
		return fmt.Errorf("watch pods: %w", err)
	}
	return nil
}

// devicesAreKnown waits until the nodes, claims and classes are known that the
// first pods go by, as the scheduler itself does. It is false if ctx ends before.
func (pl *DeviceFit) devicesAreKnown(ctx context.Context) bool {
	return pl.devices.HasSynced() || cache.WaitForCacheSync(ctx.Done(), pl.devices.HasSynced)
}

// observe learns of the pod. It is false if a resource claim of the pod does not
// exist.
func (pl *DeviceFit) observe(pod *v1.Pod) bool {
	devices, ok := pl.devices.InitialRequests(pod)
	if !ok {
		return false
	}
	if len(devices) > 0 {
		pl.learner.Observe(devices, amount.FromList(device.TotalRequests(pod)), pl.model.Estimate(pod), pod.CreationTimestamp.Time)
	}
	return true
}

// fitsEvery is how often the mix is fitted to the nodes.
const fitsEvery = 15 * time.Second

// fitting is when the mix was fitted to the nodes last.
type fitting struct {
	mu sync.Mutex
	at time.Time
}

// due reports whether that was long ago. If so, it is done now.
func (f *fitting) due(now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now.Sub(f.at) < fitsEvery {
		return false
	}
	f.at = now
	return true
}

// fit has the mix leave out what no node could host, if that was not done of late.
// It is part of a scheduling cycle because the nodes, as the scheduler sees them,
// may be looked at only there.
func (pl *DeviceFit) fit(now time.Time) {
	if !pl.fitting.due(now) {
		return
	}
	nodes, err := pl.handle.SnapshotSharedLister().NodeInfos().List()
	if err != nil {
		return // there is none in this cycle; a later one tries again
	}
	devices, largest := pl.devices.View(), map[v1.ResourceName]int64{}
	var buffer [device.UsualKinds]device.Stock
	for _, nodeInfo := range nodes {
		stocks, _ := devices.AppendStocks(buffer[:0], nodeInfo)
		for i := range stocks {
			largest[stocks[i].Name] = max(largest[stocks[i].Name], stocks[i].Allocatable)
		}
	}
	pl.learner.Fit(largest)
}
