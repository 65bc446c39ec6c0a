package load

import (
	"sync"
	"sync/atomic"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
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
	// Overrides says which estimates of pods' annotations count. It defaults to what
	// NodeLoad's default arguments say.
	Overrides *annotation.Overrides
	// Demands tells what a pod is going to use if that is known better than by what
	// pods of its workload used: by a forecast. It defaults to nothing that is known.
	// It is called under the model's lock.
	Demands func(*v1.Pod) (d demand.Demand, known bool)
	// Remedy is what to check when no node has a fresh sample. It is logged.
	Remedy string
	// Report is told what is wrong with an object of the cluster: a reason in
	// CamelCase, and a message. It defaults to nothing.
	Report func(object runtime.Object, reason, message string)
	// Lead is called once, when the first scheduling cycle begins: until then another
	// replica may schedule. It defaults to nothing.
	Lead func()
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
	// leadOnce is for Config.Lead.
	leadOnce sync.Once
	leads    atomic.Bool
	// relieved wakes Run when a node's predicted use fell between two polls.
	relieved chan struct{}

	mu           sync.Mutex
	nodes        nodes
	pods         pods
	workloads    *workload.Book[*pod]
	knowsDemands bool // see KnowDemands
	agenda       agenda
	podPolls     uint64
	newest       time.Time // when the newest sample of all was seen
	began        time.Time // when the source was polled first; zero before
	unserved     bool      // there is no source, said the last poll
	subscribers  []Subscriber
	scratch      history.Scratch
	present      []*ledger.Record // memory to be used again
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
	if config.Lead == nil {
		config.Lead = func() {}
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
		pods:        pods{},
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
		if key, ok := m.keyOf(pod); ok {
			use = m.workloads.Estimate(key, requested)
		}
	}
	said := m.annotations.Of(pod)
	return m.config.Overrides.Estimate(&said, use)
}

// keyOf returns the key of the pod's workload, and whether it has one.
func (m *Model) keyOf(pod *v1.Pod) (workload.Key, bool) {
	return workload.KeyOf(pod, m.config.Estimator.Template(pod))
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
	view := View{
		snapshot: m.nodes.publish(), Now: m.clock.Now(), PodPolls: m.podPolls, Epoch: m.nodes.epoch,
		expiration: m.config.Expiration, newest: m.newest,
	}
	if !m.began.IsZero() && !m.unserved {
		view.awaited = m.began.Add(firstSample)
	}
	return view
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
	if m.nodes.set(name, since, m.clock.Now(), allocatable, own) {
		m.relieve()
	}
}

// RemoveNode tells the model that the node is gone, or has stopped. If it comes back,
// with pods that are still there, those are about to run again.
func (m *Model) RemoveNode(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.nodes.known(name)
	if n == nil {
		return
	}
	now := n.clock.now(m.clock.Now())
	for _, p := range n.pods {
		p.keep()
		p.Stop(now, m.config.WarmUp)
		m.agenda.consider(p, m.config.WarmUp)
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
	m.setDemand(p, object)
	m.update(p, p.Phase)
}

// Unreserve takes back Reserve, unless the pod has turned out to be bound. It
// may be repeated, and called for a pod that was never reserved.
func (m *Model) Unreserve(object *v1.Pod) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.pods.find(object)
	if p == nil {
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
	p, ours := m.track(object, object.Spec.NodeName), m.clock.Now()
	before, now := p.Phase, p.node.clock.now(ours)
	if before == ledger.Absent && m.isOlder(object) && !p.node.inherited {
		p.node.inherited = true
		m.nodes.touch(p.node)
	}
	states := statesOf(object, &m.config.Estimator, p.Estimate)
	p.place(states, ours)
	if p.Observe(states, now, m.config.WarmUp) {
		p.heard = p.node.clock.arrived
	}
	if newest := p.node.history.Newest(); newest != nil {
		p.Sampled(newest, now, m.config.WarmUp)
	}
	m.learnFrom(p, object, now)
	m.setDemand(p, object)
	m.agenda.consider(p, m.config.WarmUp)
	if object.DeletionTimestamp != nil {
		m.agenda.terminating[p] = true
	}
	m.update(p, before)
}

// isOlder reports whether the pod was made before the model began.
func (m *Model) isOlder(object *v1.Pod) bool {
	return m.began.IsZero() || object.CreationTimestamp.Time.Before(m.began)
}

// RemovePod tells the model that the pod is gone, or will use nothing more. It may
// be repeated.
func (m *Model) RemovePod(object *v1.Pod) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.pods.find(object); p != nil {
		m.depart(p, p.usedUntil(object, m.clock.Now()))
	}
}

// track returns the record of the pod, on the given node and with its present
// estimate.
func (m *Model) track(object *v1.Pod, nodeName string) *pod {
	p := m.pods.find(object)
	if p != nil && p.node.name != nodeName { // elsewhere than it was reserved
		m.depart(p, p.node.clock.now(m.clock.Now()))
		p = nil
	}
	if p == nil {
		p = &pod{uid: object.UID, name: nameOf(object)}
		m.pods.add(p)
		m.nodes.get(nodeName).add(p)
	}
	// Both are taken anew each time: a pod may be resized.
	p.Resize(m.config.Estimator.Pod(object), p.node.clock.latest(m.clock.Now()))
	p.Estimate = m.estimate(object, p.Requested)
	return p
}

// learnFrom has a running pod's workload learn from it. A pod that is resized is of
// another workload from then on.
func (m *Model) learnFrom(p *pod, object *v1.Pod, now time.Time) {
	if !m.config.Learn || m.podSource == nil || p.workload == nil && p.RunningSince(now).IsZero() {
		return
	}
	key, ok := m.keyOf(object)
	if !ok || p.workload != nil && p.workload.Key() == key {
		return
	}
	m.leaveWorkload(p)
	p.workload = m.workloads.Join(key, p)
}

// leaveWorkload has nothing be learned from the pod any more.
func (m *Model) leaveWorkload(p *pod) {
	if p.workload != nil {
		p.workload.Leave(p, m.clock.Now())
		p.workload = nil
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
	m.pods.drop(p)
	p.node.remove(p)
	m.agenda.drop(p)
	m.leaveWorkload(p)
}

// update derives anew what a pod that came or changed bears upon. Only if a sample
// shows some of it, or did before, that is more than a sum.
func (m *Model) update(p *pod, before ledger.Phase) {
	n := p.node
	predicted := n.prediction.Statistics()
	if p.Phase.Unseen() && (before.Unseen() || before == ledger.Absent) {
		m.countUnseen(n)
	} else {
		m.predict(n)
	}
	if now := n.prediction.Statistics(); now.AnyBelow(&predicted) {
		m.relieve()
	}
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
	n.prediction.Unseen = ledger.CountUnseen(m.present, n.clock.now(m.clock.Now()), m.config.WarmUp)
	m.countRequests(n)
	m.nodes.dropIfUnused(n)
}

func (m *Model) countRequests(n *node) {
	n.requested, n.demand, n.unseen = amount.Vector{}, demand.Demand{}, demand.Demand{}
	for _, p := range n.pods {
		n.requested = n.requested.Add(p.Requested)
		switch {
		case !m.knowsDemands:
		case p.Phase.Unseen():
			n.unseen = n.unseen.Add(p.demand())
		default:
			n.demand = n.demand.Add(p.demand())
		}
	}
	m.nodes.touch(n)
}
