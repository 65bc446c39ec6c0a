package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/plimsoll-scheduler/plimsoll/test/cluster"
)

const (
	stockScheduler    = "default-scheduler"
	plimsollScheduler = "plimsoll"

	devicePods, plainPods = 8, 6
	lastingPods           = 3 // of the second act

	gpu        = "nvidia.com/gpu"
	resolution = 10 * time.Second
	// hotCores and coolCores are what runs on a node of 32 cores already. It
	// requests next to nothing, so the stock scheduler sees no difference.
	nodeCores, hotCores, coolCores = "32", "28", "4"
)

// host is a node of the demo.
type host struct {
	name string
	gpus bool
	hot  bool
}

func hosts() []host {
	return []host{
		{name: "gpu-hot-1", gpus: true, hot: true}, {name: "gpu-hot-2", gpus: true, hot: true},
		{name: "gpu-cool-1", gpus: true}, {name: "gpu-cool-2", gpus: true},
		{name: "cpu-cool-1"}, {name: "cpu-cool-2"},
	}
}

// isGood reports whether device pods belong on the named node.
func isGood(name string) bool {
	return slices.ContainsFunc(hosts(), func(h host) bool { return h.name == name && h.gpus && !h.hot })
}

// show is the demo on its cluster.
type show struct {
	*cluster.Cluster
	start     time.Time
	out       io.Writer
	scheduler *cluster.Scheduler
}

func (s *show) say(format string, args ...any) {
	fmt.Fprintf(s.out, "[%5.1fs] %s\n", time.Since(s.start).Seconds(), fmt.Sprintf(format, args...))
}

// setUp makes the nodes, their load, and starts Plimsoll.
func (s *show) setUp(ctx context.Context) error {
	s.say("creating 6 nodes of %s cores; 4 have 8 GPUs, and 2 of those run at %s cores (by pods that request almost nothing)", nodeCores, hotCores)
	for _, h := range hosts() {
		node := cluster.Node{Name: h.name, CPU: nodeCores, Memory: "128Gi"}
		if h.gpus {
			node.Devices = map[string]string{gpu: "8"}
		}
		if err := s.CreateNodes(ctx, node); err != nil {
			return err
		}
		load := cluster.LoadPod{Name: loadPod(h.name), Node: h.name, Usage: cluster.Usage{CPU: coolCores, Memory: "16Gi"}}
		if h.hot {
			load.Usage = cluster.Usage{CPU: hotCores, Memory: "64Gi"}
		}
		if err := s.CreateLoadPod(ctx, load); err != nil {
			return err
		}
	}
	s.say("waiting for metrics-server to measure them (two scrapes, %v apart)", resolution)
	err := s.waitMeasured(ctx, func(h host) string {
		if h.hot {
			return hotCores
		}
		return coolCores
	})
	if err != nil {
		return err
	}
	s.say("starting Plimsoll with config/plimsoll.yaml")
	s.scheduler, err = s.StartScheduler(ctx, cluster.SchedulerOptions{
		Program: "bin/scheduler", Config: "config/plimsoll.yaml", Args: []string{"--leader-elect=false"},
	})
	if err != nil {
		return err
	}
	return cluster.WaitFor(ctx, "Plimsoll's first poll", func(ctx context.Context) (bool, error) {
		metrics, err := s.scheduler.Metrics(ctx)
		return strings.Contains(metrics, fmt.Sprintf(`plimsoll_nodes{state="fresh"} %d`, len(hosts()))), err
	})
}

func loadPod(node string) string { return "load-" + node }

// waitMeasured waits until metrics-server shows each node at the given cores, to 10 %.
func (s *show) waitMeasured(ctx context.Context, cores func(host) string) error {
	return s.WaitNodeUsage(ctx, func(usage map[string]v1.ResourceList) bool {
		for _, h := range hosts() {
			want := resource.MustParse(cores(h))
			got := usage[h.name][v1.ResourceCPU]
			if ratio := got.AsApproximateFloat64() / want.AsApproximateFloat64(); ratio < 0.9 || ratio > 1.1 {
				return false
			}
		}
		return true
	})
}

// placement is where a scheduler put the pods: pods by node.
type placement struct{ device, plain map[string]int }

// good returns how many device pods are where they belong.
func (p placement) good() (count int) {
	for node, pods := range p.device {
		if isGood(node) {
			count += pods
		}
	}
	return count
}

// place has the scheduler place the demo's pods.
func (s *show) place(ctx context.Context, scheduler string) (placement, error) {
	s.say("%s places %d pods with a GPU each and %d without", scheduler, devicePods, plainPods)
	if err := s.createPods(ctx, scheduler, "device", devicePods, 1); err != nil {
		return placement{}, err
	}
	if err := s.createPods(ctx, scheduler, "plain", plainPods, 0); err != nil {
		return placement{}, err
	}
	device, err := s.waitBound(ctx, scheduler, "device", devicePods)
	if err != nil {
		return placement{}, err
	}
	plain, err := s.waitBound(ctx, scheduler, "plain", plainPods)
	return placement{device: device, plain: plain}, err
}

func (s *show) createPods(ctx context.Context, scheduler, kind string, count, gpus int) error {
	grace := int64(0)
	resources := v1.ResourceRequirements{Requests: v1.ResourceList{
		v1.ResourceCPU: resource.MustParse("1"), v1.ResourceMemory: resource.MustParse("4Gi"),
	}}
	if gpus > 0 {
		resources.Limits = v1.ResourceList{gpu: *resource.NewQuantity(int64(gpus), resource.DecimalSI)}
	}
	for i := range count {
		_, err := s.Clientset.CoreV1().Pods("default").Create(ctx, &v1.Pod{
			ObjectMeta: metav1.ObjectMeta{
				Name:        fmt.Sprintf("%s-%s-%d", scheduler, kind, i),
				Labels:      podLabels(scheduler, kind),
				Annotations: cluster.Usage{CPU: "1", Memory: "4Gi"}.Annotations(),
			},
			Spec: v1.PodSpec{
				SchedulerName:                 scheduler,
				Containers:                    []v1.Container{{Name: "c", Image: "simulated", Resources: resources}},
				TerminationGracePeriodSeconds: &grace,
			},
		}, metav1.CreateOptions{})
		if err != nil {
			return fmt.Errorf("create a pod for %s: %w", scheduler, err)
		}
	}
	return nil
}

func podLabels(scheduler, kind string) labels.Set { return labels.Set{"by": scheduler, "kind": kind} }

// waitBound waits until all pods of a kind are bound and counts them by node.
func (s *show) waitBound(ctx context.Context, scheduler, kind string, want int) (map[string]int, error) {
	var byNode map[string]int
	err := cluster.WaitFor(ctx, fmt.Sprintf("%s to bind %d %s pods", scheduler, want, kind), func(ctx context.Context) (bool, error) {
		pods, err := s.pods(ctx, podLabels(scheduler, kind))
		if err != nil {
			return false, err
		}
		byNode = map[string]int{}
		waiting := want
		for _, pod := range pods {
			if pod.Spec.NodeName != "" {
				byNode[pod.Spec.NodeName]++
				waiting--
			}
		}
		return waiting == 0, fmt.Errorf("%d are not bound", waiting)
	})
	return byNode, err
}

func (s *show) pods(ctx context.Context, set labels.Set) ([]v1.Pod, error) {
	list, err := s.Clientset.CoreV1().Pods("default").List(ctx, metav1.ListOptions{LabelSelector: set.String()})
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}

// deletePods deletes what the scheduler placed and waits until it is gone.
func (s *show) deletePods(ctx context.Context, scheduler string) error {
	set := labels.Set{"by": scheduler}
	err := s.Clientset.CoreV1().Pods("default").DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: set.String()})
	if err != nil {
		return fmt.Errorf("delete the pods of %s: %w", scheduler, err)
	}
	return cluster.WaitFor(ctx, "the pods of "+scheduler+" to be gone", func(ctx context.Context) (bool, error) {
		pods, err := s.pods(ctx, set)
		return err == nil && len(pods) == 0, err
	})
}

// emptiest returns the node for device pods that has the fewest of them.
func (p placement) emptiest() (name string) {
	for _, h := range hosts() {
		if isGood(h.name) && (name == "" || p.device[h.name] < p.device[name]) {
			name = h.name
		}
	}
	return name
}

// table prints what the nodes have, and where the pods went.
func (s *show) table(ctx context.Context, stock, plimsoll placement) error {
	metrics, err := s.Metrics.MetricsV1beta1().NodeMetricses().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	usage := map[string]v1.ResourceList{}
	for _, item := range metrics.Items {
		usage[item.Name] = item.Usage
	}
	fmt.Fprintln(s.out)
	w := tabwriter.NewWriter(s.out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "NODE\tDEVICES\tCPU MEASURED\tMEMORY MEASURED\tPODS BY STOCK\tPODS BY PLIMSOLL")
	for _, h := range hosts() {
		devices := "none"
		if h.gpus {
			devices = fmt.Sprintf("%d/8", plimsoll.device[h.name])
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", h.name, devices,
			percent(usage[h.name][v1.ResourceCPU], nodeCores), percent(usage[h.name][v1.ResourceMemory], "128Gi"),
			stock.on(h.name), plimsoll.on(h.name))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(s.out)
	return nil
}

func percent(used resource.Quantity, of string) string {
	total := resource.MustParse(of)
	return fmt.Sprintf("%.0f%%", 100*used.AsApproximateFloat64()/total.AsApproximateFloat64())
}

// on names the pods on a node.
func (p placement) on(node string) string {
	var parts []string
	if n := p.device[node]; n > 0 {
		parts = append(parts, fmt.Sprintf("%d device", n))
	}
	if n := p.plain[node]; n > 0 {
		parts = append(parts, fmt.Sprintf("%d plain", n))
	}
	if len(parts) == 0 {
		return "-"
	}
	return strings.Join(parts, ", ")
}

// waitForLoadToDrop is the second act: every capable node is hot, so device
// pods wait, and run once the load of one has dropped.
func (s *show) waitForLoadToDrop(ctx context.Context, placed placement) error {
	s.say("act two: the other two GPU nodes become hot as well, and %d more device pods come", lastingPods)
	for _, h := range hosts() {
		if isGood(h.name) {
			if err := s.SetUsage(ctx, "default", loadPod(h.name), cluster.Usage{CPU: hotCores}); err != nil {
				return err
			}
		}
	}
	err := cluster.WaitFor(ctx, "metrics-server to show it", func(ctx context.Context) (bool, error) {
		return s.allHot(ctx)
	})
	if err != nil {
		return err
	}
	return s.waitAndRun(ctx, placed.emptiest())
}

// allHot reports whether each node with GPUs is measured above the line.
func (s *show) allHot(ctx context.Context) (bool, error) {
	metrics, err := s.Metrics.MetricsV1beta1().NodeMetricses().List(ctx, metav1.ListOptions{})
	if err != nil {
		return false, err
	}
	hot := 0
	for _, item := range metrics.Items {
		if strings.HasPrefix(item.Name, "gpu-") && item.Usage.Cpu().Value() >= 26 {
			hot++
		}
	}
	return hot == 4, fmt.Errorf("%d of 4 GPU nodes are hot", hot)
}

// waitAndRun has pods wait until the load of the node freed drops.
func (s *show) waitAndRun(ctx context.Context, freed string) error {
	const kind = "waiting"
	// Plimsoll sees the samples at its next poll; until then the nodes look
	// cool to it.
	polls := &pollCounter{scheduler: s.scheduler}
	if err := polls.waitForAnother(ctx); err != nil {
		return err
	}
	if err := s.createPods(ctx, plimsollScheduler, kind, lastingPods, 1); err != nil {
		return err
	}
	var why string
	err := cluster.WaitFor(ctx, "Plimsoll to reject the pods", func(ctx context.Context) (bool, error) {
		pods, err := s.pods(ctx, podLabels(plimsollScheduler, kind))
		if err != nil {
			return false, err
		}
		rejected := 0
		for _, pod := range pods {
			for _, c := range pod.Status.Conditions {
				if c.Type == v1.PodScheduled && c.Reason == v1.PodReasonUnschedulable {
					rejected, why = rejected+1, c.Message
				}
			}
		}
		return rejected == lastingPods, fmt.Errorf("%d of %d are rejected", rejected, lastingPods)
	})
	if err != nil {
		return err
	}
	s.say("they wait: %s", why)
	s.say("the load of %s drops to %s cores", freed, coolCores)
	if err := s.SetUsage(ctx, "default", loadPod(freed), cluster.Usage{CPU: coolCores}); err != nil {
		return err
	}
	begin := time.Now()
	byNode, err := s.waitBound(ctx, plimsollScheduler, kind, lastingPods)
	if err != nil {
		return err
	}
	if byNode[freed] != lastingPods {
		return fmt.Errorf("the pods that waited are on %v, want all on %s", byNode, freed)
	}
	s.say("all %d run on %s, %.0f s after the drop (scrape interval %v, poll interval 15s)", lastingPods, freed, time.Since(begin).Seconds(), resolution)
	return nil
}

// pollCounter waits for polls of the scheduler's load source.
type pollCounter struct{ scheduler *cluster.Scheduler }

// waitForAnother waits until a poll that began after now is over.
func (p *pollCounter) waitForAnother(ctx context.Context) error {
	before, err := p.count(ctx)
	if err != nil {
		return err
	}
	return cluster.WaitFor(ctx, "Plimsoll's next poll", func(ctx context.Context) (bool, error) {
		count, err := p.count(ctx)
		return err == nil && count != before, err
	})
}

// count returns the line of /metrics that counts polls.
func (p *pollCounter) count(ctx context.Context) (string, error) {
	metrics, err := p.scheduler.Metrics(ctx)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(metrics) {
		if strings.HasPrefix(line, "plimsoll_source_poll_duration_seconds_count ") {
			return line, nil
		}
	}
	return "", errors.New("no metric plimsoll_source_poll_duration_seconds_count")
}

// explainUse says how to go on with a cluster that is kept.
func (s *show) explainUse() {
	fmt.Fprintf(s.out, `
The cluster stays up:
  export KUBECONFIG=%s
  bin/tools/kubectl get pods -o wide
  bin/tools/kubectl top nodes
Plimsoll's log is %s
To remove it: bin/demo -remove %s

`, s.Kubeconfig, s.scheduler.LogFile, s.Dir)
}

// verdict prints the last line, and fails if Plimsoll did not do what it is for.
func (s *show) verdict(stock, plimsoll placement) error {
	fmt.Fprintf(s.out, "demo: plimsoll placed %d of %d device pods on capable, lightly loaded nodes (stock: %d of %d)\n",
		plimsoll.good(), devicePods, stock.good(), devicePods)
	if plimsoll.good() != devicePods {
		return fmt.Errorf("want %d of %d", devicePods, devicePods)
	}
	return nil
}
