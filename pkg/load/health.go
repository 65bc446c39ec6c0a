package load

import (
	"context"

	"k8s.io/klog/v2"
)

// health says once that something broke and once that it works again, however
// often it is tried in between.
type health struct{ broken bool }

// becomes records the present state and reports whether it is another one.
func (h *health) becomes(broken bool) bool {
	changed := h.broken != broken
	h.broken = broken
	return changed
}

// reportPoll logs when polls begin and cease to fail.
func (m *Model) reportPoll(ctx context.Context, err error) {
	m.mu.Lock()
	changed := m.polling.becomes(err != nil)
	m.mu.Unlock()
	if !changed {
		return
	}
	logger := klog.FromContext(ctx)
	if err != nil {
		logger.Error(err, "Polling node metrics fails; samples stay in use until they expire, after that stalePolicy applies", "expiration", m.config.Expiration)
		return
	}
	logger.Info("Polling node metrics works again")
}

// reportPodPoll logs when polls of single pods begin and cease to fail.
func (m *Model) reportPodPoll(ctx context.Context, err error) {
	m.mu.Lock()
	changed := m.podPolling.becomes(err != nil)
	m.mu.Unlock()
	switch logger := klog.FromContext(ctx); {
	case !changed:
	case err != nil:
		logger.Error(err, "Polling pod metrics fails; pods that start count by their full estimates, and nothing is learned")
	default:
		logger.Info("Polling pod metrics works again")
	}
}

// reportFreshness logs when the last node loses, and the first node gets back,
// a fresh sample.
func (m *Model) reportFreshness(ctx context.Context) {
	states := m.states()
	known := states[Fresh] + states[Stale] + states[Missing]
	m.mu.Lock()
	changed := m.sampling.becomes(known > 0 && states[Fresh] == 0)
	broken := m.sampling.broken
	m.mu.Unlock()
	if !changed {
		return
	}
	logger := klog.FromContext(ctx)
	if broken {
		logger.Info("No node has a fresh load sample; stalePolicy applies to all nodes", "remedy", m.config.Remedy, "nodes", known, "expiration", m.config.Expiration)
		return
	}
	logger.Info("Nodes have fresh load samples again", "nodes", known, "fresh", states[Fresh])
}

// states counts the nodes by state.
func (m *Model) states() [Fresh + 1]int {
	view := m.View()
	var count [Fresh + 1]int
	for n := range view.All {
		count[view.State(n)]++
	}
	return count
}
