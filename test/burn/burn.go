// Package burn uses CPU, as programs of tests do when they are told to.
package burn

import (
	"context"
	"math"
	"sync"
	"time"
)

// slice is the period in which a part of a core is used.
const slice = 20 * time.Millisecond

// Burner uses as much CPU as it is told to. The zero value uses none.
type Burner struct {
	mu    sync.Mutex
	cores float64
	stop  context.CancelFunc
}

// Set has it use so many cores from now on, instead of what it did before.
func (b *Burner) Set(cores float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stop != nil {
		b.stop()
	}
	ctx, stop := context.WithCancel(context.Background())
	b.cores, b.stop = cores, stop
	for ; cores > 0; cores-- {
		go burn(ctx, math.Min(1, cores))
	}
}

// Cores returns how many cores it uses.
func (b *Burner) Cores() float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cores
}

// burn uses a part of a core.
func burn(ctx context.Context, part float64) {
	ticker := time.NewTicker(slice)
	defer ticker.Stop()
	for {
		for begin := time.Now(); time.Since(begin) < time.Duration(part*float64(slice)); {
			_ = math.Sqrt(float64(begin.Nanosecond()))
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
