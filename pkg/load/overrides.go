package load

import (
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/line"
)

func ownThresholds(values map[string]int64) (own line.Own) {
	for r := range amount.NumResources {
		own.Percent[r], own.Set[r] = values[string(r.Name())]
	}
	return own
}

// setOverrides takes in the annotations of a node; they are parsed only if they
// have changed.
func (m *Model) setOverrides(object *v1.Node) {
	value, given := object.Annotations[config.ThresholdsAnnotation]
	m.mu.Lock()
	n := m.node(object.Name)
	changed := n.annotation != value
	n.annotation = value
	m.mu.Unlock()
	if !changed {
		return
	}
	var thresholds line.Own
	if given {
		values, err := config.ParseThresholds(value)
		if err != nil {
			m.report(object, object.UID, err)
		} else {
			thresholds = ownThresholds(values)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if n.own != thresholds {
		n.own = thresholds
		m.dirty[n] = true
		m.relieve()
	}
}

// checkAnnotations reports what is wrong with a pod's annotations. before, if
// not nil, is the pod as it was checked last.
func (m *Model) checkAnnotations(before, pod *v1.Pod) {
	for name, parse := range map[string]func(string) error{
		config.EstimateAnnotation:          func(value string) error { _, err := config.ParseEstimate(value); return err },
		config.WhenUnsatisfiableAnnotation: func(value string) error { _, err := config.ParseWhenUnsatisfiable(value); return err },
	} {
		value, given := pod.Annotations[name]
		if !given || before != nil && before.Annotations[name] == value {
			continue
		}
		if err := parse(value); err != nil {
			m.report(pod, pod.UID, err)
		}
	}
}

// maxParsed bounds the estimates that are kept in parsed form. There are as
// many as pod templates that have one.
const maxParsed = 1000

// annotated returns the estimate that the pod's annotation gives, by resource.
// One that is not valid is not there.
func (m *Model) annotated(pod *v1.Pod) map[string]resource.Quantity {
	value, given := pod.Annotations[config.EstimateAnnotation]
	if !given {
		return nil
	}
	parsed, known := m.parsed[value]
	if !known {
		if len(m.parsed) >= maxParsed {
			clear(m.parsed)
		}
		if estimate, err := config.ParseEstimate(value); err == nil {
			parsed = estimate
		}
		m.parsed[value] = parsed
	}
	return parsed
}

// maxReports bounds what a standby replica keeps to report if it takes over.
const maxReports = 1000

// fault is what is wrong with an object.
type fault struct {
	object runtime.Object
	err    error
}

// report tells of a fault of an object, at once if this replica leads, else
// when it begins to: two replicas should not say the same.
func (m *Model) report(object runtime.Object, uid types.UID, err error) {
	m.mu.Lock()
	leads := m.leads
	if !leads && len(m.faults) < maxReports {
		m.faults[uid] = fault{object, err}
	}
	m.mu.Unlock()
	if leads {
		m.config.Report(object, err)
	}
}

// Lead tells the model that this replica schedules pods. It may be repeated.
func (m *Model) Lead() {
	m.mu.Lock()
	faults := m.faults
	if m.leads {
		faults = nil
	}
	m.leads, m.faults = true, nil
	m.mu.Unlock()
	for _, f := range faults {
		m.config.Report(f.object, f.err)
	}
}
