package sim

import (
	"context"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	corev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/klog/v2"
)

// client stands in for the API server, where the scheduler has no need for one:
// it takes what the scheduler writes into the status of pods that it cannot
// place, and drops it. Bindings do not come here (see scheduler).
type client struct{ kubernetes.Interface }

func newClient() kubernetes.Interface { return client{fake.NewClientset()} }

func (c client) CoreV1() corev1.CoreV1Interface { return core{c.Interface.CoreV1()} }

type core struct{ corev1.CoreV1Interface }

func (c core) Pods(namespace string) corev1.PodInterface {
	return pods{c.CoreV1Interface.Pods(namespace)}
}

type pods struct{ corev1.PodInterface }

func (pods) Patch(context.Context, string, types.PatchType, []byte, metav1.PatchOptions, ...string) (*v1.Pod, error) {
	return &v1.Pod{}, nil
}

// recorder drops events.
type recorder struct{}

func newRecorder(string) events.EventRecorderLogger { return recorder{} }

func (recorder) Eventf(runtime.Object, runtime.Object, string, string, string, string, ...any) {}

func (r recorder) WithLogger(klog.Logger) events.EventRecorderLogger { return r }
