package device

import (
	"maps"
	"slices"
	"strings"
	"time"

	v1 "k8s.io/api/core/v1"
)

// away says that a node counts as having so many units of a resource, which is more
// than are allocatable, by so many. There will be fewer then, unless they return.
type away struct {
	name        v1.ResourceName
	units, more int64
	until       time.Time
}

// away returns what is away by node, and until when that is so. Most often
// nothing has changed, and the map is the one of before.
func (k *Kinds) away(before *picture, changed []string) (byNode map[string][]away, until time.Time) {
	byNode, until = before.away, before.until
	cloned := false
	for _, name := range changed {
		has := k.nodes[name].away()
		if slices.Equal(has, byNode[name]) {
			continue
		}
		if !cloned {
			byNode, cloned = maps.Clone(byNode), true
		}
		if len(has) > 0 {
			if byNode == nil {
				byNode = map[string][]away{}
			}
			byNode[name] = has
		} else {
			delete(byNode, name)
		}
	}
	if cloned {
		until = earliest(byNode)
	}
	return byNode, until
}

// away returns of which resources units count on the node although they are not
// allocatable, sorted by name. It returns none for nil.
func (n *nodeSupplies) away() []away {
	if n == nil {
		return nil
	}
	var list []away
	for name, s := range n.supplies {
		if len(s.before) > 0 {
			list = append(list, away{name: name, units: s.expected(), more: s.expected() - s.allocatable, until: s.before[0].until})
		}
	}
	slices.SortFunc(list, func(a, b away) int { return strings.Compare(string(a.name), string(b.name)) })
	return list
}

func earliest(byNode map[string][]away) (first time.Time) {
	for _, list := range byNode {
		for i := range list {
			if first.IsZero() || list[i].until.Before(first) {
				first = list[i].until
			}
		}
	}
	return first
}
