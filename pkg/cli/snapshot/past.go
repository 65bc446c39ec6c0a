package snapshot

import (
	"context"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll-scheduler/plimsoll/pkg/recording"
)

// What kube-state-metrics tells of pods; RANGE is the time between two looks.
const (
	pastPods     = `max by (namespace, pod, uid, node, created_by_kind, created_by_name) (last_over_time(kube_pod_info{MATCH}[RANGE]))`
	pastRequests = `sum by (namespace, pod, uid, resource) (max by (namespace, pod, uid, container, resource) (last_over_time(kube_pod_container_resource_requests{MATCH}[RANGE])))`
	pastTimes    = `max by (namespace, pod, uid) (last_over_time(METRIC{MATCH}[RANGE]))`
)

// look is how often it is looked which pods there are: none is missed, since each look
// goes back to the one before.
const look = 5 * time.Minute

// past takes the pods that the API server no longer has, as far as kube-state-metrics
// knew them.
func (r *recorder) past(ctx context.Context, s *state) error {
	gone := map[types.UID]bool{}
	err := r.looks(ctx, pastPods, func(m model.Metric, _ float64) {
		uid := types.UID(m["uid"])
		if uid == "" || m["pod"] == "" || r.lives.byUID[uid] != nil {
			return
		}
		p := &recording.Pod{Namespace: string(m["namespace"]), Name: string(m["pod"]), UID: string(uid), Node: string(m["node"])}
		if kind := m["created_by_kind"]; kind != "" && kind != "<none>" {
			p.Owner = &recording.Owner{Kind: string(kind), Name: string(m["created_by_name"])}
		}
		r.lives.add(p)
		gone[uid] = true
	})
	if err != nil || len(gone) == 0 {
		return err
	}
	if err := r.pastRequests(ctx, s, gone); err != nil {
		return err
	}
	return r.pastTimes(ctx, gone)
}

// looks calls do with what an expression yields at each look.
func (r *recorder) looks(ctx context.Context, expression string, do func(model.Metric, float64)) error {
	every := min(look, r.header.To.Sub(r.header.From))
	expression = strings.NewReplacer("RANGE", fmt.Sprintf("%ds", int64(every/time.Second)), "MATCH", r.match).Replace(expression)
	first := r.header.To.Add(-(r.header.To.Sub(r.header.From)/every - 1) * every)
	return r.server.Each(ctx, expression, first, r.header.To, every, true, func(matrix model.Matrix) error {
		for _, series := range matrix {
			for _, pair := range series.Values {
				if value := float64(pair.Value); !math.IsNaN(value) && !math.IsInf(value, 0) {
					do(series.Metric, value)
				}
			}
		}
		return nil
	})
}

// pastRequests takes what the pods requested. A pod without a series requested nothing, if
// others have one.
func (r *recorder) pastRequests(ctx context.Context, s *state, gone map[types.UID]bool) error {
	names := resourceNames(s)
	some := false
	err := r.looks(ctx, pastRequests, func(m model.Metric, value float64) {
		some = true
		uid := types.UID(m["uid"])
		if !gone[uid] || value < 0 || value > mostValue {
			return
		}
		p := r.lives.byUID[uid]
		if p.Requests == nil {
			p.Requests = map[string]string{}
		}
		name := string(m["resource"])
		if known := names[name]; known != "" {
			name = known
		}
		p.Requests[name] = strconv.FormatFloat(value, 'f', -1, 64)
	})
	if err != nil || !some {
		return err
	}
	for uid := range gone {
		if p := r.lives.byUID[uid]; p.Requests == nil {
			p.Requests = map[string]string{}
		}
	}
	return nil
}

var noLabel = regexp.MustCompile(`[^a-zA-Z0-9_]`)

// resourceNames returns the names of the nodes' resources by how kube-state-metrics
// writes them, such as nvidia_com_gpu.
func resourceNames(s *state) map[string]string {
	names := map[string]string{}
	for _, node := range s.nodes {
		for name := range node.Status.Allocatable {
			names[noLabel.ReplaceAllString(string(name), "_")] = string(name)
		}
	}
	return names
}

// pastTimes takes when the pods came and went.
func (r *recorder) pastTimes(ctx context.Context, gone map[types.UID]bool) error {
	fields := map[string]func(*recording.Pod, *time.Time){
		"kube_pod_created":               func(p *recording.Pod, at *time.Time) { p.Created = at },
		"kube_pod_status_scheduled_time": func(p *recording.Pod, at *time.Time) { p.Scheduled = at },
		"kube_pod_start_time":            func(p *recording.Pod, at *time.Time) { p.Started = at },
		"kube_pod_completion_time":       func(p *recording.Pod, at *time.Time) { p.Ended, p.Completed = at, true },
		"kube_pod_deletion_timestamp": func(p *recording.Pod, at *time.Time) {
			if !p.Completed {
				p.Ended = at
			}
		},
	}
	for _, metric := range slices.Sorted(maps.Keys(fields)) {
		err := r.looks(ctx, strings.ReplaceAll(pastTimes, "METRIC", metric), func(m model.Metric, value float64) {
			if uid := types.UID(m["uid"]); gone[uid] && value > 0 && value < 1<<40 {
				fields[metric](r.lives.byUID[uid], new(time.Unix(int64(value), 0).UTC()))
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}
