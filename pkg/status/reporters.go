package status

import (
	"slices"
	"sync"

	fwk "k8s.io/kube-scheduler/framework"

	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

// Reporter is a plugin of a profile, which knows a part of what is to be told.
type Reporter interface {
	// Report returns what tells the plugin's part of nodes by this view. It may be
	// called at any time, by any goroutine, and must not change what the plugin decides.
	Report(view *load.View) NodeReporter
}

// NodeReporter fills in a plugin's part. node is what the view has of it, nil if it
// has nothing.
type NodeReporter func(to *Node, node *load.Node, info fwk.NodeInfo)

// Lines is a Reporter that knows the lines of nodes.
type Lines interface {
	// ReportLine is the part of Report that needs nothing but the view.
	ReportLine(view *load.View) func(to *Node, node *load.Node)
}

// Catalogue is a Reporter that knows what resources are taken for.
type Catalogue interface {
	Resources() []device.Resource
	// PodDevices returns the devices that the pod of a NodeInfo has.
	PodDevices(pod fwk.PodInfo) []device.Request
}

// Reporters are the plugins that tell of nodes, by profile. It may be used from any
// goroutine; nil takes none.
type Reporters struct {
	mu       sync.Mutex
	profiles []string
	all      map[string][]Reporter
}

// Add adds a plugin of the profile.
func (r *Reporters) Add(profile string, reporter Reporter) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all == nil {
		r.all = map[string][]Reporter{}
	}
	if !slices.Contains(r.profiles, profile) {
		r.profiles = append(r.profiles, profile)
	}
	r.all[profile] = append(r.all[profile], reporter)
}

// names returns the names of the profiles, in order.
func (r *Reporters) names() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	names := slices.Clone(r.profiles)
	slices.Sort(names)
	return names
}

// Of returns the plugins of the profile.
func (r *Reporters) Of(profile string) []Reporter {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.all[profile])
}
