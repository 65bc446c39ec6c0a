package main

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/util/validation"
)

// State is what happens to a device.
type State string

// The states of a device. One that is gone is not reported at all.
const (
	Healthy   State = "healthy"
	Unhealthy State = "unhealthy"
	Gone      State = "gone"
)

// devices are those of one resource. It may be used concurrently.
type devices struct {
	resource string
	kind     string // the last part of the resource's name

	mu      sync.Mutex
	states  map[string]State
	changed chan struct{} // closed and replaced with each change
}

// parseResource reads NAME=COUNT.
func parseResource(value string) (*devices, error) {
	name, number, found := strings.Cut(value, "=")
	count, err := strconv.Atoi(number)
	if !found || err != nil || count < 0 || count > 1000 {
		return nil, fmt.Errorf("%q: must be a resource and how many devices of it there are, 0 to 1000, such as example.com/npu=4", value)
	}
	problems := validation.IsQualifiedName(name)
	if !strings.Contains(name, "/") {
		problems = append(problems, "it has no domain before a slash")
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("%q: must be an extended resource, such as example.com/npu: %s", name, strings.Join(problems, "; "))
	}
	d := &devices{resource: name, kind: path.Base(name), states: map[string]State{}, changed: make(chan struct{})}
	for i := range count {
		d.states[fmt.Sprintf("%s-%d", d.kind, i)] = Healthy
	}
	return d, nil
}

// set changes the state of a device. It reports whether there is such a device.
func (d *devices) set(id string, state State) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, known := d.states[id]; !known {
		return false
	}
	d.states[id] = state
	close(d.changed)
	d.changed = make(chan struct{})
	return true
}

// now returns the states of all devices, and what is closed with the next change.
func (d *devices) now() (states map[string]State, changed <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.states), d.changed
}

// variable is the environment variable that names a container's devices.
func (d *devices) variable() string {
	return strings.ToUpper(strings.NewReplacer(".", "_", "/", "_", "-", "_").Replace(d.resource))
}

// inOrder sorts ids by their number.
func inOrder(ids []string) []string {
	number := func(id string) int {
		n, _ := strconv.Atoi(id[strings.LastIndexByte(id, '-')+1:])
		return n
	}
	return slices.SortedFunc(slices.Values(ids), func(a, b string) int {
		return cmp.Or(cmp.Compare(number(a), number(b)), cmp.Compare(a, b))
	})
}
