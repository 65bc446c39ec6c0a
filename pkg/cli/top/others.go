package top

import (
	"context"
	"math"
	"slices"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/leader"
	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/show"
	"github.com/plimsoll-scheduler/plimsoll/pkg/status"
)

const (
	onlyInFlight = "in-flight"
	byPods       = "pods"
	byError      = "error"
)

var pods = subject{
	use: "pods [POD...]", short: "Show the pods on nodes: what they are expected to use, and whether that was seen",
	long: `Show the pods on nodes, those of all schedulers: what they request, what they are
expected to use, whether that was seen or is an estimate, and how much of it the
samples of their node show (PHASE).`,
	namespaced: true,
	sorts:      []string{byName, byCPU, byMemory},
	filters:    []string{onlyInFlight, onlyDevices},
	get:        getPods, table: tableOfPods,
}

func getPods(ctx context.Context, from *leader.Client, o *options) (any, error) {
	answer, query := &status.Pods{}, o.query()
	if o.namespace != "" {
		query.Set("namespace", o.namespace)
	}
	if err := from.Get(ctx, status.PodsPath, query, answer); err != nil {
		return nil, err
	}
	var names []string
	for i := range answer.Pods {
		names = append(names, answer.Pods[i].Name)
	}
	if err := o.missing("pod on a node called", names); err != nil {
		return nil, err
	}
	answer.Pods = slices.DeleteFunc(answer.Pods, func(p status.Pod) bool {
		return !o.wants(p.Name) ||
			slices.Contains(o.only, onlyInFlight) && p.Phase == "Measured" || slices.Contains(o.only, onlyDevices) && len(p.Devices) == 0
	})
	sortBy(answer.Pods, map[string]func(*status.Pod) float64{
		byCPU:    func(p *status.Pod) float64 { return p.CPU.Expected },
		byMemory: func(p *status.Pod) float64 { return p.Memory.Expected },
	}[o.sortBy], func(p *status.Pod) string { return p.Namespace + "/" + p.Name })
	return answer, nil
}

func tableOfPods(_ show.Screen, answer any) *show.Table {
	t := &show.Table{Empty: "No pods on nodes. (For other namespaces say -n or -A; why a pod waits tells kubectl plimsoll why.)", Columns: []show.Column{
		{Name: "NAMESPACE"}, {Name: "POD"}, {Name: "NODE"}, {Name: "PHASE"}, {Name: "BY"},
		{Name: "CPU", Right: true}, {Name: "REQUESTED", Right: true}, {Name: "MEMORY", Right: true}, {Name: "REQUESTED", Right: true}, {Name: "DEVICES"},
	}}
	all := answer.(*status.Pods).Pods
	for i := range all {
		p := &all[i]
		by, phase := "estimate", show.Cell{Text: p.Phase, Level: show.Warn}
		if p.Seen {
			by = "measure"
		}
		if p.Phase == "Measured" {
			phase.Level = show.Plain
		}
		t.Add(show.Text("%s", p.Namespace), show.Text("%s", p.Name), show.Text("%s", p.Node), phase, show.Text("%s", by),
			show.Text("%s", amount.Cores(p.CPU.Expected)), show.Text("%s", amount.Cores(p.CPU.Requested)),
			show.Text("%s", amount.Bytes(p.Memory.Expected)), show.Text("%s", amount.Bytes(p.Memory.Requested)), show.Text("%s", counts(p.Devices)))
	}
	return t
}

// counts writes devices by their kinds.
func counts(devices map[string]int64) string {
	if len(devices) == 0 {
		return "-"
	}
	return show.Counts(devices)
}

var workloads = subject{
	use: "workloads [NAME...]", short: "Show what was learned of workloads, and how far off estimates are",
	long: `Show what was learned of the pods of each workload: what one requests, the mean
and the standard deviation (±) of what one uses, what the next one is expected to
use, and the error: the root mean square of what was used less that estimate.
LEARNED is how much time the samples stand for, older ones for less.`,
	namespaced: true,
	sorts:      []string{byName, byPods, byCPU, byMemory, byError},
	get:        getWorkloads, table: tableOfWorkloads,
}

func getWorkloads(ctx context.Context, from *leader.Client, o *options) (any, error) {
	answer := &status.Workloads{}
	if err := from.Get(ctx, status.WorkloadsPath, o.query(), answer); err != nil {
		return nil, err
	}
	answer.Workloads = slices.DeleteFunc(answer.Workloads, func(w status.Workload) bool { return o.namespace != "" && o.namespace != w.Namespace })
	var names []string
	for i := range answer.Workloads {
		names = append(names, answer.Workloads[i].Name)
	}
	if err := o.missing("workload called", names); err != nil {
		return nil, err
	}
	answer.Workloads = slices.DeleteFunc(answer.Workloads, func(w status.Workload) bool { return !o.wants(w.Name) })
	sortBy(answer.Workloads, map[string]func(*status.Workload) float64{
		byPods:   func(w *status.Workload) float64 { return float64(w.Pods) },
		byCPU:    func(w *status.Workload) float64 { return w.CPU.Estimate },
		byMemory: func(w *status.Workload) float64 { return w.Memory.Estimate },
		byError:  func(w *status.Workload) float64 { return w.CPU.Error },
	}[o.sortBy], func(w *status.Workload) string { return w.Namespace + "/" + w.Kind + "/" + w.Name })
	return answer, nil
}

func tableOfWorkloads(_ show.Screen, answer any) *show.Table {
	t := &show.Table{Empty: "No workloads: nothing is learned with estimate.learn: false, and of pods without a controller.", Columns: []show.Column{
		{Name: "NAMESPACE"}, {Name: "WORKLOAD"}, {Name: "CONTAINERS", Wide: true}, {Name: "PODS", Right: true}, {Name: "LEARNED", Right: true},
		{Name: "CPU REQUESTED", Right: true}, {Name: "USED", Right: true}, {Name: "ESTIMATE", Right: true}, {Name: "ERROR", Right: true},
		{Name: "MEMORY REQUESTED", Right: true}, {Name: "USED", Right: true}, {Name: "ESTIMATE", Right: true}, {Name: "ERROR", Right: true, Wide: true},
	}}
	all := answer.(*status.Workloads).Workloads
	for i := range all {
		w := &all[i]
		seconds := math.Max(w.CPU.Seconds, w.Memory.Seconds)
		used := func(l *status.Learned, write func(float64) string) show.Cell {
			if l.Seconds == 0 {
				return show.Cell{Text: "-", Level: show.Faint}
			}
			return show.Text("%s ±%s", write(l.Mean), write(l.Deviation))
		}
		t.Add(show.Text("%s", w.Namespace), show.Text("%s/%s", w.Kind, w.Name), show.Text("%s", w.Containers), show.Text("%d", w.Pods), show.Text("%s", show.Seconds(&seconds)),
			show.Text("%s", amount.Cores(w.CPU.Requested)), used(&w.CPU, amount.Cores), show.Text("%s", amount.Cores(w.CPU.Estimate)), show.Text("%s", amount.Cores(w.CPU.Error)),
			show.Text("%s", amount.Bytes(w.Memory.Requested)), used(&w.Memory, amount.Bytes), show.Text("%s", amount.Bytes(w.Memory.Estimate)), show.Text("%s", amount.Bytes(w.Memory.Error)))
	}
	return t
}

var devices = subject{
	use: "devices [RESOURCE...]", short: "Show devices: used, free, fragmented, stranded, starved; and what each resource is taken for",
	long: `Show the extended resources and device classes of the cluster: what each is taken
for and why (device, counter or excluded), and of devices how many are used and
free, fragmented (free, and of no use to the pods that the cluster typically runs,
by their count or by what is left for requests), stranded (so because of the load
of their node), and starved (in use on a node of whose CPU 90 % or more is used).`,
	sorts: []string{byName, byFree},
	get:   getDevices, table: tableOfDevices,
}

func getDevices(ctx context.Context, from *leader.Client, o *options) (any, error) {
	answer := &status.DeviceKinds{}
	if err := from.Get(ctx, status.DevicesPath, o.query(), answer); err != nil {
		return nil, err
	}
	var names []string
	for i := range answer.Kinds {
		names = append(names, answer.Kinds[i].Resource)
	}
	if err := o.missing("extended resource or device class", names); err != nil {
		return nil, err
	}
	answer.Kinds = slices.DeleteFunc(answer.Kinds, func(k status.DeviceKind) bool { return !o.wants(k.Resource) })
	if o.sortBy == byFree { // else as they come: devices first, then by name
		sortBy(answer.Kinds, func(k *status.DeviceKind) float64 { return float64(k.Free) }, func(k *status.DeviceKind) string { return k.Resource })
	}
	return answer, nil
}

func tableOfDevices(_ show.Screen, answer any) *show.Table {
	t := &show.Table{Empty: "No devices: no node has an extended resource, and there is no device class; or the profile has no DeviceFit.", Columns: []show.Column{
		{Name: "RESOURCE"}, {Name: "TAKEN FOR"}, {Name: "NODES", Right: true}, {Name: "MOST ON ONE", Right: true, Wide: true}, {Name: "ALL", Right: true}, {Name: "USED", Right: true},
		{Name: "FREE", Right: true}, {Name: "FRAGMENTED", Right: true}, {Name: "STRANDED", Right: true}, {Name: "STARVED", Right: true}, {Name: "BECAUSE"},
	}}
	for _, k := range answer.(*status.DeviceKinds).Kinds {
		cells := []show.Cell{show.Text("%s", k.Resource), show.Text("%s", k.Verdict), show.Text("%d", k.Nodes), show.Text("%d", k.Most)}
		if k.Verdict == "device" {
			starved := show.Text("%d", k.Starved)
			if k.Starved > 0 {
				starved.Level = show.Bad
			}
			cells = append(cells, show.Text("%d", k.Allocatable), show.Text("%d", k.Used), show.Text("%d", k.Free),
				show.Text("%s", show.Count(k.Fragmented)), show.Text("%s", show.Count(k.Stranded)), starved)
		} else {
			cells = append(cells, unknown(6)...)
		}
		t.Add(append(cells, show.Text("%s", k.Reason))...)
	}
	return t
}
