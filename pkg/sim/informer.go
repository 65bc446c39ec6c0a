package sim

import (
	"fmt"
	"time"

	"k8s.io/client-go/tools/cache"
)

// informer is an informer that is told of objects by the simulation, and tells
// its handlers at once, one after the other in the order in which they were
// added. What a scheduler sees does not depend on goroutines then. It is never
// run.
type informer struct {
	cache.SharedIndexInformer // its store, and what nobody asks for here
	handlers                  []cache.ResourceEventHandler
}

func (i *informer) AddEventHandler(handler cache.ResourceEventHandler) (cache.ResourceEventHandlerRegistration, error) {
	return i.AddEventHandlerWithOptions(handler, cache.HandlerOptions{})
}

func (i *informer) AddEventHandlerWithResyncPeriod(handler cache.ResourceEventHandler, _ time.Duration) (cache.ResourceEventHandlerRegistration, error) {
	return i.AddEventHandlerWithOptions(handler, cache.HandlerOptions{})
}

func (i *informer) AddEventHandlerWithOptions(handler cache.ResourceEventHandler, _ cache.HandlerOptions) (cache.ResourceEventHandlerRegistration, error) {
	i.handlers = append(i.handlers, handler)
	return synced{}, nil
}

func (i *informer) HasSynced() bool { return true }

func (i *informer) HasSyncedChecker() cache.DoneChecker { return synced{} }

func (i *informer) add(obj any) error {
	if err := i.GetStore().Add(obj); err != nil {
		return fmt.Errorf("add to the informer: %w", err)
	}
	for _, h := range i.handlers {
		h.OnAdd(obj, false)
	}
	return nil
}

func (i *informer) update(before, after any) error {
	if err := i.GetStore().Update(after); err != nil {
		return fmt.Errorf("update in the informer: %w", err)
	}
	for _, h := range i.handlers {
		h.OnUpdate(before, after)
	}
	return nil
}

func (i *informer) remove(obj any) error {
	if err := i.GetStore().Delete(obj); err != nil {
		return fmt.Errorf("delete from the informer: %w", err)
	}
	for _, h := range i.handlers {
		h.OnDelete(obj)
	}
	return nil
}

// synced is the registration of a handler that has been told of everything.
type synced struct{}

func (synced) HasSynced() bool { return true }

func (synced) HasSyncedChecker() cache.DoneChecker { return synced{} }

func (synced) Name() string { return "simulation" }

func (synced) Done() <-chan struct{} {
	done := make(chan struct{})
	close(done)
	return done
}
