package dashboard

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/leader"
	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/why"
)

// scheduler is a replica that is asked.
type scheduler interface {
	why.Scheduler
	// Current reports whether it still leads.
	Current(ctx context.Context) (bool, error)
	Close()
	// Who is what is asked: a pod, or an address.
	Who() string
}

// connection is a leader.Client as a scheduler.
type connection struct{ *leader.Client }

func (c connection) Who() string { return c.Name }

// link keeps a connection to the leader, and makes another when that fails, or when
// another replica leads.
type link struct {
	connect func(context.Context) (scheduler, error)

	mu  sync.Mutex
	now scheduler // nil if there is none
}

// ask has the function ask the leader. If a connection fails that worked before, it is
// asked once more over a new one: the leader may just have changed.
func (l *link) ask(ctx context.Context, question func(scheduler) error) error {
	to, isNew, err := l.get(ctx)
	if err != nil {
		return err
	}
	if err = question(to); err == nil || errors.Is(err, leader.ErrNotFound) || errors.Is(err, why.ErrNoPod) {
		return err
	}
	l.drop(to)
	if isNew || ctx.Err() != nil {
		return err
	}
	return l.ask(ctx, question)
}

// get returns the connection, which is made if there is none.
func (l *link) get(ctx context.Context) (to scheduler, isNew bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.now != nil {
		return l.now, false, nil
	}
	l.now, err = l.connect(ctx)
	if err != nil {
		l.now = nil
	}
	return l.now, true, err
}

// check drops the connection if what it leads to does not lead any more. If that cannot
// be told, what is asked next will tell.
func (l *link) check(ctx context.Context) {
	l.mu.Lock()
	to := l.now
	l.mu.Unlock()
	if to == nil {
		return
	}
	if leads, err := to.Current(ctx); err == nil && !leads {
		l.drop(to)
	}
}

// drop ends the connection.
func (l *link) drop(to scheduler) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.now == to {
		l.now = nil
	}
	to.Close()
}

// close ends the connection, if there is one.
func (l *link) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.now != nil {
		l.now.Close()
	}
}

// codeOf returns the HTTP status for an error of a question.
func codeOf(err error) int {
	wrong := badRequest("")
	switch {
	case errors.As(err, &wrong):
		return http.StatusBadRequest
	case errors.Is(err, leader.ErrNotFound), errors.Is(err, why.ErrNoPod):
		return http.StatusNotFound
	}
	return http.StatusBadGateway
}
