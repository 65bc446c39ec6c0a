package observe

import (
	"context"
	"fmt"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
	"github.com/plimsoll-scheduler/plimsoll/pkg/status"
)

// Trial is what Plimsoll would have done with a pod.
type Trial struct {
	At time.Time
	// Node is the one that it would have chosen; empty if the pod would wait.
	Node string
	// Rejects reports whether Plimsoll's plugins reject a node.
	Rejects func(node string) bool
	// Share returns the predicted CPU use of a node in parts of its line, before the pod
	// comes, and whether that is known.
	Share func(node string) (share float64, known bool)
	// Conclude has the decision explained, beside the node that the pod got.
	Conclude func(bound string)
}

// Framework tries pods by a profile's framework.
type Framework struct {
	// Profile's plugins decide. Nobody else may use them meanwhile.
	Profile framework.Framework
	// Refresh brings what the plugins see of nodes up to date, and returns them.
	Refresh   func() ([]fwk.NodeInfo, error)
	Model     *load.Model
	Reporters []status.Reporter
}

var _ Trier = &Framework{}

// Try implements Trier.
func (f *Framework) Try(ctx context.Context, pod *v1.Pod) (*Trial, error) {
	nodes, err := f.Refresh()
	if err != nil {
		return nil, err
	}
	state := framework.NewCycleState()
	uid := pod.UID
	pod = pod.DeepCopy()
	pod.UID += "/observed" // nothing that plugins remember of it is to be taken for a pod of ours
	result, status, _ := f.Profile.RunPreFilterPlugins(ctx, state, pod)
	if !status.IsSuccess() && !status.IsRejected() {
		return nil, fmt.Errorf("try pod %s: %w", klog.KObj(pod), status.AsError())
	}
	trial := f.trialOf(state, uid)
	if status.IsRejected() {
		return trial, nil
	}
	var fitting []fwk.NodeInfo
	for _, node := range nodes {
		if !result.AllNodes() && !result.NodeNames.Has(node.Node().Name) {
			continue
		}
		status := f.Profile.RunFilterPlugins(ctx, state, pod, node)
		switch {
		case status.IsSuccess():
			fitting = append(fitting, node)
		case !status.IsRejected():
			return nil, fmt.Errorf("try pod %s on node %s: %w", klog.KObj(pod), node.Node().Name, status.AsError())
		}
	}
	trial.Node, err = f.best(ctx, state, pod, fitting)
	return trial, err
}

// best returns the node that ranks first; empty if there is none.
func (f *Framework) best(ctx context.Context, state fwk.CycleState, pod *v1.Pod, nodes []fwk.NodeInfo) (string, error) {
	if len(nodes) == 0 {
		return "", nil
	}
	if status := f.Profile.RunPreScorePlugins(ctx, state, pod, nodes); !status.IsSuccess() {
		return "", fmt.Errorf("rank nodes for pod %s: %w", klog.KObj(pod), status.AsError())
	}
	ranked, status := f.Profile.RunScorePlugins(ctx, state, pod, nodes)
	if !status.IsSuccess() {
		return "", fmt.Errorf("rank nodes for pod %s: %w", klog.KObj(pod), status.AsError())
	}
	best := 0
	for i := range ranked {
		if ranked[i].TotalScore > ranked[best].TotalScore {
			best = i
		}
	}
	return ranked[best].Name, nil
}

// trialOf returns a trial that goes by what the cycle notes.
func (f *Framework) trialOf(state fwk.CycleState, uid types.UID) *Trial {
	trace, view := explain.Of(state), f.Model.View()
	trial := &Trial{At: view.Now, Rejects: trace.Rejects}
	trial.Share = func(node string) (float64, bool) { return f.share(&view, node) }
	trial.Conclude = func(bound string) { trace.Observe(trial.Node, bound, uid) }
	return trial
}

// share is Trial.Share.
func (f *Framework) share(view *load.View, name string) (float64, bool) {
	node := view.Node(name)
	if node == nil {
		return 0, false
	}
	told := status.Node{}
	for _, reporter := range f.Reporters {
		if lines, ok := reporter.(status.Lines); ok {
			lines.ReportLine(view)(&told, node)
		}
	}
	use := told.CPU.Use
	if use == nil || use.Line <= 0 {
		return 0, false
	}
	return use.Predicted / use.Line, true
}
