//go:build k8s135

package process

import (
	"context"

	v1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"
)

type (
	// DoneChecker tells when an informer, or a handler of its events, has synced.
	// Nobody asks.
	DoneChecker interface{ Done() <-chan struct{} }
	// EventRecorder is what the scheduler records events with.
	EventRecorder = events.EventRecorder
)

// SignPod returns the pod's signature by the plugins of the framework; nil if one of
// them does not sign it.
func SignPod(ctx context.Context, f framework.Framework, pod *v1.Pod) fwk.PodSignature {
	return f.SignPod(ctx, pod, false)
}

// Framework is kube-scheduler's, but takes results of earlier cycles for a hint
// only while Hints returns true.
type Framework struct {
	framework.Framework
	Hints func() bool
}

// GetNodeHint returns the node that the pod probably gets, empty if there is no
// hint, and the pod's signature.
func (f *Framework) GetNodeHint(ctx context.Context, pod *v1.Pod, state fwk.CycleState, cycle int64) (string, fwk.PodSignature) {
	hint, signature := f.Framework.GetNodeHint(ctx, pod, state, cycle)
	if !f.Hints() {
		hint = ""
	}
	return hint, signature
}
