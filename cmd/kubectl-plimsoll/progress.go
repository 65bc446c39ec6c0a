package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	bars "github.com/jedib0t/go-pretty/v6/progress"
	"golang.org/x/term"

	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/show"
)

// progress shows on a terminal how far each policy is, and how much time is
// left. It does nothing on what is no terminal.
type progress struct {
	writer   bars.Writer
	policies map[string]*bars.Tracker
	all      *bars.Tracker
	rendered chan struct{}

	mu   sync.Mutex
	done map[string]time.Duration
}

// newProgress returns a display on w of policies that simulate a time span each.
func newProgress(w io.Writer, policies []string, span time.Duration) *progress {
	file, ok := show.FileOf(w)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return &progress{}
	}
	p := &progress{
		writer:   bars.NewWriter(),
		policies: make(map[string]*bars.Tracker, len(policies)),
		done:     make(map[string]time.Duration, len(policies)),
		rendered: make(chan struct{}),
	}
	width := len("all policies")
	for _, name := range policies {
		tracker := &bars.Tracker{Message: name, Total: span.Milliseconds(), DeferStart: true}
		p.policies[name] = tracker
		p.writer.AppendTracker(tracker)
		width = max(width, len(name))
	}
	p.all = &bars.Tracker{Message: "all policies", Total: span.Milliseconds() * int64(len(policies))}
	p.writer.AppendTracker(p.all)

	p.writer.SetOutputWriter(file)
	if columns, _, err := term.GetSize(int(file.Fd())); err == nil {
		p.writer.SetTerminalWidth(columns)
	}
	p.writer.SetMessageLength(min(width, 30))
	p.writer.SetTrackerPosition(bars.PositionRight)
	p.style(p.writer.Style())
	go func() {
		defer close(p.rendered)
		p.writer.Render()
	}()
	return p
}

func (p *progress) style(style *bars.Style) {
	style.Visibility.Value = false
	style.Visibility.ETA = true
	style.Options.ETAString = "left"
	style.Options.Separator = "  "
	style.Options.PercentFormat = "%3.0f %%"
	style.Options.DoneString = "done"
	style.Options.ErrorString = "stopped"
	style.Options.TimeInProgressPrecision = time.Second
	style.Options.TimeDonePrecision = time.Second
}

// update tells that a policy has simulated as much as done.
func (p *progress) update(policy string, done, _ time.Duration) {
	tracker := p.policies[policy]
	if tracker == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done[policy] = done
	tracker.SetValue(done.Milliseconds())
	var sum time.Duration
	for _, d := range p.done {
		sum += d
	}
	p.all.SetValue(sum.Milliseconds())
}

// stop ends the display; what is printed after that does not mix with it.
func (p *progress) stop(succeeded bool) {
	if p.writer == nil {
		return
	}
	for _, tracker := range append(slices.Collect(maps.Values(p.policies)), p.all) {
		if succeeded {
			tracker.MarkAsDone()
		} else {
			tracker.MarkAsErrored() // unless it is done
		}
	}
	for {
		p.writer.Stop() // which has no effect if rendering has not begun yet
		select {
		case <-p.rendered:
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// showCount shows on a terminal how many of several runs are done.
func showCount(w io.Writer, done, all int) {
	file, ok := show.FileOf(w)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return
	}
	fmt.Fprintf(w, "\r%d of %d simulations", done, all)
	if done == all {
		fmt.Fprintln(w)
	}
}
