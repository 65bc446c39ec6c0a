package snapshot

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll-scheduler/plimsoll/pkg/load/prometheus"
	"github.com/plimsoll-scheduler/plimsoll/pkg/recording"
)

var labelName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// The expressions that are asked for; NODE is the label with the node's name, RANGE a
// step, MATCH what picks the cluster. They leave out what cAdvisor shows beside containers, and count a container once
// that two jobs scrape, or that was restarted within a step.
const (
	podCPU     = `sum by (namespace, pod, NODE) (max by (namespace, pod, NODE, container) (rate(container_cpu_usage_seconds_total{pod!="", container!~"|POD", MATCH}[RANGE])))`
	podMemory  = `sum by (namespace, pod, NODE) (max by (namespace, pod, NODE, container) (last_over_time(container_memory_working_set_bytes{pod!="", container!~"|POD", MATCH}[RANGE])))`
	nodeCPU    = `max by (NODE) (rate(node_cpu_usage_seconds_total{MATCH}[RANGE])) or max by (NODE) (rate(container_cpu_usage_seconds_total{id="/", MATCH}[RANGE]))`
	nodeMemory = `max by (NODE) (last_over_time(node_memory_working_set_bytes{MATCH}[RANGE])) or max by (NODE) (last_over_time(container_memory_working_set_bytes{id="/", MATCH}[RANGE]))`
)

// recorder records what Prometheus knows.
type recorder struct {
	*options
	server *prometheus.Ranges
	header recording.Header
	lives  *lives
	nodes  map[string]*recording.Node
	// strays is how many pods only their use is known of.
	strays int
}

// record returns what Prometheus knows of the pods and nodes.
func (t *taker) record(ctx context.Context, s *state) (*recording.Recording, error) {
	server, err := prometheus.NewRanges(t.prometheus)
	if err != nil {
		return nil, err
	}
	to := t.now().UTC().Truncate(t.step)
	steps := (t.since + t.step - 1) / t.step
	r := &recorder{
		options: t.options, server: server, lives: newLives(s.pods), nodes: map[string]*recording.Node{},
		header: recording.Header{From: to.Add(-steps * t.step), To: to, StepSeconds: int64(t.step / time.Second)},
	}
	if err := r.past(ctx, s); err != nil {
		return nil, err
	}
	r.lives.sort()
	if err := r.use(ctx); err != nil {
		return nil, err
	}
	return r.result(s, t.warn), nil
}

// use records what pods and nodes used.
func (r *recorder) use(ctx context.Context) error {
	err := r.each(ctx, podCPU, false, func(m model.Metric, step int, value float64) {
		if p := r.pod(m, step); p != nil {
			p.CPU.Set(step, value)
		}
	})
	if err != nil {
		return fmt.Errorf("%w; it must scrape the kubelets' /metrics/cadvisor or /metrics/resource at least twice in --step, %v", err, r.step)
	}
	err = r.each(ctx, podMemory, false, func(m model.Metric, step int, value float64) {
		if p := r.pod(m, step); p != nil {
			p.Memory.Set(step, value)
		}
	})
	if err != nil {
		return err
	}
	err = r.each(ctx, nodeCPU, true, func(m model.Metric, step int, value float64) {
		if n := r.node(m); n != nil {
			n.CPU.Set(step, value)
		}
	})
	if err != nil {
		return err
	}
	return r.each(ctx, nodeMemory, true, func(m model.Metric, step int, value float64) {
		if n := r.node(m); n != nil {
			n.Memory.Set(step, value)
		}
	})
}

// each calls do with each value of an expression that is one, and its step. The values of
// a series come in the order of their steps.
func (r *recorder) each(ctx context.Context, expression string, mayBeEmpty bool, do func(m model.Metric, step int, value float64)) error {
	expression = strings.NewReplacer("NODE", r.nodeLabel, "RANGE", fmt.Sprintf("%ds", r.header.StepSeconds), "MATCH", r.match).Replace(expression)
	// The value of a step is what the expression yields at its end.
	first := r.header.From.Add(r.step)
	return r.server.Each(ctx, expression, first, r.header.To, r.step, mayBeEmpty, func(matrix model.Matrix) error {
		for _, series := range matrix {
			for _, pair := range series.Values {
				step := int(pair.Timestamp.Time().Sub(first) / r.step)
				if value := float64(pair.Value); !math.IsNaN(value) && value >= 0 && value < mostValue {
					do(series.Metric, step, value)
				}
			}
		}
		return nil
	})
}

// mostValue is above all that can be in use, in cores or bytes.
const mostValue = 1 << 60

// pod returns the pod of a series at a step. If it is not known otherwise, it is new. It
// is nil if the series has no name, or if the step has a value already, of two series that
// go over into each other.
func (r *recorder) pod(m model.Metric, step int) *recording.Pod {
	name := types.NamespacedName{Namespace: string(m["namespace"]), Name: string(m["pod"])}
	node := string(m[model.LabelName(r.nodeLabel)])
	if name.Namespace == "" || name.Name == "" {
		return nil
	}
	p := r.lives.at(name, node, r.header.From.Add(time.Duration(step+1)*r.step))
	if p == nil {
		p = r.lives.add(&recording.Pod{Namespace: name.Namespace, Name: name.Name, Node: node})
		r.strays++
	}
	return p
}

func (r *recorder) node(m model.Metric) *recording.Node {
	name := string(m[model.LabelName(r.nodeLabel)])
	if name == "" {
		return nil
	}
	if r.nodes[name] == nil {
		r.nodes[name] = &recording.Node{Name: name}
	}
	return r.nodes[name]
}

// result returns the recording. A pod that is gone, and of which it is not known when it
// ended, ended after its last value.
func (r *recorder) result(s *state, warn io.Writer) *recording.Recording {
	there := map[string]bool{}
	for _, pod := range s.pods {
		there[string(pod.UID)] = true
	}
	past, timeless := 0, 0
	result := &recording.Recording{Header: r.header, Pods: r.lives.sorted()}
	for i := range result.Pods {
		p := &result.Pods[i]
		if there[p.UID] && p.UID != "" {
			continue
		}
		if p.UID != "" {
			past++
		}
		if p.Ended == nil {
			p.Ended = new(r.header.From.Add(time.Duration(lastStep(&p.Use)+1) * r.step))
			timeless++
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.nodes)) {
		result.Nodes = append(result.Nodes, *r.nodes[name])
	}
	result.Notes = append(r.notes(s, past, timeless), r.unmeasured(s, warn)...)
	return result
}

func lastStep(u *recording.Use) int {
	return max(u.CPU.First+len(u.CPU.Values), u.Memory.First+len(u.Memory.Values)) - 1
}

// notes say what is not recorded.
func (r *recorder) notes(s *state, past, timeless int) (notes []string) {
	if past == 0 {
		notes = append(notes, "pods that were gone when the snapshot was made, but for what they used: Prometheus has nothing of them from kube-state-metrics (kube_pod_info)")
	} else {
		notes = append(notes, fmt.Sprintf("priority, tolerations, affinity and labels of %d pods that were gone when the snapshot was made", past))
	}
	if r.strays > 0 {
		notes = append(notes, fmt.Sprintf("anything but the use of %d pods", r.strays))
	}
	if timeless > 0 {
		notes = append(notes, fmt.Sprintf("when %d pods that are gone ended: it is taken to be after their last value", timeless))
	}
	unmeasured := 0
	for _, node := range s.nodes {
		if r.nodes[node.Name] == nil {
			unmeasured++
		}
	}
	if unmeasured > 0 {
		notes = append(notes, fmt.Sprintf("the use of %d of %d nodes themselves (of node_cpu_usage_seconds_total and container_cpu_usage_seconds_total{id=\"/\"} with the node in the label %s)", unmeasured, len(s.nodes), r.nodeLabel))
	}
	return notes
}

// unmeasured notes how many pods run of which Prometheus has no use, and warns of their
// nodes: it may not scrape them.
func (r *recorder) unmeasured(s *state, warn io.Writer) []string {
	running, on := 0, map[string]int{}
	for _, pod := range s.pods {
		if pod.Status.Phase != v1.PodRunning {
			continue
		}
		running++
		if p := r.lives.byUID[pod.UID]; p == nil || p.CPU.Known() == 0 || p.Memory.Known() == 0 {
			on[pod.Spec.NodeName]++
		}
	}
	count := 0
	for _, pods := range on {
		count += pods
	}
	if count == 0 {
		return nil
	}
	names := slices.Sorted(maps.Keys(on))
	more := ""
	if len(names) > 5 {
		names, more = names[:5], fmt.Sprintf(" and %d more", len(on)-5)
	}
	fmt.Fprintf(warn, "warning: Prometheus has no CPU or memory of %d of %d pods that run, on nodes %s%s: does it scrape their kubelets?\n", count, running, strings.Join(names, ", "), more)
	return []string{fmt.Sprintf("CPU or memory of %d of %d pods that run, on %d nodes", count, running, len(on))}
}
