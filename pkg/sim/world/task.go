package world

import (
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// Task is what a pod really does.
type Task struct {
	UID     types.UID
	Use     *Use
	Devices int64 // that it holds while it runs

	machine   *Machine // nil while it does not run
	startedAt time.Duration
}

// StartedAt returns when the task started. It means something only while the
// task runs.
func (t *Task) StartedAt() time.Duration { return t.startedAt }

// MemoryAt returns the memory that the task uses at a time at which it runs, in
// bytes.
func (t *Task) MemoryAt(at time.Duration) int64 {
	if len(t.Use.MemorySeries) > 0 {
		return t.Use.MemorySeries[t.Use.entryAt(at)]
	}
	return t.Use.MemoryAt(at - t.startedAt)
}

// Start has the task run on the machine; since says when it started, which may
// be before the clock's start.
func (t *Task) Start(m *Machine, since time.Duration) {
	t.machine, t.startedAt, t.Use = m, since, t.Use.startedAt(since)
	m.start(t)
	t.planChange()
}

// planChange has the machine recounted when the task's use changes.
func (t *Task) planChange() {
	clock := t.machine.clock
	at := t.Use.nextChange(clock.Elapsed())
	if growth := t.Use.nextGrowth(clock.Elapsed() - t.startedAt); growth != never {
		at = min(at, t.startedAt+growth)
	}
	if at == never {
		return
	}
	clock.At(at, func() error {
		if m := t.machine; m != nil {
			m.Advance(clock.Elapsed())
			m.recount()
			t.planChange()
		}
		return nil
	})
}

// Stop ends the task, if it runs.
func (t *Task) Stop() {
	if t.machine != nil {
		t.machine.stop(t)
		t.machine = nil
	}
}
