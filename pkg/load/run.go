package load

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"k8s.io/klog/v2"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/history"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/ledger"
)

// Subscriber is told that a node may have room that it had not before. It must not
// block for long.
type Subscriber func(context.Context)

// Subscribe has changed called whenever a node may have room that it had not
// before: after each poll, and soon after a pod is gone or a node is added or
// changed. Calls are made one at a time, from Run, and not on other changes.
// Subscribe before Run.
func (m *Model) Subscribe(changed Subscriber) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.subscribers = append(m.subscribers, changed)
}

// reliefDelay gathers the pods and nodes of one rollout into one notification.
const reliefDelay = time.Second

// awaitedPolls is how many times as often the source is polled while a node takes no
// pod before its first sample: a source has that some seconds after it has begun, and
// pods would wait for the next poll on the interval.
const awaitedPolls = 3

// Run polls the source, at once and then on the interval, until ctx ends; more often
// while a first sample is awaited. Register the model's Counters before.
func (m *Model) Run(ctx context.Context) {
	polls := m.clock.NewTicker(m.config.Interval)
	defer polls.Stop()
	m.metrics.showZeros()
	m.Poll(ctx)
	m.reportAwaited(ctx)
	awaited := m.awaitedPoll()
	var relief <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-polls.C():
			m.Poll(ctx)
		case <-awaited:
			m.Poll(ctx)
			awaited = m.awaitedPoll()
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
	m.begin(start)
	readings, err := m.source.Poll(pollCtx)
	if ctx.Err() != nil {
		return // we are being stopped: that is no failure of the source
	}
	m.mu.Lock()
	m.unserved = errors.Is(err, ErrNotServed)
	m.mu.Unlock()
	m.metrics.polled(m.clock.Since(start), err)
	m.health.polling.say(ctx, err)
	if err == nil {
		m.observe(klog.FromContext(ctx), readings)
	}
	m.tryOnce.Do(func() { close(m.tried) })
	m.reportFreshness(ctx)
	m.notify(ctx) // before what follows, so that pods need not wait for it
	if err == nil {
		m.pollPods(pollCtx)
	}
	m.mu.Lock()
	m.workloads.Forget(m.clock.Now())
	m.mu.Unlock()
	m.renewDemands()
}

// begin takes in that the source is polled, for the first time or once more.
func (m *Model) begin(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.began.IsZero() {
		m.began = now
	}
}

// awaited returns how many nodes take no pods before their first samples.
func (m *Model) awaited() (nodes int) {
	view := m.View()
	for n := range view.All {
		if view.Awaits(n) {
			nodes++
		}
	}
	return nodes
}

// awaitedPoll returns what tells when to poll for the sake of nodes that await their
// first samples; nil if there are none, or no more.
func (m *Model) awaitedPoll() <-chan time.Time {
	if m.awaited() == 0 {
		return nil
	}
	return m.clock.After(m.config.Interval / awaitedPolls)
}

// reportAwaited logs how many nodes take no pods for now.
func (m *Model) reportAwaited(ctx context.Context) {
	if awaited := m.awaited(); awaited > 0 {
		klog.FromContext(ctx).Info("Nodes with pods that were there before take no others until they are measured", "nodes", awaited, "atMost", firstSample)
	}
}

// BeginCycle is to be called by each plugin when a scheduling cycle begins. The first
// time it tells that this replica leads.
func (m *Model) BeginCycle() {
	m.leadOnce.Do(func() {
		m.leads.Store(true)
		m.config.Lead()
	})
}

// Leads reports whether this replica has begun a scheduling cycle.
func (m *Model) Leads() bool { return m.leads.Load() }

// firstPollSlack is how much longer than a poll may take AwaitFirstPoll waits: until
// then the informers have told of the nodes.
const firstPollSlack = 5 * time.Second

// AwaitFirstPoll waits until the source has been polled once, with or without success,
// for little longer than one poll may take. A scheduler that has just started is to
// schedule nothing before: it would take nodes that it has not asked about yet for
// nodes of which nothing is known.
func (m *Model) AwaitFirstPoll(ctx context.Context) {
	select {
	case <-m.tried:
		return
	default:
	}
	logger := klog.FromContext(ctx)
	logger.Info("Scheduling waits until node metrics have been polled once", "atMost", m.config.Timeout+firstPollSlack)
	select {
	case <-m.tried:
		logger.Info("Scheduling may begin")
	case <-m.clock.After(m.config.Timeout + firstPollSlack):
		logger.Info("Scheduling may begin, without node metrics", "remedy", m.config.Remedy)
	case <-ctx.Done():
	}
}

// observed is how many readings are taken in while others have to wait.
const observed = 256

// observe takes in what a poll has read, in parts, so that a scheduling cycle
// that wants a view need not wait for all of it.
func (m *Model) observe(logger klog.Logger, readings []Reading) {
	for part := range slices.Chunk(readings, observed) {
		m.observePart(logger, part)
	}
}

func (m *Model) observePart(logger klog.Logger, readings []Reading) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range readings {
		if reason := m.observeOne(logger, &readings[i]); reason != "" {
			m.metrics.dropped(reason)
			logger.V(5).Info("Dropped a load reading", "node", readings[i].Node, "reason", string(reason))
		}
	}
}

// observeOne takes in a reading, or returns why it is dropped. One that is repeated or
// late is no news.
func (m *Model) observeOne(logger klog.Logger, reading *Reading) dropReason {
	sample, doubt, reason := reading.check()
	n, now := m.nodes.known(reading.Node), m.clock.Now()
	if n == nil {
		return cmp.Or(reason, dropUnknownNode)
	}
	if reason == "" {
		reason = n.doubtAbsurd(&sample, &doubt)
	}
	if reason == "" && n.isOfAnother(sample.Timestamp, now, m.config.Expiration) {
		reason = dropOlder
	}
	if reason != "" {
		return m.drops(logger, n, reason)
	}
	if !m.tell(n, &sample, &doubt, now) {
		return ""
	}
	if reason := n.doubtZero(&sample, &doubt); reason != "" {
		return m.drops(logger, n, reason)
	}
	if n.awaitsRest(&doubt, now, m.config.Expiration) {
		return doubt.any()
	}
	m.show(n, &sample, now)
	m.fill(logger, n, &sample, &doubt)
	n.see(reading.Timestamp, now, m.delay())
	m.take(n, sample)
	return ""
}

// drops says, once, that the node's readings are dropped, and returns the reason.
func (m *Model) drops(logger klog.Logger, n *node, reason dropReason) dropReason {
	if n.dropped != reason {
		n.dropped = reason
		logger.Info("A node's load readings are dropped; what was last known of it holds, and if nothing was, it counts as not measured",
			"node", n.name, "reason", string(reason), "meaning", reason.String())
		m.config.Report(n.object(), "LoadReadingsDropped",
			fmt.Sprintf("the node's load readings are dropped, because %s", reason))
	}
	return reason
}

// tell has the node's clock say when the sample ended, and reports whether that is
// later than all before.
func (m *Model) tell(n *node, sample *history.Sample, doubt *doubts, now time.Time) bool {
	first, goesOn := n.clock.arrived == 0, n.history.Newest() != nil
	a := n.clock.arrive(sample.Timestamp, now, goesOn, m.config.Expiration)
	if !a.newer {
		return false
	}
	if a.skewed {
		m.config.Report(n.object(), "ClockSkew", describeSkew(n.clock.skew))
	}
	if a.forward && goesOn { // a rate over the time since the sample before is too low
		doubt[amount.CPU] = dropClock
	}
	if a.forward || a.back {
		n.keepStamps()
	}
	switch {
	case first:
		n.boundStarts(now)
	case a.back:
		n.doubtStarts(now)
	}
	sample.Timestamp = a.end
	return true
}

// delay is how old a sample may be at the most that arrives at each poll: so old that
// it has not expired at the next.
func (m *Model) delay() time.Duration {
	return max(0, min(maxClockSkew, m.config.Expiration-m.config.Interval-m.config.Timeout))
}

// fill replaces what of the sample cannot be believed by what was last known of the
// node, and never by less than its pods request, of which those count by themselves
// that no sample shows: a value that is absent is no news.
func (m *Model) fill(logger klog.Logger, n *node, sample *history.Sample, doubt *doubts) {
	reason := doubt.any()
	if reason != "" && n.doubt == "" {
		logger.Info("A part of a node's load reading cannot be believed; what was last known holds, and never less than its pods request",
			"node", n.name, "reason", string(reason), "believed", sample.Usage)
	}
	if n.doubt = reason; reason != "" {
		m.metrics.dropped(reason)
	}
	var requested amount.Vector
	if reason != "" {
		requested = n.requestedOfSeen()
	}
	for r := range doubt {
		if doubt[r] != "" {
			sample.Usage[r] = max(n.believed[r], requested[r])
			continue
		}
		n.believed[r] = sample.Usage[r]
	}
}

// show has the pods on the node take in how far the sample shows them.
func (m *Model) show(n *node, sample *history.Sample, ours time.Time) {
	now := n.clock.now(ours)
	for _, p := range n.pods {
		if p.Phase != ledger.Measured {
			p.Sampled(sample, now, m.config.WarmUp)
			m.agenda.consider(p, m.config.WarmUp)
		}
	}
}

// take makes sample the newest of n.
func (m *Model) take(n *node, sample history.Sample) {
	if n.seenAt.After(m.newest) {
		m.newest = n.seenAt
	}
	n.history.Add(sample)
	n.dropped = ""
	n.dropDeparted()
	m.predict(n)
}

// reportFreshness logs when the last node loses, and the first node gets back,
// a fresh sample.
func (m *Model) reportFreshness(ctx context.Context) {
	states, _ := m.states()
	known := states[Fresh] + states[Stale] + states[Missing]
	logger := klog.FromContext(ctx)
	switch changed := m.health.sampling.becomes(known > 0 && states[Fresh] == 0); {
	case !changed:
	case m.health.sampling.isBroken():
		logger.Info("No node has a fresh load sample; stalePolicy applies to all nodes", "remedy", m.config.Remedy, "nodes", known, "expiration", m.config.Expiration)
	default:
		logger.Info("Nodes have fresh load samples again", "nodes", known, "fresh", states[Fresh])
	}
}

// stopped reports whether ctx has ended because we are being stopped, rather than
// because a source took too long.
func stopped(ctx context.Context) bool { return errors.Is(ctx.Err(), context.Canceled) }
