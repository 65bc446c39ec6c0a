// Package faults reports what is wrong with objects of the cluster: once, and only
// by the replica that schedules, so that two replicas do not say the same.
package faults

import (
	"reflect"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Fault is something wrong with an object.
type Fault struct {
	Object runtime.Object
	// Reason is one word in CamelCase, Message what is wrong and what would be right.
	Reason, Message string
}

// limit bounds what a standby replica keeps to report if it takes over.
const limit = 1000

// Reporter takes in faults. Its methods may be called from any goroutine.
type Reporter struct {
	report func(Fault)

	mu    sync.Mutex
	leads bool
	kept  map[key]Fault // to be reported
}

// key tells faults apart: an object has an identity, and may be seen in many
// versions.
type key struct {
	object          any
	reason, message string
}

// NewReporter returns a reporter that passes on to report what is to be said.
func NewReporter(report func(Fault)) *Reporter {
	return &Reporter{report: report, kept: map[key]Fault{}}
}

// Report reports a fault of an object, at once if this replica leads, else when it
// begins to.
func (r *Reporter) Report(object runtime.Object, reason, message string) {
	fault := Fault{Object: object, Reason: reason, Message: message}
	r.mu.Lock()
	leads := r.leads
	if !leads && len(r.kept) < limit {
		r.kept[key{identity(object), reason, message}] = fault
	}
	r.mu.Unlock()
	if leads {
		r.report(fault)
	}
}

// named stands for an object whose UID is not known.
type named struct {
	kind            reflect.Type
	namespace, name string
}

// identity returns what is the same for all versions of an object.
func identity(object runtime.Object) any {
	meta, ok := object.(metav1.Object)
	switch {
	case !ok:
		return object
	case meta.GetUID() != "":
		return meta.GetUID()
	}
	return named{reflect.TypeOf(object), meta.GetNamespace(), meta.GetName()}
}

// Lead tells that this replica schedules pods. It may be repeated.
func (r *Reporter) Lead() {
	r.mu.Lock()
	kept := r.kept
	r.leads, r.kept = true, nil
	r.mu.Unlock()
	for _, fault := range kept {
		r.report(fault)
	}
}
