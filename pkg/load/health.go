package load

import (
	"context"
	"sync"

	"k8s.io/klog/v2"
)

// health says once that something broke and once that it works again, however
// often it is tried in between.
type health struct {
	mu     sync.Mutex
	broken bool
	// fails and works are what is logged.
	fails, works string
}

// healths are those of what the model does.
type healths struct{ polling, podPolling, sampling health }

// becomes records the present state and reports whether it is another one.
func (h *health) becomes(broken bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	changed := h.broken != broken
	h.broken = broken
	return changed
}

func (h *health) isBroken() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.broken
}

// say logs when something begins and ceases to fail.
func (h *health) say(ctx context.Context, err error) {
	if !h.becomes(err != nil) {
		return
	}
	logger := klog.FromContext(ctx)
	if err != nil {
		logger.Error(err, h.fails)
		return
	}
	logger.Info(h.works)
}

func newHealths() healths {
	return healths{
		polling: health{
			fails: "Polling node metrics fails; samples stay in use until they expire, after that stalePolicy applies",
			works: "Polling node metrics works again",
		},
		podPolling: health{
			fails: "Polling pod metrics fails in part or in whole; pods that cannot be read count by their estimates until node samples show them, and nothing is learned of them",
			works: "Polling pod metrics works again",
		},
	}
}
