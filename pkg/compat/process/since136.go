//go:build !k8s135

package process

import (
	"context"

	v1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"
)

type (
	// DoneChecker tells when an informer, or a handler of its events, has synced.
	DoneChecker = cache.DoneChecker
	// EventRecorder is what the scheduler records events with.
	EventRecorder = events.EventRecorderLogger
)

// SignPod returns the pod's signature by the plugins of the framework; nil if one of
// them does not sign it.
func SignPod(ctx context.Context, f framework.Framework, pod *v1.Pod) fwk.PodSignature {
	return f.SignPod(ctx, pod)
}

// Framework is kube-scheduler's, but takes results of earlier cycles for a hint
// only while Hints returns true.
type Framework struct {
	framework.Framework
	Hints func() bool
}

// GetNodeHint returns the node that the pod probably gets; empty if there is no hint.
func (f *Framework) GetNodeHint(ctx context.Context, pod *v1.Pod, signature fwk.PodSignature, state fwk.CycleState, cycle int64) string {
	if !f.Hints() {
		return ""
	}
	return f.Framework.GetNodeHint(ctx, pod, signature, state, cycle)
}
