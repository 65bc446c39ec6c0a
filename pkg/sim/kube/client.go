package kube

import (
	"context"
	"fmt"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	corev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/scheduler/profile"

	"github.com/plimsoll-scheduler/plimsoll/pkg/compat/process"
)

// client stands in for the API server, where the scheduler has no need for one:
// it takes what the scheduler writes into the status of pods that it cannot
// place, and drops it, passes on which pods preemption evicts, and keeps what is
// written to resource claims. Bindings do not come here (see observedFramework).
type client struct {
	kubernetes.Interface
	evict   func(types.NamespacedName)
	cluster *Cluster
}

func newClient(evict func(types.NamespacedName), cluster *Cluster) kubernetes.Interface {
	return client{fake.NewClientset(), evict, cluster}
}

func (c client) CoreV1() corev1.CoreV1Interface { return core{c.Interface.CoreV1(), c.evict} }

type core struct {
	corev1.CoreV1Interface
	evict func(types.NamespacedName)
}

func (c core) Pods(namespace string) corev1.PodInterface {
	return pods{c.CoreV1Interface.Pods(namespace), namespace, c.evict}
}

type pods struct {
	corev1.PodInterface
	namespace string
	evict     func(types.NamespacedName) // nil if pods preempt none
}

func (p pods) Delete(_ context.Context, name string, _ metav1.DeleteOptions) error {
	if p.evict == nil {
		return fmt.Errorf("evict pod %s/%s: pods preempt none here", p.namespace, name)
	}
	p.evict(types.NamespacedName{Namespace: p.namespace, Name: name})
	return nil
}

func (pods) Patch(context.Context, string, types.PatchType, []byte, metav1.PatchOptions, ...string) (*v1.Pod, error) {
	return &v1.Pod{}, nil
}

// recorder passes events on.
type recorder struct{ record func(Event) } // nil drops them

func newRecorder(record func(Event)) profile.RecorderFactory {
	return func(string) process.EventRecorder { return recorder{record} }
}

func (r recorder) Eventf(object, _ runtime.Object, kind, reason, action, note string, args ...any) {
	if r.record != nil {
		r.record(Event{Object: object, Type: kind, Reason: reason, Action: action, Note: fmt.Sprintf(note, args...)})
	}
}

func (r recorder) WithLogger(klog.Logger) events.EventRecorderLogger { return r }
