package load

import (
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/annotation"
	"github.com/plimsoll-scheduler/plimsoll/pkg/demand"
	"github.com/plimsoll-scheduler/plimsoll/pkg/line"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/estimate"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/history"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/ledger"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/workload"
)

// Config configures a Model.
type Config struct {
	// Interval from the start of one poll to the next, and Timeout of a poll.
	Interval, Timeout time.Duration
	// Expiration is the age from which a sample is stale.
	Expiration time.Duration
	// Window is the length of the history that statistics are made of.
	Window time.Duration
	// WarmUp is how long a container runs before a sample can show its use.
	WarmUp    time.Duration
	Estimator estimate.Estimator
	// Learn has the real use of a workload's running pods be the estimate for
	// its next one.
	Learn bool
	// Await has AwaitFirstPoll wait. Only who calls Run wants that.
	Await bool
	// Overrides says which estimates of pods' annotations count. It defaults to what
	// NodeLoad's default arguments say.
	Overrides *annotation.Overrides
	// Remedy is what to check when no node has a fresh sample. It is logged.
	Remedy string
	// Report is told what is wrong with an object of the cluster: a reason in
	// CamelCase, and a message. It defaults to nothing.
	Report func(object runtime.Object, reason, message string)
	// Clock defaults to the real one.
	Clock clock.WithTicker
}

// Model is the load model of a process: a lock around parts that do not know it.
// Its methods may be called from any goroutine.
type Model struct {
	config      Config
	source      Source
	podSource   PodSource // source if it can measure single pods, else nil
	clock       clock.WithTicker
	metrics     *instruments
	annotations *annotation.Estimates
	health      healths

	// tried is closed when the source has been polled once, with or without success.
	tried   chan struct{}
	tryOnce sync.Once
	// relieved wakes Run when a node's predicted use fell between two polls.
	relieved chan struct{}

	mu          sync.Mutex
	nodes       nodes
	pods        map[types.NamespacedName]*pod
	workloads   *workload.Book[*pod]
	agenda      agenda
	podPolls    uint64
	newest      time.Time // when the newest sample of all was seen
	subscribers []Subscriber
	scratch     history.Scratch
	present     []*ledger.Record // memory to be used again
}

// NewModel returns a model that reads source. It knows no node and polls
// nothing until it is told of nodes and Run.
func NewModel(config Config, source Source) *Model {
	if config.Clock == nil {
		config.Clock = clock.RealClock{}
	}
	if config.Report == nil {
		config.Report = func(runtime.Object, string, string) {}
	}
	if config.Overrides == nil {
		config.Overrides = annotation.DefaultOverrides()
	}
	podSource, _ := source.(PodSource)
	return &Model{
		podSource:   podSource,
		config:      config,
		source:      source,
		clock:       config.Clock,
		metrics:     newMetrics(),
		health:      newHealths(),
		annotations: annotation.NewEstimates(),
		tried:       make(chan struct{}),
		relieved:    make(chan struct{}, 1),
		nodes:       newNodes(config.Window, config.Interval),
		pods:        map[types.NamespacedName]*pod{},
		workloads:   workload.NewBook[*pod](),
		agenda:      newAgenda(),
	}
}

// Estimate returns how much pod is expected to use: what its annotation says, as
// far as that counts, else what its workload's pods use if that is known, else what
// it requests suggests.
func (m *Model) Estimate(pod *v1.Pod) amount.Vector {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.estimate(pod, m.config.Estimator.Pod(pod))
}

// estimate is Estimate for a pod whose requests suggest the use.
func (m *Model) estimate(pod *v1.Pod, requested amount.Vector) amount.Vector {
	use := requested
	if m.workloads.Len() > 0 {
		if key, ok := workload.KeyOf(pod, requested); ok {
			use = m.workloads.Estimate(key)
		}
	}
	said := m.annotations.Of(pod)
	return m.config.Overrides.Estimate(&said, use)
}

// Requested returns the use to expect from pods that request this much. It
// stands in for the measured use of a node without fresh metrics.
func (m *Model) Requested(requests amount.Vector) amount.Vector {
	return m.config.Estimator.Requested(requests)
}

// View returns a picture of all nodes as they are known now.
func (m *Model) View() View {
	m.mu.Lock()
	defer m.mu.Unlock()
	return View{
		snapshot: m.nodes.publish(), Now: m.clock.Now(), PodPolls: m.podPolls, Epoch: m.nodes.epoch,
		expiration: m.config.Expiration, newest: m.newest,
	}
}

// SetNode tells the model that the node exists, what it can allocate, and which
// thresholds it has of its own.
func (m *Model) SetNode(name string, allocatable amount.Vector, own line.Own) {
	m.SetNodeSince(name, time.Time{}, allocatable, own)
}

// SetNodeSince is SetNode for a node that was made at a time: samples from before
// are of a machine that had its name.
func (m *Model) SetNodeSince(name string, since time.Time, allocatable amount.Vector, own line.Own) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.nodes.set(name, since, allocatable, own) {
		m.relieve()
	}
}

// RemoveNode tells the model that the node is gone.
func (m *Model) RemoveNode(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.nodes.known(name)
	if n == nil {
		return
	}
	m.nodes.remove(n)
	m.predict(n)
}

// Reserve counts pod on the node from now on, before the API server knows. It
// may be repeated.
func (m *Model) Reserve(object *v1.Pod, nodeName string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.track(object, nodeName)
	p.On(ledger.Reserve)
	m.update(p, p.Phase)
}

// Unreserve takes back Reserve, unless the pod has turned out to be bound. It
// may be repeated, and called for a pod that was never reserved.
func (m *Model) Unreserve(object *v1.Pod) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.pods[nameOf(object)]
	if p == nil || p.uid != object.UID {
		return
	}
	if p.On(ledger.Unreserve); p.Phase == ledger.Absent {
		m.drop(p)
		m.countUnseen(p.node)
		m.relieve()
	}
}

// SetPod tells the model of the state of a pod that the API server says is bound
// to a node. It may be repeated.
func (m *Model) SetPod(object *v1.Pod) {
	if object.Spec.NodeName == "" {
		return
	}
	if isTerminal(object) {
		m.RemovePod(object)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	known := m.pods[nameOf(object)]
	var requested amount.Vector
	if known != nil && known.uid == object.UID {
		requested = known.Requested
	}
	p := m.track(object, object.Spec.NodeName)
	before, now := p.Phase, p.node.clock.now(m.clock.Now())
	p.Observe(statesOf(object, &m.config.Estimator, p.Estimate), now, m.config.WarmUp)
	if known == p && p.Requested.Max(requested) != requested {
		p.Outgrow(now)
	}
	if newest := p.node.history.Newest(); newest != nil {
		p.Sampled(newest, now, m.config.WarmUp)
	}
	m.learnFrom(p, object, now)
	m.agenda.consider(p)
	if object.DeletionTimestamp != nil {
		m.agenda.terminating[p] = true
	}
	m.update(p, before)
}

// RemovePod tells the model that the pod is gone, or will use nothing more. It may
// be repeated.
func (m *Model) RemovePod(object *v1.Pod) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.pods[nameOf(object)]; p != nil && p.uid == object.UID {
		m.depart(p, usedUntil(object, p.node.clock.now(m.clock.Now())))
	}
}

// track returns the record of the pod, on the given node and with its present
// estimate.
func (m *Model) track(object *v1.Pod, nodeName string) *pod {
	name := nameOf(object)
	p := m.pods[name]
	if p != nil && (p.uid != object.UID || p.node.name != nodeName) {
		// Made again under its name, or elsewhere than it was reserved.
		m.depart(p, p.node.clock.now(m.clock.Now()))
		p = nil
	}
	if p == nil {
		p = &pod{uid: object.UID, name: name}
		m.pods[name] = p
		m.nodes.get(nodeName).add(p)
	}
	// Both are taken anew each time: a pod may be resized.
	p.Requested = m.config.Estimator.Pod(object)
	p.Estimate = m.estimate(object, p.Requested)
	p.demand = m.demand(object, p.Requested)
	return p
}

// learnFrom has a running pod's workload learn from it.
func (m *Model) learnFrom(p *pod, object *v1.Pod, now time.Time) {
	if !m.config.Learn || m.podSource == nil || p.workload != nil || p.RunningSince(now).IsZero() {
		return
	}
	if key, ok := workload.KeyOf(object, p.Requested); ok {
		p.workload = m.workloads.Join(key, p)
	}
}

// depart takes the pod off its node, which it used until then.
func (m *Model) depart(p *pod, until time.Time) {
	m.drop(p)
	if p.Depart(until, m.config.WarmUp); p.Phase == ledger.Departing && !p.LastRead().IsZero() {
		p.node.departed = append(p.node.departed, &p.Record)
	}
	m.predict(p.node)
	m.nodes.dropIfUnused(p.node)
	m.relieve()
}

// drop forgets the pod.
func (m *Model) drop(p *pod) {
	delete(m.pods, p.name)
	p.node.remove(p)
	m.agenda.drop(p)
	if p.workload != nil {
		p.workload.Leave(p, m.clock.Now())
		p.workload = nil
	}
}

// update derives anew what a pod that came or changed bears upon. Only if a sample
// shows some of it, or did before, that is more than a sum.
func (m *Model) update(p *pod, before ledger.Phase) {
	if p.Phase.Unseen() && (before.Unseen() || before == ledger.Absent) {
		m.countUnseen(p.node)
		return
	}
	m.predict(p.node)
}

// predict derives what is predicted for the node from its samples and its pods.
func (m *Model) predict(n *node) {
	m.present = n.records(m.present)
	n.prediction = ledger.Predict(&n.history, m.present, n.departed, n.clock.now(m.clock.Now()), m.config.WarmUp, &m.scratch)
	m.countRequests(n)
}

// countUnseen is the part of predict that is due when only pods came or went that
// no sample shows any of.
func (m *Model) countUnseen(n *node) {
	m.present = n.records(m.present)
	n.prediction.Unseen = ledger.CountUnseen(m.present, n.clock.now(m.clock.Now()))
	m.countRequests(n)
	m.nodes.dropIfUnused(n)
}

func (m *Model) countRequests(n *node) {
	n.requested, n.demand = amount.Vector{}, demand.Demand{}
	for _, p := range n.pods {
		n.requested = n.requested.Add(p.Requested)
		n.demand = n.demand.Add(p.demand)
	}
	if n.slot >= 0 {
		m.nodes.dirty[n] = true
	}
}
