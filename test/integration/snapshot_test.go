package integration

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/snapshot"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/prometheus"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input/warning"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/policy"
	"github.com/plimsoll-scheduler/plimsoll/test/cluster"
)

// snapshotStep is the time between two values of a recording; pods are scraped each second.
const snapshotStep = 5 * time.Second

// What pods of a real control plane used, as a real Prometheus measured it, is replayed
// with the nodes' use as it was, to 2 % of what they can allocate on average: a pod that
// uses more after a while, one that comes, and one that is gone before the snapshot.
func TestSnapshotReplaysWhatWasMeasured(t *testing.T) {
	t.Parallel()
	in := ownCluster(t)
	p := newPoolIn(t, in, node{name: "a", gpus: 2}, node{name: "b"})
	server := p.scraped("a", "b")
	server.start()

	grows, leaves := p.using("grows", "a", "2"), p.using("leaves", "b", "1")
	withGPUs(grows, "1")
	p.create(grows, leaves)
	p.waitRecorded(server, 4)
	p.must(in.SetUsage(t.Context(), "default", grows.Name, cluster.Usage{CPU: "5", Memory: "8Gi"}))
	comes := p.using("comes", "", "1")
	p.create(comes) // placed by the cluster's own scheduler
	p.nodeOf(comes)
	p.must(in.Clientset.CoreV1().Pods("default").Delete(t.Context(), leaves.Name, metav1.DeleteOptions{}))
	p.waitRecorded(server, 10)

	for _, names := range []string{"", "--hash-names"} {
		dir := filepath.Join(t.TempDir(), "snapshot")
		args := []string{dir, "--prometheus", server.address, "--since", "1m", "--step", snapshotStep.String(), "--match", `job!="other"`}
		p.snapshot(append(args, strings.Fields(names)...)...)
		p.replay(dir)
	}

	// What cannot be recorded is an error, and leaves nothing behind.
	for address, want := range map[string]string{
		"http://" + freeAddress(t): "connection refused",
		in.RESTConfig().Host:       "ask Prometheus at " + in.RESTConfig().Host,
	} {
		dir := filepath.Join(t.TempDir(), "none")
		if _, err := p.trySnapshot(dir, "--prometheus", address); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "nothing is written") {
			t.Errorf("from %s: the error is %v, want %q in it", address, err, want)
		}
		if left, err := filepath.Glob(filepath.Join(filepath.Dir(dir), "*")); err != nil || len(left) > 0 {
			t.Errorf("%v is left behind, %v", left, err)
		}
	}
}

// replay replays the snapshot, and checks what is measured.
func (p *pool) replay(dir string) {
	p.t.Helper()
	var warnings warning.List
	scenario, err := input.Recorded(dir, input.Calm(), 1, &warnings)
	p.must(err)
	for _, line := range warnings.Lines() {
		p.t.Error("warning:", line)
	}
	builtin, err := policy.Builtin()
	p.must(err)
	recorded, err := sim.RunRecorded(p.t.Context(), scenario, builtin[0])
	p.must(err)
	facts := scenario.Recording.Facts
	p.t.Logf("%+v; %+v; background %+v; utilization %+v", facts, facts.Fidelity, scenario.Background, recorded.Utilization)
	if facts.MeasuredPods != 3 || facts.LeftOutPods != 0 {
		p.t.Errorf("%d pods are measured and %d left out, want 3 and none", facts.MeasuredPods, facts.LeftOutPods)
	}
	f := facts.Fidelity
	if f == nil || f.Values < 15 || f.CPUMeanPercent > 2 || f.MemoryMeanPercent > 1 {
		p.t.Errorf("the error of the replay is %+v", f)
	}
	result, err := sim.Run(p.t.Context(), scenario, builtin, sim.Options{})
	p.must(err)
	for _, r := range result.Policies {
		if r.PodsScheduled != 3 && r.PodsScheduled+facts.StayingPods != 3 {
			p.t.Errorf("under %s %d pods are scheduled, and %d stay, want 3 together", r.Name, r.PodsScheduled, facts.StayingPods)
		}
	}
}

// using is a pod that uses so many cores, on a node unless that is empty.
func (p *pool) using(name, node, cores string) *v1.Pod {
	pod := p.pod(name, "")
	if node != "" {
		pod.Spec.NodeName = p.nodeName(node)
	}
	pod.Annotations = cluster.Usage{CPU: cores, Memory: "1Gi"}.Annotations()
	return pod
}

// snapshot runs kubectl plimsoll snapshot.
func (p *pool) snapshot(args ...string) {
	p.t.Helper()
	printed, err := p.trySnapshot(args...)
	p.must(err)
	p.t.Log(printed)
	if !strings.Contains(printed, "1 of which have ended") || !strings.Contains(printed, "use of 3 pods and 2 nodes") {
		p.t.Errorf("printed %q", printed)
	}
}

func (p *pool) trySnapshot(args ...string) (printed string, err error) {
	cmd := snapshot.NewCommand()
	var out bytes.Buffer
	cmd.SetArgs(append([]string{"--kubeconfig", p.local.Kubeconfig}, args...))
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	err = cmd.ExecuteContext(p.t.Context())
	return out.String(), err
}

// scraped returns a Prometheus that scrapes kwok, which plays the nodes' kubelets, and
// what tells of pods as kube-state-metrics does.
func (p *pool) scraped(nodes ...string) *prometheusServer {
	p.t.Helper()
	server := newPrometheus(p.t)
	for _, name := range nodes {
		object, err := p.local.Clientset.CoreV1().Nodes().Get(p.t.Context(), p.nodeName(name), metav1.GetOptions{})
		p.must(err)
		server.scrape += fmt.Sprintf("- job_name: %s\n  metrics_path: /metrics/nodes/%s/metrics/resource\n  static_configs: [{targets: [\"127.0.0.1:%d\"], labels: {node: %s}}]\n",
			object.Name, object.Name, object.Status.DaemonEndpoints.KubeletEndpoint.Port, object.Name)
	}
	state := httptest.NewServer(http.HandlerFunc(p.serveState))
	p.t.Cleanup(state.Close)
	server.scrape += fmt.Sprintf("- job_name: state\n  honor_labels: true\n  static_configs: [{targets: [%q]}]\n", strings.TrimPrefix(state.URL, "http://"))
	return server
}

// serveState tells of the pool's pods what kube-state-metrics does.
func (p *pool) serveState(w http.ResponseWriter, r *http.Request) {
	pods, err := p.local.Clientset.CoreV1().Pods("default").List(r.Context(), metav1.ListOptions{})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	write := func(metric string, line func(pod *v1.Pod) string) {
		fmt.Fprintf(w, "# TYPE %s gauge\n", metric)
		for i := range pods.Items {
			pod := &pods.Items[i]
			fmt.Fprintf(w, "%s{namespace=%q,pod=%q,uid=%q%s\n", metric, pod.Namespace, pod.Name, pod.UID, line(pod))
		}
	}
	write("kube_pod_info", func(pod *v1.Pod) string {
		return fmt.Sprintf(",node=%q,created_by_kind=\"<none>\",created_by_name=\"<none>\"} 1", pod.Spec.NodeName)
	})
	write("kube_pod_created", func(pod *v1.Pod) string { return fmt.Sprintf("} %d", pod.CreationTimestamp.Unix()) })
	write("kube_pod_container_resource_requests", func(pod *v1.Pod) string {
		c := &pod.Spec.Containers[0]
		return fmt.Sprintf(",container=%q,resource=\"cpu\",unit=\"core\"} %g", c.Name, c.Resources.Requests.Cpu().AsApproximateFloat64())
	})
}

// waitRecorded waits until Prometheus has so many values of a node, a step apart.
func (p *pool) waitRecorded(server *prometheusServer, count int) {
	p.t.Helper()
	ranges, err := prometheus.NewRanges(prometheus.Config{Address: server.address})
	p.must(err)
	expression := fmt.Sprintf("sum(rate(container_cpu_usage_seconds_total[%v]))", snapshotStep)
	p.wait(fmt.Sprint(count, " values"), func(ctx context.Context) (bool, error) {
		to := time.Now().Truncate(snapshotStep)
		values := 0
		err := ranges.Each(ctx, expression, to.Add(-5*time.Minute), to, snapshotStep, true, func(m model.Matrix) error {
			for _, series := range m {
				values += len(series.Values)
			}
			return nil
		})
		if err == nil {
			err = fmt.Errorf("there are %d", values)
		}
		return values >= count, err
	})
}
