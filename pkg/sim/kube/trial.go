package kube

import (
	"context"
	"fmt"
	"maps"
	"slices"

	v1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"
)

// Verdict is what the plugins of a profile say of a node for a pod.
type Verdict struct {
	Node string
	// Rejections are empty if the node takes the pod. Of kube-scheduler's own
	// plugins it has the first that rejects the node, of the others all that do.
	// Each names its plugin and the reasons.
	Rejections []*fwk.Status
	// Scores are those of all plugins that rank nodes for the pod, in the order of
	// the profile; Total is the sum of score x weight. A node that is rejected has
	// none.
	Scores []Score
	Total  int64
}

// Score is what a plugin makes of a node, 0 to 100, and what it counts for.
type Score struct {
	Plugin        string
	Score, Weight int64
}

// Trial returns what the plugins say of every node for the pod, which need not
// exist, at this moment. It changes nothing: the pod is tried as one that has
// just come, so that nothing which a plugin remembers of a waiting pod counts
// or is forgotten.
func (c *Cluster) Trial(ctx context.Context, pod *v1.Pod) ([]Verdict, error) {
	pod = pod.DeepCopy()
	pod.UID += "/trial"
	if pod.Spec.SchedulerName == "" {
		pod.Spec.SchedulerName = c.defaultProfile
	}
	profile, ok := c.scheduler.Profiles[pod.Spec.SchedulerName]
	if !ok {
		return nil, fmt.Errorf("pod %s is of the scheduler %q: there is no such profile", klog.KObj(pod), pod.Spec.SchedulerName)
	}
	nodes, err := c.NodeInfos()
	if err != nil {
		return nil, err
	}
	t := trial{
		ctx: klog.NewContext(ctx, c.logger), profile: profile, state: framework.NewCycleState(), pod: pod,
		filters: c.filtersOf(pod.Spec.SchedulerName),
	}
	return t.run(nodes)
}

// filtersOf returns those of the plugins that are not kube-scheduler's own
// which reject nodes in the profile, in the order of their names.
func (c *Cluster) filtersOf(profile string) []fwk.FilterPlugin {
	var filters []fwk.FilterPlugin
	enabled := map[string]bool{}
	for _, plugin := range c.scheduler.Profiles[profile].ListPlugins().Filter.Enabled {
		enabled[plugin.Name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(enabled)) {
		if plugin, ok := c.plugins[pluginKey{profile, name}].(fwk.FilterPlugin); ok {
			filters = append(filters, plugin)
		}
	}
	return filters
}

// trial is one pod tried on all nodes.
type trial struct {
	ctx     context.Context
	profile framework.Framework
	state   fwk.CycleState
	pod     *v1.Pod
	filters []fwk.FilterPlugin
}

func (t *trial) run(nodes []fwk.NodeInfo) ([]Verdict, error) {
	result, status, _ := t.profile.RunPreFilterPlugins(t.ctx, t.state, t.pod)
	if !status.IsSuccess() && !status.IsRejected() {
		return nil, fmt.Errorf("try pod %s: %w", klog.KObj(t.pod), status.AsError())
	}
	verdicts := make([]Verdict, len(nodes))
	var fitting []fwk.NodeInfo
	byNode := map[string]*Verdict{}
	for i, node := range nodes {
		verdicts[i].Node = node.Node().Name
		switch {
		case status.IsRejected():
			verdicts[i].Rejections = []*fwk.Status{status}
		case !result.AllNodes() && !result.NodeNames.Has(verdicts[i].Node):
			verdicts[i].Rejections = []*fwk.Status{fwk.NewStatus(fwk.UnschedulableAndUnresolvable, "node(s) ruled out before they were looked at")}
		default:
			var err error
			if verdicts[i].Rejections, err = t.filter(node); err != nil {
				return nil, err
			}
		}
		if len(verdicts[i].Rejections) == 0 {
			fitting = append(fitting, node)
			byNode[verdicts[i].Node] = &verdicts[i]
		}
	}
	return verdicts, t.score(fitting, byNode)
}

// filter returns the rejections of the node.
func (t *trial) filter(node fwk.NodeInfo) (rejections []*fwk.Status, err error) {
	first := t.profile.RunFilterPlugins(t.ctx, t.state, t.pod, node)
	statuses := []*fwk.Status{first}
	for _, plugin := range t.filters {
		if !first.IsSuccess() && first.Plugin() == plugin.Name() || t.state.GetSkipFilterPlugins().Has(plugin.Name()) {
			continue
		}
		status := plugin.Filter(t.ctx, t.state, t.pod, node)
		if !status.IsSuccess() {
			own := *status // it may be shared
			own.SetPlugin(plugin.Name())
			status = &own
		}
		statuses = append(statuses, status)
	}
	for _, status := range statuses {
		switch {
		case status.IsSuccess():
		case status.IsRejected():
			rejections = append(rejections, status)
		default:
			return nil, fmt.Errorf("try pod %s on node %s: %w", klog.KObj(t.pod), node.Node().Name, status.AsError())
		}
	}
	return rejections, nil
}

// score ranks the nodes that take the pod.
func (t *trial) score(nodes []fwk.NodeInfo, byNode map[string]*Verdict) error {
	if len(nodes) == 0 {
		return nil
	}
	if status := t.profile.RunPreScorePlugins(t.ctx, t.state, t.pod, nodes); !status.IsSuccess() {
		return fmt.Errorf("rank nodes for pod %s: %w", klog.KObj(t.pod), status.AsError())
	}
	ranked, status := t.profile.RunScorePlugins(t.ctx, t.state, t.pod, nodes)
	if !status.IsSuccess() {
		return fmt.Errorf("rank nodes for pod %s: %w", klog.KObj(t.pod), status.AsError())
	}
	weights := map[string]int64{}
	for _, plugin := range t.profile.ListPlugins().Score.Enabled {
		weights[plugin.Name] = int64(plugin.Weight)
	}
	for _, node := range ranked {
		verdict := byNode[node.Name]
		verdict.Total = node.TotalScore
		for _, s := range node.Scores {
			weight := weights[s.Name]
			verdict.Scores = append(verdict.Scores, Score{Plugin: s.Name, Score: s.Score / max(1, weight), Weight: weight})
		}
	}
	return nil
}
