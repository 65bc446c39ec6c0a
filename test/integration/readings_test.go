package integration

import (
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/metrics/pkg/apis/metrics/v1beta1"

	"github.com/plimsoll-scheduler/plimsoll/test/cluster"
)

// reading is what a node is read to use.
type reading struct {
	cpu, memory string // "" is missing
	// ahead is by how much the node's clock is ahead of ours.
	ahead time.Duration
	// taken is when the sample was taken, by our clock; zero is a new one whenever it
	// is asked for.
	taken time.Time
}

// meter stands between schedulers and the API server, and answers for metrics-server
// when they ask what nodes use, as faulty kubelets make it answer.
type meter struct {
	p          *pool
	api        http.Handler
	kubeconfig string // leads to it

	mu       sync.Mutex
	readings map[string]reading // by node, as named in the test
	answers  chan struct{}      // closed when it answers
}

// newMeter starts a meter for the pool's nodes, which it knows no reading of.
func (p *pool) newMeter() *meter {
	p.t.Helper()
	target, err := url.Parse(p.local.RESTConfig().Host)
	p.must(err)
	transport, err := rest.TransportFor(p.local.RESTConfig())
	p.must(err)
	m := &meter{p: p, readings: map[string]reading{}, answers: make(chan struct{}), kubeconfig: filepath.Join(p.t.TempDir(), "kubeconfig")}
	close(m.answers)
	m.api = &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport: transport,
		ErrorLog:  log.New(io.Discard, "", 0), // schedulers that are killed
	}
	server := httptest.NewServer(m)
	p.t.Cleanup(server.Close)
	content, err := clientcmd.Write(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"meter": {Server: server.URL}},
		Contexts:       map[string]*clientcmdapi.Context{"meter": {Cluster: "meter"}},
		CurrentContext: "meter",
	})
	p.must(err)
	p.must(os.WriteFile(m.kubeconfig, content, 0o600))
	return m
}

// newMeteredPool creates the nodes, each with a pod that runs, and a meter that reads
// them to use what they are described to use. It does not wait for metrics-server.
func newMeteredPool(t *testing.T, nodes ...node) (*pool, *meter) {
	t.Helper()
	p := newPool(t)
	m := p.newMeter()
	for _, n := range nodes {
		p.must(p.local.CreateNodes(p.t.Context(), p.clusterNode(n)))
		p.must(p.load(n))
		p.waitStarted(p.pod(loadName(n.name), ""))
		m.set(n.name, uses(n.uses))
	}
	return p, m
}

// uses is an ordinary reading.
func uses(cores string) reading { return reading{cpu: cores, memory: "1Gi"} }

// set has the node be read like this from now on.
func (m *meter) set(node string, r reading) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.readings[node] = r
}

// stall has it answer no more until the returned function is called.
func (m *meter) stall() (resume func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	answers := make(chan struct{})
	m.answers = answers
	return func() { close(answers) }
}

// ServeHTTP implements http.Handler.
func (m *meter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/apis/metrics.k8s.io/v1beta1/nodes" {
		m.api.ServeHTTP(w, r)
		return
	}
	m.mu.Lock()
	answers := m.answers
	m.mu.Unlock()
	select {
	case <-answers:
	case <-r.Context().Done():
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(m.list(time.Now())) // the client may be gone
}

func (m *meter) list(now time.Time) *v1beta1.NodeMetricsList {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := &v1beta1.NodeMetricsList{TypeMeta: metav1.TypeMeta{APIVersion: "metrics.k8s.io/v1beta1", Kind: "NodeMetricsList"}}
	for node, r := range m.readings {
		taken := r.taken
		if taken.IsZero() {
			taken = now
		}
		usage := v1.ResourceList{}
		for name, quantity := range map[v1.ResourceName]string{v1.ResourceCPU: r.cpu, v1.ResourceMemory: r.memory} {
			if quantity != "" {
				usage[name] = resource.MustParse(quantity)
			}
		}
		list.Items = append(list.Items, v1beta1.NodeMetrics{
			ObjectMeta: metav1.ObjectMeta{Name: m.p.nodeName(node)},
			Timestamp:  metav1.NewTime(taken.Add(r.ahead)), Window: metav1.Duration{Duration: resolution}, Usage: usage,
		})
	}
	return list
}

// start starts a scheduler that reads the meter, with the recommended profile and
// without leader election unless change changes that, and waits until it has polled.
func (m *meter) start(change func(map[string]any)) *scheduler {
	m.p.t.Helper()
	s := m.p.runScheduler(m.options(change))
	s.waitFreshNodes()
	return s
}

// startUnready is start that waits only until the scheduler serves.
func (m *meter) startUnready(change func(map[string]any)) *scheduler {
	m.p.t.Helper()
	opts := m.options(change)
	opts.Awaits = "/livez"
	return m.p.runScheduler(opts)
}

func (m *meter) options(change func(map[string]any)) cluster.SchedulerOptions {
	return cluster.SchedulerOptions{
		Config:     filepath.Join(root, "config", "plimsoll.yaml"),
		Kubeconfig: m.kubeconfig,
		Change: ofPool(m.p.t, func(config map[string]any) {
			config["leaderElection"] = map[string]any{"leaderElect": false}
			if change != nil {
				change(config)
			}
		}),
	}
}
