package load

import (
	"context"
	"slices"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/line"
)

// Config configures a Model.
type Config struct {
	// Interval from the start of one poll to the next, and Timeout of a poll.
	Interval, Timeout time.Duration
	// Expiration is the age from which a sample is stale.
	Expiration time.Duration
	// Window is the length of the history that statistics are made of.
	Window time.Duration
	// WarmUp is how long a pod runs before a sample can show its use.
	WarmUp    time.Duration
	Estimator Estimator
	// Learn has the real use of a workload's running pods be the estimate for
	// its next one.
	Learn bool
	// Remedy is what to check when no node has a fresh sample. It is logged.
	Remedy string
	// Report is told of annotations that are not valid. It defaults to nothing.
	Report func(object runtime.Object, err error)
	// Clock defaults to the real one.
	Clock clock.WithTicker
}

// Model is the load model of a process. Its methods may be called from any
// goroutine.
type Model struct {
	config Config
	source Source
	// podSource is source if it can measure single pods, else nil.
	podSource PodSource
	clock     clock.WithTicker
	metrics   *instruments

	// relieved wakes Run when a node's predicted use fell between two polls.
	relieved chan struct{}

	mu          sync.Mutex
	nodes       map[string]*node
	pods        map[types.UID]*inFlight // the ledger
	subjects    map[types.NamespacedName]*subject
	workloads   map[workloadKey]*workload
	wanted      map[types.NamespacedName]bool // pods to be measured next
	podPolls    uint64
	epoch       uint64                                  // counts the nodes that were added
	parsed      map[string]map[string]resource.Quantity // estimates of annotations
	faults      map[types.UID]fault                     // to be reported
	leads       bool
	slots       []*node // by slot; nil is free
	freeSlots   []int
	dirty       map[*node]bool // to be published by the next View
	freed       map[int]bool   // slots to be published as free
	reindex     bool           // nodes came or went since the last view
	resized     bool           // or one can allocate more or less
	published   *snapshot
	subscribers []func(context.Context)
	polling     health
	podPolling  health
	sampling    health
	newest      time.Time // timestamp of the newest sample
	scratch     [amount.NumResources][]weighted
}

// NewModel returns a model that reads source. It knows no node and polls
// nothing until it is told of nodes and Run.
func NewModel(config Config, source Source) *Model {
	if config.Clock == nil {
		config.Clock = clock.RealClock{}
	}
	if config.Report == nil {
		config.Report = func(runtime.Object, error) {}
	}
	podSource, _ := source.(PodSource)
	return &Model{
		podSource: podSource,
		config:    config,
		source:    source,
		clock:     config.Clock,
		metrics:   newMetrics(),
		relieved:  make(chan struct{}, 1),
		nodes:     map[string]*node{},
		pods:      map[types.UID]*inFlight{},
		subjects:  map[types.NamespacedName]*subject{},
		workloads: map[workloadKey]*workload{},
		wanted:    map[types.NamespacedName]bool{},
		parsed:    map[string]map[string]resource.Quantity{},
		faults:    map[types.UID]fault{},
		dirty:     map[*node]bool{},
		freed:     map[int]bool{},
		published: &snapshot{index: newIndex(nil)},
	}
}

// Estimate returns how much pod is expected to use: what its annotation says,
// else what its workload's pods use if that is known, else what it requests
// suggests.
func (m *Model) Estimate(pod *v1.Pod) amount.Vector {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.estimate(pod)
}

func (m *Model) estimate(pod *v1.Pod) amount.Vector {
	estimate, known := m.learned(pod)
	if !known {
		estimate = m.config.Estimator.Pod(pod)
	}
	for name, quantity := range m.annotated(pod) {
		for r := range amount.NumResources {
			if string(r.Name()) == name {
				estimate[r] = amount.FromQuantity(r, quantity)
			}
		}
	}
	return estimate
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
	m.publish()
	return View{snapshot: m.published, Now: m.clock.Now(), PodPolls: m.podPolls, Epoch: m.epoch, expiration: m.config.Expiration}
}

// publish makes the changes since the last view visible. Doing it here, not at
// each change, makes one copy of a thousand changes.
func (m *Model) publish() {
	if len(m.dirty) == 0 && len(m.freed) == 0 {
		return
	}
	changed := map[int]*Node{}
	for slot := range m.freed {
		changed[slot] = nil
	}
	for n := range m.dirty {
		if n.slot < 0 {
			continue // not known to the API server: nobody can ask for it
		}
		changed[n.slot] = n.published()
	}
	index := m.published.index
	if m.reindex {
		slots := make(map[string]int, len(m.slots))
		for slot, n := range m.slots {
			if n != nil {
				slots[n.name] = slot
			}
		}
		index = newIndex(slots)
	}
	m.published = m.published.with(changed, index)
	if m.reindex || m.resized {
		m.published.largest = m.largest()
	}
	clear(m.dirty)
	clear(m.freed)
	m.reindex, m.resized = false, false
}

// largest returns the most that any node can allocate of each resource.
func (m *Model) largest() (most amount.Vector) {
	for _, n := range m.slots {
		if n != nil {
			most = most.Max(n.allocatable)
		}
	}
	return most
}

// Subscribe has changed called whenever a node may have room that it had not
// before: after each poll, and soon after a pod in flight is gone or a node is
// added or grew. Calls are made one at a time, from Run, and not on other
// changes; they must not block for long. Subscribe before Run.
func (m *Model) Subscribe(changed func(context.Context)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.subscribers = append(m.subscribers, changed)
}

// reliefDelay gathers the pods and nodes of one rollout into one notification.
const reliefDelay = time.Second

// Run polls the source, at once and then on the interval, until ctx ends.
func (m *Model) Run(ctx context.Context) {
	polls := m.clock.NewTicker(m.config.Interval)
	defer polls.Stop()
	m.Poll(ctx)
	var relief <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-polls.C():
			m.Poll(ctx)
		case <-m.relieved:
			if relief == nil {
				relief = m.clock.After(reliefDelay)
			}
		case <-relief:
			relief = nil
			m.notify(ctx)
		}
	}
}

// relieve makes Run notify the subscribers soon. It never blocks.
func (m *Model) relieve() {
	select {
	case m.relieved <- struct{}{}:
	default: // a notification is due already
	}
}

// NotifyIfRelieved tells the subscribers if a node may have room that it had not
// before. Run does so by itself; this is for who runs the model in other than
// real time.
func (m *Model) NotifyIfRelieved(ctx context.Context) {
	select {
	case <-m.relieved:
		m.notify(ctx)
	default:
	}
}

func (m *Model) notify(ctx context.Context) {
	m.mu.Lock()
	subscribers := m.subscribers
	m.mu.Unlock()
	for _, changed := range subscribers {
		changed(ctx)
	}
}

// Poll polls the source once, takes in what it says and tells the subscribers.
// Run does so on the interval.
func (m *Model) Poll(ctx context.Context) {
	pollCtx, cancel := context.WithTimeout(ctx, m.config.Timeout)
	defer cancel()
	start := m.clock.Now()
	readings, err := m.source.Poll(pollCtx)
	if ctx.Err() != nil {
		return // we are being stopped: that is no failure of the source
	}
	m.metrics.polled(m.clock.Since(start), err)
	m.reportPoll(ctx, err)
	if err == nil {
		m.observe(klog.FromContext(ctx), readings)
	}
	m.reportFreshness(ctx)
	m.notify(ctx) // before what follows, so that pods need not wait for it
	if err == nil {
		m.pollPods(pollCtx)
	}
	m.forgetWorkloads()
}

// observe takes in what a poll has read, in parts, so that a scheduling cycle
// that wants a view need not wait for all of it.
func (m *Model) observe(logger klog.Logger, readings []Reading) {
	for part := range slices.Chunk(readings, 256) {
		m.observePart(logger, part)
	}
}

func (m *Model) observePart(logger klog.Logger, readings []Reading) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.clock.Now()
	for i := range readings {
		reading := &readings[i]
		sample, reason := reading.check(now)
		n := m.nodes[reading.Node]
		if reason == "" && (n == nil || n.slot < 0) {
			reason = dropUnknownNode
		}
		if reason != "" {
			m.metrics.dropped(reason)
			logger.V(5).Info("Dropped a load reading", "node", reading.Node, "reason", string(reason))
			continue
		}
		m.take(n, sample)
	}
}

// take makes sample the newest of n, unless it is a repeated or late one.
func (m *Model) take(n *node, sample Sample) {
	if newest, ok := n.history.newest(); ok && !sample.Timestamp.After(newest.Timestamp) {
		return
	}
	n.history.add(sample)
	if sample.Timestamp.After(m.newest) {
		m.newest = sample.Timestamp
	}
	for uid, pod := range n.pods {
		if pod.shownBy(n.history.samples[0], m.config.WarmUp) {
			m.drop(uid, pod)
		}
	}
	n.dropDeparted()
	m.recompute(n)
}

// SetNode tells the model that the node exists, and what it can allocate.
func (m *Model) SetNode(name string, allocatable amount.Vector) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.node(name)
	if n.slot >= 0 && n.allocatable == allocatable {
		return
	}
	if n.slot < 0 {
		m.epoch++
		n.slot, n.born, m.reindex = m.takeSlot(n), m.epoch, true
	}
	n.allocatable, m.resized = allocatable, true
	m.dirty[n] = true
	m.relieve()
}

// RemoveNode tells the model that the node is gone.
func (m *Model) RemoveNode(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, ok := m.nodes[name]
	if !ok || n.slot < 0 {
		return
	}
	m.slots[n.slot] = nil
	m.freeSlots = append(m.freeSlots, n.slot)
	m.freed[n.slot], m.reindex = true, true
	// A node that comes back under this name is another machine, or the same
	// one after a restart: what was measured says nothing of it.
	n.slot, n.history.samples, n.departed = -1, nil, nil
	n.annotation, n.own = "", line.Own{}
	m.recompute(n)
	m.dropIfUnused(n)
}

// node returns the record of the named node, a new one if there is none.
func (m *Model) node(name string) *node {
	n, ok := m.nodes[name]
	if !ok {
		n = &node{name: name, slot: -1, pods: map[types.UID]*inFlight{}}
		n.history.window = m.config.Window
		n.history.limit = historyLimit(m.config.Window, m.config.Interval)
		m.nodes[name] = n
	}
	return n
}

// dropIfUnused forgets the record of a node that neither exists nor has pods
// in flight.
func (m *Model) dropIfUnused(n *node) {
	if n.slot < 0 && len(n.pods) == 0 {
		delete(m.nodes, n.name)
		delete(m.dirty, n)
	}
}

func (m *Model) takeSlot(n *node) int {
	if last := len(m.freeSlots) - 1; last >= 0 {
		slot := m.freeSlots[last]
		m.freeSlots = m.freeSlots[:last]
		m.slots[slot] = n
		delete(m.freed, slot)
		return slot
	}
	m.slots = append(m.slots, n)
	return len(m.slots) - 1
}
