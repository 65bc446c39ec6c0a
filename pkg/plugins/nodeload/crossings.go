package nodeload

import (
	"fmt"
	"strings"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

const (
	// holds is for how long a node must be over its line, or back below it, before that
	// is told, so that a spike is no event.
	holds = time.Minute
	// backAt is the part of its line that a node must come down to before it counts as
	// back: one that stays at its line makes no event after the other.
	backAt = 0.95
)

// Reasons of events of nodes.
const (
	reasonOver  = "OverLoadLine"
	reasonBelow = "BelowLoadLine"
)

// crossings tells by events of nodes when they go over their load lines, and come
// back.
type crossings struct {
	profile  string
	policy   *policy
	recorder events.EventRecorder
	nodes    map[string]*crossing // those that are over, or begin to be
}

// crossing is what is known of a node.
type crossing struct {
	born uint64 // of the node: see load.Node
	// told: it was told that the node is over. since is when it began to be otherwise;
	// zero if it is not.
	told  bool
	since time.Time
}

// look looks at all nodes, and tells what has changed if this replica leads. What has
// not been told when it begins to lead is told then. Calls are made one at a time.
func (c *crossings) look(view *load.View, leads bool) {
	for name, known := range c.nodes {
		if node := view.Node(name); node == nil || node.Born != known.born {
			delete(c.nodes, name)
		}
	}
	for node := range view.All {
		highest, judged := c.highest(view, node)
		if !judged {
			continue // nothing is known of it now
		}
		known := c.nodes[node.Name]
		if known == nil {
			if highest <= 1 {
				continue
			}
			known = &crossing{born: node.Born}
			c.nodes[node.Name] = known
		}
		c.follow(known, view, node, highest, leads)
	}
}

// highest returns the use of the resource that is highest against its line, as a part
// of that, and whether the node is judged by use.
func (c *crossings) highest(view *load.View, node *load.Node) (share float64, judged bool) {
	c.policy.againstLine(view, node, func(_ amount.Resource, use, line int64) {
		share, judged = max(share, part(use, line)), true
	})
	return share, judged
}

func (c *crossings) follow(known *crossing, view *load.View, node *load.Node, highest float64, leads bool) {
	changes := highest > 1
	if known.told {
		changes = highest <= backAt
	}
	switch {
	case !changes && !known.told:
		delete(c.nodes, node.Name)
	case !changes:
		known.since = time.Time{}
	case known.since.IsZero():
		known.since = view.Now
	case leads && view.Now.Sub(known.since) >= holds:
		known.told, known.since = !known.told, time.Time{}
		c.tell(view, node, known.told)
		if !known.told {
			delete(c.nodes, node.Name)
		}
	}
}

func (c *crossings) tell(view *load.View, node *load.Node, over bool) {
	var uses []string
	l := c.policy.general.On(node.Own, node.Allocatable)
	c.policy.againstLine(view, node, func(r amount.Resource, use, line int64) {
		if !over || use > line {
			uses = append(uses, fmt.Sprintf("%s is predicted at %s, and the line is at %s (%d %% of allocatable)",
				r.Name(), r.Text(use), r.Text(line), l.Percent[r]))
		}
	})
	kind, reason, where := v1.EventTypeWarning, reasonOver, "over the load line"
	if !over {
		kind, reason, where = v1.EventTypeNormal, reasonBelow, "below the load line again"
	}
	// "kubectl describe node" looks for events whose UID is the name, as the kubelet's.
	object := &v1.Node{ObjectMeta: metav1.ObjectMeta{Name: node.Name, UID: types.UID(node.Name)}}
	c.recorder.Eventf(object, nil, kind, reason, "Scheduling", "%s of profile %s: %s", where, c.profile, strings.Join(uses, "; "))
}
