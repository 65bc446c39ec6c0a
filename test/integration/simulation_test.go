package integration

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/policy"
	"github.com/plimsoll-scheduler/plimsoll/test/cluster"
)

// Sixty pods come to 20 nodes one after another, with and without devices. When
// half of them are there they begin to use more or less than they request, and
// the others come when that has been measured. Each goes where it does in a
// simulation of what happened until then, or to a node with the same score: who
// comes first among equals is drawn.
//
// It runs by itself, before the parallel tests go on: in the simulation nothing is late
// because the machine is busy.
func TestSimulatedAndRealAgree(t *testing.T) {
	const (
		wave   = 30
		warmUp = 40 * time.Second // longer than a wave takes
	)
	kind := v1.ResourceName("example.com/agreeing") // of which the pods of other tests teach nothing
	random := rand.New(rand.NewPCG(1, 2))
	p := &pool{t: t, name: poolName(t), local: local}
	t.Cleanup(p.remove)
	var nodes []node
	for i := range 20 {
		// Not so much that pods of whole cores fit exactly: a sample in reality is not exact.
		n := node{name: fmt.Sprintf("n%02d", i), cores: 32, uses: fmt.Sprint(130+800*(1+7*i%20), "m")}
		object := p.clusterNode(n)
		if i < 12 {
			object.Devices[string(kind)] = "8"
		}
		p.must(local.CreateNodes(t.Context(), object))
		p.must(p.load(n))
		nodes = append(nodes, n)
	}
	p.teach(kind)
	p.waitUsage(nodes...)
	config := p.configFile(func(config map[string]any) {
		pollEvery(time.Second)(config)
		args(config)["window"] = "30s"
		args(config)["estimate"].(map[string]any)["warmUp"] = warmUp.String()
	})
	s := runScheduler(t, cluster.SchedulerOptions{Config: config, Args: []string{"--leader-elect=false"}})
	s.waitFreshNodes()
	start := time.Now()
	var arrivals []arrival
	for i := range 2 * wave {
		if i == wave {
			for i, a := range arrivals {
				arrivals[i].uses = a.requests() * (0.3 + 1.2*random.Float64())
				arrivals[i].usesFrom = time.Since(start)
				p.must(local.SetUsage(t.Context(), "default", a.pod.Name, cluster.Usage{CPU: fmt.Sprintf("%.3f", arrivals[i].uses)}))
			}
			for _, a := range arrivals {
				p.waitSampledAfterStart(warmUp, a.pod)
			}
			p.waitMeasured()
			p.waitSamples("n00", 4) // longer than the window
			s.waitPolls()
		}
		cores := 1 + random.IntN(4)
		pod := p.pod(fmt.Sprintf("p%02d", i), "plimsoll")
		if random.IntN(3) == 0 {
			devices := 1 << random.IntN(3)
			cores = 2 * devices
			withDevices(pod, kind, devices)
		}
		a := arrival{pod: using(withCPU(pod, fmt.Sprint(cores)), "0"), at: time.Since(start)}
		p.create(a.pod)
		a.node = p.nodeOf(a.pod)
		arrivals = append(arrivals, a)
	}

	for _, a := range arrivals {
		p.waitStarted(a.pod)
	}
	reader := p.reader()
	agree := 0
	for i, real := range arrivals {
		simulated := p.simulate(config, start, arrivals[:i+1])
		if simulated == real.node {
			agree++
			continue
		}
		nodes := p.decision(s, reader, real.pod).Nodes
		t.Logf("%s is on %s and would be on %s in the simulation; the scheduler's scores are %v", real.pod.Name, real.node, simulated, p.scores(nodes))
		if !p.isAsGood(simulated, nodes) {
			accounts, err := json.Marshal([]*explain.Node{p.nodeIn(nodes, simulated), p.nodeIn(nodes, real.node)})
			p.must(err)
			t.Errorf("the simulation has %s on %s, which is not as good as %s: %s", real.pod.Name, simulated, real.node, accounts)
		}
	}
	t.Logf("%d of %d pods are where the simulation has them", agree, len(arrivals))
}

// teach has the scheduler know of many pods with devices of the kind. DeviceFit's mix of
// pods may be a second old, in reality and in a simulation at other moments, and while few
// were seen it makes dozens of points of difference whether the last one is in it.
func (p *pool) teach(kind v1.ResourceName) {
	p.t.Helper()
	school := p.clusterNode(node{name: "school"})
	school.Devices[string(kind)] = "8"
	p.must(p.local.CreateNodes(p.t.Context(), school))
	p.mark("school", true)
	for i := range 160 {
		devices := 1 << (i % 4)
		pod := using(withCPU(p.pod(fmt.Sprint("taught-", i), ""), fmt.Sprint(2*devices)), "0")
		withDevices(pod, kind, devices)
		pod.Spec.NodeName = school.Name
		p.create(pod)
	}
}

// scores returns the weighted scores of the nodes that were not rejected.
func (p *pool) scores(nodes []explain.Node) map[string]int64 {
	scores := map[string]int64{}
	for _, n := range nodes {
		if n.NodeLoad.Score != nil && n.DeviceFit.Score != nil {
			scores[strings.TrimPrefix(n.Name, p.nodeName(""))] = nodeLoadWeight**n.NodeLoad.Score + deviceFitWeight**n.DeviceFit.Score
		}
	}
	return scores
}

// isAsGood reports whether the scheduler found the node as good as the best of those that
// are clearly below their line. A sample in reality is not exact, which may make a point
// of difference in each plugin's score, or decide whether a node that is close to its line
// takes the pod.
func (p *pool) isAsGood(node string, nodes []explain.Node) bool {
	scores, best := p.scores(nodes), int64(0)
	for i := range nodes {
		if !isAtTheLine(&nodes[i]) {
			best = max(best, scores[strings.TrimPrefix(nodes[i].Name, p.nodeName(""))])
		}
	}
	if score, scored := scores[node]; scored {
		return best-score <= nodeLoadWeight+deviceFitWeight
	}
	n := p.nodeIn(nodes, node)
	return n != nil && n.NodeLoad.Rejected != "" && isAtTheLine(n)
}

// nodeIn returns what is known of the node, nil if it was not considered.
func (p *pool) nodeIn(nodes []explain.Node, node string) *explain.Node {
	for i := range nodes {
		if nodes[i].Name == p.nodeName(node) {
			return &nodes[i]
		}
	}
	return nil
}

// isAtTheLine reports whether what the node uses, as exactly as that is known, with the
// pod on it, is its line.
func isAtTheLine(n *explain.Node) bool {
	return n.Load != nil && math.Abs(n.Load.CPU.Predicted-n.Load.CPU.Threshold) <= usageError*n.Load.CPU.Measured
}

// The weights of the recommended profile.
const nodeLoadWeight, deviceFitWeight = 10, 5

// arrival is a pod that came, and where it went.
type arrival struct {
	pod  *v1.Pod
	node string
	// at is when it came, and usesFrom from when on it uses so many cores, if it
	// does; since the start.
	at, usesFrom time.Duration
	uses         float64
}

func (a *arrival) requests() float64 {
	return a.pod.Spec.Containers[0].Resources.Requests.Cpu().AsApproximateFloat64()
}

// use returns that of the pod in a simulation that ends then.
func (a *arrival) use(end time.Duration) sim.Use {
	if a.uses == 0 {
		return sim.Use{}
	}
	series := slices.Repeat([]float64{1}, int(end/a.usesFrom)+2) // longer than the simulation
	series[0] = 0
	return sim.Use{CPU: series, Scale: a.uses, Step: a.usesFrom}
}

func withDevices(pod *v1.Pod, kind v1.ResourceName, count int) *v1.Pod {
	devices := *resource.NewQuantity(int64(count), resource.DecimalSI)
	resources := &pod.Spec.Containers[0].Resources
	resources.Requests[kind] = devices
	resources.Limits = v1.ResourceList{kind: devices}
	return pod
}

// configFile returns the path of the recommended profile for the pool, changed.
func (p *pool) configFile(change func(map[string]any)) string {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "config", "plimsoll.yaml"))
	p.must(err)
	var config map[string]any
	p.must(yaml.Unmarshal(text, &config))
	ofPool(p.t, change)(config)
	text, err = yaml.Marshal(config)
	p.must(err)
	path := filepath.Join(p.t.TempDir(), "config.yaml")
	p.must(os.WriteFile(path, text, 0o600))
	return path
}

// simulate returns where the last of the pods goes in a simulation in which the
// others come, start and go where they did. start is what arrivals count from.
func (p *pool) simulate(config string, start time.Time, arrivals []arrival) (node string) {
	p.t.Helper()
	policies, err := policy.Load(config)
	p.must(err)
	last := arrivals[len(arrivals)-1]
	scenario := &sim.Scenario{
		Name: p.name, End: last.at + time.Second,
		Metrics: sim.MetricsServer{Interval: resolution, Delay: time.Second},
	}
	objects, err := p.local.Clientset.CoreV1().Nodes().List(p.t.Context(), metav1.ListOptions{LabelSelector: "pool=" + p.name})
	p.must(err)
	for i := range objects.Items {
		scenario.Nodes = append(scenario.Nodes, &objects.Items[i])
	}
	pods, err := p.pods(p.t.Context(), "")
	p.must(err)
	started := map[string]time.Duration{}
	for i := range pods {
		pod := &pods[i]
		if pod.Spec.SchedulerName != last.pod.Spec.SchedulerName { // a node's load
			scenario.Pods = append(scenario.Pods, sim.Pod{Object: pod, Arrival: pod.CreationTimestamp.Sub(start), Use: useOf(pod)})
		}
		started[pod.Name] = pod.Status.ContainerStatuses[0].State.Running.StartedAt.Sub(start)
	}
	for _, a := range arrivals {
		pod := a.pod.DeepCopy()
		pod.Namespace, pod.UID = "default", types.UID(pod.Name)
		if a.pod != last.pod {
			pod.Spec.NodeSelector[v1.LabelHostname] = p.nodeName(a.node)
		}
		scenario.Pods = append(scenario.Pods, sim.Pod{Object: pod, Arrival: a.at, StartDelay: max(0, started[pod.Name]-a.at), Use: a.use(scenario.End)})
	}
	placed := map[string]bool{}
	_, err = sim.Run(p.t.Context(), scenario, policies, sim.Options{
		Bound: func(_ string, pod *v1.Pod, on string, _ time.Duration) {
			if placed[pod.Name] = true; pod.Name != last.pod.Name {
				return
			}
			node = strings.TrimPrefix(on, p.nodeName(""))
			for _, a := range arrivals {
				if !placed[a.pod.Name] {
					p.t.Errorf("the simulation has not placed %s on %s before %s", a.pod.Name, a.node, pod.Name)
				}
			}
		},
	})
	p.must(err)
	return node
}

func useOf(pod *v1.Pod) sim.Use {
	usage := cluster.UsageOf(pod)
	cores, memory := resource.MustParse(orZero(usage.CPU)), resource.MustParse(orZero(usage.Memory))
	return sim.Use{Base: cores.AsApproximateFloat64(), Memory: memory.Value()}
}
