package kube

import (
	"fmt"
	"time"

	"k8s.io/client-go/tools/cache"

	"github.com/plimsoll-scheduler/plimsoll/pkg/compat/process"
)

// informer is an informer that is told of objects by the cluster, and tells
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

func (i *informer) HasSyncedChecker() process.DoneChecker { return synced{} }

// add tells of an object that is new.
func (i *informer) add(object any) error {
	name, before, err := i.find(object)
	if err != nil {
		return err
	}
	if before != nil {
		return fmt.Errorf("add %T %s: there is one already", object, name)
	}
	if err := i.GetStore().Add(object); err != nil {
		return fmt.Errorf("add %T %s: %w", object, name, err)
	}
	for _, h := range i.handlers {
		h.OnAdd(object, false)
	}
	return nil
}

// update tells of an object that replaces the one of its name.
func (i *informer) update(object any) error {
	name, before, err := i.find(object)
	if err != nil {
		return err
	}
	if before == nil {
		return fmt.Errorf("update %T %s: there is none", object, name)
	}
	if err := i.GetStore().Update(object); err != nil {
		return fmt.Errorf("update %T %s: %w", object, name, err)
	}
	for _, h := range i.handlers {
		h.OnUpdate(before, object)
	}
	return nil
}

// remove tells that the object of the name (namespace/name, if it has a
// namespace) is gone.
func (i *informer) remove(name string) error {
	return i.end(name, func(object any) any { return object })
}

// lose tells by a tombstone that the object of the name is gone.
func (i *informer) lose(name string) error {
	return i.end(name, func(object any) any { return cache.DeletedFinalStateUnknown{Key: name, Obj: object} })
}

// end drops the object of the name, and tells of it what as returns.
func (i *informer) end(name string, as func(object any) any) error {
	object, found, err := i.GetStore().GetByKey(name)
	if err == nil && !found {
		err = fmt.Errorf("there is none")
	}
	if err != nil {
		return fmt.Errorf("delete %s: %w", name, err)
	}
	if err := i.GetStore().Delete(object); err != nil {
		return fmt.Errorf("delete %T %s: %w", object, name, err)
	}
	for _, h := range i.handlers {
		h.OnDelete(as(object))
	}
	return nil
}

// find returns the name of the object, and what has that name at present: nil
// if there is nothing.
func (i *informer) find(object any) (name string, present any, err error) {
	name, err = cache.MetaNamespaceKeyFunc(object)
	if err != nil {
		return "", nil, fmt.Errorf("find the name of %T: %w", object, err)
	}
	present, _, err = i.GetStore().GetByKey(name)
	return name, present, err
}

// synced is the registration of a handler that has been told of everything.
type synced struct{}

func (synced) HasSynced() bool { return true }

func (synced) HasSyncedChecker() process.DoneChecker { return synced{} }

func (synced) Name() string { return "cluster" }

func (synced) Done() <-chan struct{} {
	done := make(chan struct{})
	close(done)
	return done
}
