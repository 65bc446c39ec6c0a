package integration

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/prometheus"
	"github.com/plimsoll-scheduler/plimsoll/test/cluster"
)

// The whole way, from exposition over a real Prometheus and the default
// expressions to the placement of pods; and what becomes of it without
// Prometheus, or without one of the nodes' exporters.
func TestPrometheusSource(t *testing.T) {
	t.Parallel()
	// By requests the cool node is the worst one.
	p := newPool(t, node{name: "hot", requests: "100m"}, node{name: "cool", requests: "4"}, node{name: "free", requests: "100m"})
	cool := startExporter(t, p.nodeName("cool"), 1)
	server := newPrometheus(t, startExporter(t, p.nodeName("hot"), 9), cool, startExporter(t, p.nodeName("free"), 6))
	s := p.startUnmeasured("prometheus.yaml", func(config map[string]any) {
		args(config)["expiration"], args(config)["window"] = "15s", "10s"
		source := args(config)["source"].(map[string]any)
		source["interval"], source["timeout"] = "1s", "1s"
		source["prometheus"] = map[string]any{"address": server.address, "window": "10s"}
	})
	source := newSource(t, server.address, nil)
	none := func(nodes float64) bool { return nodes == 0 }

	reader := p.reader()
	small := func(name string) *v1.Pod {
		pod := withCPU(p.pod(name, "plimsoll"), "100m")
		p.create(pod)
		return pod
	}
	check := func(pod *v1.Pod, want, when string) {
		t.Helper()
		if got := p.nodeOf(pod); got != want {
			_, why, err := s.Decisions(t.Context(), reader, "?pod=default/"+pod.Name)
			t.Errorf("%s the pod is on %s, want %s (%v):\n%s", when, got, want, err, why)
		}
	}
	// A node is fresh from its first scrape on, which says what memory is used. CPU
	// takes two. What was taken for it in between is in the average for a window, of
	// 10 s.
	waitMeasured := func() {
		t.Helper()
		waitReadings(t, source, func(readings map[string]load.Reading) bool {
			measured := 0
			for _, reading := range readings {
				if !math.IsNaN(reading.Usage[amount.CPU]) {
					measured++
				}
			}
			return measured == 3
		})
		p.waitUntil("the window to be over", time.Now().Add(15*time.Second))
		s.waitMetric(freshNodes, func(nodes float64) bool { return nodes == 3 })
	}
	first := small("before-the-first-sample")
	if why := p.rejected(first); !strings.Contains(why, "3 node(s) whose load is not measured yet") {
		t.Errorf("before Prometheus runs a pod is rejected with %q", why)
	}
	server.start()
	waitMeasured()
	if got := p.nodeOf(first); got == "hot" { // whichever of the others was measured first
		t.Errorf("with the first sample the pod is on %s", got)
	}
	check(small("measured"), "cool", "with Prometheus")

	server.stop()
	s.waitMetric(freshNodes, none)
	check(small("by-what-was-known"), "cool", "without Prometheus")
	if log, err := s.Log(); err != nil || !strings.Contains(log, "ask Prometheus at "+server.address+" for ") {
		t.Errorf("the scheduler does not say what fails (%v)", err)
	}

	server.start()
	waitMeasured()
	check(small("measured-again"), "cool", "with Prometheus back")

	cool.Close()
	s.waitMetric(`plimsoll_nodes{state="stale"}`, func(nodes float64) bool { return nodes == 1 })
	s.waitMetric(freshNodes, func(nodes float64) bool { return nodes == 2 })
}

// What the default expressions yield on a real server.
func TestPrometheusAnswers(t *testing.T) {
	t.Parallel()
	busy, idle := startExporter(t, "busy", 3), startExporter(t, "idle", 0)
	server := newPrometheus(t, busy, idle, startExporter(t, "twin", 1), startExporter(t, "twin", 2))
	server.start()
	source := newSource(t, server.address, nil)
	unknown := func(reading load.Reading) bool {
		return math.IsNaN(reading.Usage[amount.CPU]) && math.IsNaN(reading.Usage[amount.Memory])
	}
	// Of two machines of one name none is believed, once both have been scraped.
	readings := waitReadings(t, source, func(readings map[string]load.Reading) bool {
		return len(readings) == 3 && readings["busy"].Usage[amount.CPU] > 0 && readings["idle"].Usage[amount.CPU] >= 0 && unknown(readings["twin"])
	})
	// The range is far from full: that must not make the answer too low.
	if got := readings["busy"].Usage[amount.CPU]; math.Abs(got-3) > 0.1 {
		t.Errorf("a machine that uses 3 cores uses %v", got)
	}
	if got := readings["busy"]; got.Usage[amount.Memory] != usedMemory || got.Window != sourceWindow || time.Since(got.Timestamp).Abs() > time.Minute {
		t.Errorf("a machine that uses %v bytes: %+v", usedMemory, got)
	}
	if got := readings["idle"].Usage[amount.CPU]; got != 0 {
		t.Errorf("an idle machine uses %v cores", got)
	}

	idle.Close()
	waitReadings(t, source, func(readings map[string]load.Reading) bool {
		_, found := readings["idle"]
		return !found && len(readings) == 2
	})

	for expression, want := range map[string]string{
		"sum(":                               "parse error",
		"1":                                  "the answer is a scalar",
		"node_uname_info[5s]":                "the answer is a matrix",
		"no_such_metric":                     "the answer is empty",
		"sum(node_load1 or node_uname_info)": "a label nodename of its own",
		"node_uname_info * NaN":              "none of 3 series has a finite value",
		"rate(node_cpu_seconds_total[5s]) * on (job) node_uname_info{}   ": "found duplicate series for the match group",
	} {
		_, err := newSource(t, server.address, map[string]string{"memory": expression}).Poll(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), server.address+" for memory") || !strings.Contains(err.Error(), strings.TrimSpace(expression)) {
			t.Errorf("%s: error %v, want the address, the expression and %q", expression, err, want)
		}
	}
}

// An exporter that is scraped by two jobs must not count twice.
func TestPrometheusScrapesTwice(t *testing.T) {
	t.Parallel()
	exporter := startExporter(t, "a", 3)
	server := newPrometheus(t, exporter)
	server.jobs = append(server.jobs, "again")
	server.start()
	source := newSource(t, server.address, nil)
	err := cluster.WaitFor(t.Context(), "two series a machine", func(ctx context.Context) (bool, error) {
		readings, err := source.Poll(ctx)
		if err != nil && strings.Contains(err.Error(), "found duplicate series for the match group") {
			return true, nil
		}
		return false, fmt.Errorf("readings %v, error %w", readings, err)
	})
	if err != nil {
		t.Error(err)
	}
}

// What the default expressions for pods yield on a real server.
func TestPrometheusAnswersForPods(t *testing.T) {
	t.Parallel()
	const memory = 1 << 30
	containers := func(namespace, pod string, cores ...float64) (all []container) {
		total := container{namespace: namespace, pod: pod}
		for i, cores := range cores {
			c := container{namespace: namespace, pod: pod, name: fmt.Sprint("c", i), cores: cores, memory: memory}
			all = append(all, c)
			total.cores, total.memory = total.cores+cores, total.memory+memory
		}
		sandbox := container{namespace: namespace, pod: pod, name: "POD", cores: 0.5, memory: memory}
		return append(all, total, sandbox)
	}
	restarted := append(containers("default", "restarted", 2), container{namespace: "default", pod: "restarted", name: "c0", restarts: 1, cores: 1, memory: memory})
	server := newPrometheus(t,
		startExporter(t, "a", 3, containers("default", "db.0", 1, 0.5)...),
		startExporter(t, "b", 3, slices.Concat(containers("default", "idle", 0), containers("other", "db.0", 4), restarted)...))
	server.start()
	source := newSource(t, server.address, nil)

	pods := newPods(source, nil)
	all := waitPods(t, pods.ListPods, func(readings map[string]load.Reading) bool {
		return len(readings) == 4 && readings["other/db.0"].Usage[amount.CPU] > 3 && readings["default/db.0"].Usage[amount.CPU] > 1.2
	})
	for pod, want := range map[string]struct {
		cores float64
		bytes int
	}{"default/db.0": {1.5, 2 * memory}, "default/idle": {0, memory}, "other/db.0": {4, memory}, "default/restarted": {2, memory}} {
		got := all[pod]
		if got.Usage[amount.CPU] > want.cores*1.1 || got.Usage[amount.CPU] < want.cores/2 || got.Usage[amount.Memory] != float64(want.bytes) {
			t.Errorf("%s uses %+v, want %+v", pod, got.Usage, want)
		}
		if got.Window != sourceWindow || time.Since(got.Timestamp).Abs() > time.Minute {
			t.Errorf("%s: %+v", pod, got)
		}
	}

	asked := []types.NamespacedName{{Namespace: "default", Name: "db.0"}, {Namespace: "default", Name: "gone"}, {Namespace: "default", Name: "idle"}}
	for name, pods := range map[string]*prometheus.Pods{
		"by name": pods,
		"all": newPods(source, map[string]string{
			"cpu":    `sum by (namespace, pod) (rate(container_cpu_usage_seconds_total{container=~"c.+"}[$window])) # of all pods`,
			"memory": `sum by (namespace, pod) (max by (namespace, pod, container) (container_memory_working_set_bytes{container=~"c.+"}))`,
		}),
	} {
		got := waitPods(t, func(ctx context.Context) ([]load.PodReading, error) { return pods.PollPods(ctx, asked) },
			func(readings map[string]load.Reading) bool { return len(readings) == 2 })
		if reading := got["default/db.0"]; reading.Usage[amount.CPU] < 1 || reading.Usage[amount.CPU] > 1.7 || reading.Usage[amount.Memory] != 2*memory {
			t.Errorf("%s: %+v", name, got)
		}
	}

	unknown := asked[1:2]
	if got, err := pods.PollPods(t.Context(), unknown); err != nil || len(got) > 0 {
		t.Errorf("a pod that the server does not know: %v, %v", got, err)
	}
	for expression, want := range map[string]string{
		`no_such_metric{pod=~"$pods"}`:                            "the answer is empty",
		`container_memory_working_set_bytes{pod!~"$pods"`:         "parse error",
		`sum by (pod) (container_memory_working_set_bytes)`:       "labels namespace and pod of its own",
		`count_values("pod", container_memory_working_set_bytes)`: "labels namespace and pod of its own",
	} {
		got, err := newPods(source, map[string]string{"memory": expression}).PollPods(t.Context(), unknown)
		if err == nil || len(got) > 0 || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), server.address+" for memory of pods") {
			t.Errorf("%s: %v, error %v, want the address and %q", expression, got, err, want)
		}
	}
}

// newPods returns what reads pods as `podQueries` makes it.
func newPods(source *prometheus.Source, queries map[string]string) *prometheus.Pods {
	from := config.Prometheus{Window: sourceWindow, NamespaceLabel: "namespace", PodLabel: "pod", PodQueries: queries}
	return source.Pods(prometheus.PodConfig{
		NamespaceLabel: from.NamespaceLabel, PodLabel: from.PodLabel,
		Expression: func(r amount.Resource, names string) string { return from.PodExpression(string(r.Name()), names) },
	})
}

// waitPods reads until the readings, by pod, satisfy the condition.
func waitPods(t *testing.T, read func(context.Context) ([]load.PodReading, error), condition func(map[string]load.Reading) bool) map[string]load.Reading {
	t.Helper()
	byPod := map[string]load.Reading{}
	err := cluster.WaitFor(t.Context(), "readings of pods", func(ctx context.Context) (bool, error) {
		readings, err := read(ctx)
		if err != nil {
			return false, err
		}
		clear(byPod)
		for _, reading := range readings {
			byPod[reading.Pod.String()] = reading.Reading
		}
		return condition(byPod), fmt.Errorf("readings %v", readings)
	})
	if err != nil {
		t.Fatal(err)
	}
	return byPod
}

// sourceWindow is the range of the queries of newSource.
const sourceWindow = 10 * time.Second

// newSource returns a source as `type: Prometheus` makes it.
func newSource(t *testing.T, address string, queries map[string]string) *prometheus.Source {
	t.Helper()
	args, errs := config.DecodeNodeLoad(&runtime.Unknown{Raw: fmt.Appendf(nil,
		`{"source": {"type": "Prometheus", "prometheus": {"address": %q, "window": %q}}}`, address, sourceWindow)}, field.NewPath("args"))
	if len(errs) > 0 {
		t.Fatal(errs.ToAggregate())
	}
	from := args.Source.Prometheus
	for name, expression := range queries {
		from.Queries[name] = expression
	}
	source, err := prometheus.New(prometheus.Config{
		Address: address, NodeLabel: from.NodeLabel, Window: from.Window,
		Expressions: [amount.NumResources]string{amount.CPU: from.Expression("cpu"), amount.Memory: from.Expression("memory")},
	})
	if err != nil {
		t.Fatal(err)
	}
	return source
}

// waitReadings polls until the readings, by node, satisfy the condition.
func waitReadings(t *testing.T, source *prometheus.Source, condition func(map[string]load.Reading) bool) map[string]load.Reading {
	t.Helper()
	byNode := map[string]load.Reading{}
	err := cluster.WaitFor(t.Context(), "readings", func(ctx context.Context) (bool, error) {
		readings, err := source.Poll(ctx)
		if err != nil {
			return false, err
		}
		clear(byNode)
		for _, reading := range readings {
			byNode[reading.Node] = reading
		}
		return condition(byNode), fmt.Errorf("readings %v", readings)
	})
	if err != nil {
		t.Fatal(err)
	}
	return byNode
}

// What each machine of an exporter has, and uses, in bytes.
const (
	totalMemory = 100 << 30
	usedMemory  = 7 << 30
)

// machineCPUs is how many CPUs each machine of an exporter has.
const machineCPUs = 10

// exporter serves what node_exporter serves of a machine, and what the kubelet's
// cAdvisor serves of its pods.
type exporter struct {
	*httptest.Server
	nodename   string
	cores      float64 // in use
	started    time.Time
	containers []container
}

// container is a container of a pod, or what cAdvisor shows beside those: the pod
// as a whole, whose name is empty, and its sandbox, POD.
type container struct {
	namespace, pod, name string
	restarts             int
	cores                float64
	memory               int // bytes
}

func startExporter(t *testing.T, nodename string, cores float64, containers ...container) *exporter {
	e := &exporter{nodename: nodename, cores: cores, started: time.Now(), containers: containers}
	e.Server = httptest.NewServer(e)
	t.Cleanup(e.Close)
	return e
}

// ServeHTTP writes the text format of Prometheus.
func (e *exporter) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	fmt.Fprintln(w, "# HELP node_cpu_seconds_total Seconds the CPUs spent in each mode.\n# TYPE node_cpu_seconds_total counter")
	seconds := time.Since(e.started).Seconds()
	used := e.cores / machineCPUs
	for cpu := range machineCPUs {
		for mode, share := range map[string]float64{
			"user": used * 0.6, "system": used * 0.3, "softirq": used * 0.1,
			"idle": (1 - used) * 0.7, "iowait": (1 - used) * 0.2, "steal": (1 - used) * 0.1,
		} {
			fmt.Fprintf(w, "node_cpu_seconds_total{cpu=\"%d\",mode=%q} %g\n", cpu, mode, share*seconds)
		}
	}
	fmt.Fprintf(w, "# TYPE node_memory_MemTotal_bytes gauge\nnode_memory_MemTotal_bytes %d\n", totalMemory)
	fmt.Fprintf(w, "# TYPE node_memory_MemAvailable_bytes gauge\nnode_memory_MemAvailable_bytes %d\n", totalMemory-usedMemory)
	fmt.Fprintf(w, "# TYPE node_uname_info gauge\nnode_uname_info{domainname=\"(none)\",machine=\"x86_64\",nodename=%q,sysname=\"Linux\"} 1\n", e.nodename)
	e.writeContainers(w, "container_cpu_usage_seconds_total counter", func(c container) float64 { return c.cores * seconds })
	e.writeContainers(w, "container_memory_working_set_bytes gauge", func(c container) float64 { return float64(c.memory) })
}

func (e *exporter) writeContainers(w io.Writer, metric string, value func(container) float64) {
	fmt.Fprintln(w, "# TYPE", metric)
	name, _, _ := strings.Cut(metric, " ")
	for _, c := range e.containers {
		fmt.Fprintf(w, "%s{container=%q,id=\"%s-%d\",namespace=%q,pod=%q} %g\n", name, c.name, c.name, c.restarts, c.namespace, c.pod, value(c))
	}
}

// prometheusServer is a Prometheus that can be stopped and started again.
type prometheusServer struct {
	address string

	t       *testing.T
	program string
	dir     string
	jobs    []string
	targets []string
	scrape  string            // scrape configurations, in the place of those of jobs and targets
	labels  map[string]string // of all targets
	rules   string            // the path of a file of rules; empty is none
	cmd     *exec.Cmd
	ended   chan struct{}
}

// newPrometheus returns a server that is to scrape the exporters each second.
func newPrometheus(t *testing.T, exporters ...*exporter) *prometheusServer {
	t.Helper()
	built := filepath.Join(root, "bin", "tools", "prometheus")
	if _, err := os.Stat(built); err != nil {
		t.Fatalf("%v: run \"make tools\"", err)
	}
	// A program of the cluster ends with it, also if the test is killed.
	program, err := local.Link(built)
	if err != nil {
		t.Fatal(err)
	}
	p := &prometheusServer{t: t, program: program, dir: t.TempDir(), address: "http://" + freeAddress(t), jobs: []string{"node"}}
	for _, e := range exporters {
		p.targets = append(p.targets, strings.TrimPrefix(e.URL, "http://"))
	}
	return p
}

// freeAddress returns an address that no server has, with a port below those of
// clusters and those that Linux gives to outgoing connections, so that it stays
// free while the server is stopped.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 1000 {
		address := fmt.Sprint("127.0.0.1:", 10000+rand.IntN(10000))
		if listener, err := net.Listen("tcp", address); err == nil {
			listener.Close()
			return address
		}
	}
	t.Fatal("no free port from 10000 to 19999")
	return ""
}

// start starts the server and waits until it answers. It ends with the test.
func (p *prometheusServer) start() {
	p.t.Helper()
	file := filepath.Join(p.dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte(p.config()), 0o600); err != nil {
		p.t.Fatal(err)
	}
	logFile := filepath.Join(p.dir, "log")
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	defer log.Close() // the server has its own
	p.cmd = exec.Command(p.program, "--config.file="+file, "--storage.tsdb.path="+filepath.Join(p.dir, "data"),
		"--web.listen-address="+strings.TrimPrefix(p.address, "http://"))
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	ended := make(chan struct{})
	p.ended = ended
	go func() {
		_ = p.cmd.Wait() // how it ended is in its ProcessState
		close(ended)
	}()
	p.t.Cleanup(p.stop)
	if err := cluster.WaitFor(p.t.Context(), "Prometheus to be ready", p.ready); err != nil {
		content, _ := os.ReadFile(logFile)
		p.t.Fatalf("%v; its log:\n%s", err, content)
	}
}

func (p *prometheusServer) config() string {
	if p.scrape != "" {
		return "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n" + p.scrape
	}
	config := map[string]any{"global": map[string]any{"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}}
	if p.rules != "" {
		config["rule_files"] = []string{p.rules}
	}
	var scrapes []any
	for _, job := range p.jobs {
		scrapes = append(scrapes, map[string]any{"job_name": job, "static_configs": []any{map[string]any{"targets": p.targets, "labels": p.labels}}})
	}
	config["scrape_configs"] = scrapes
	text, err := yaml.Marshal(config)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text)
}

func (p *prometheusServer) ready(ctx context.Context) (bool, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.address+"/-/ready", http.NoBody)
	if err != nil {
		return false, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false, err
	}
	defer response.Body.Close()
	return response.StatusCode == http.StatusOK, errors.New(response.Status)
}

// stop ends the server, and returns when it has ended.
func (p *prometheusServer) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
	select {
	case <-p.ended:
	case <-time.After(30 * time.Second):
		p.t.Error("Prometheus did not end within 30 s of SIGTERM")
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}
