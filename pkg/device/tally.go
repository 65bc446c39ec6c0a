package device

import v1 "k8s.io/api/core/v1"

// tally counts the nodes that have a resource.
type tally struct {
	standing standing
	surplus  surplus
	// nodes have it, with what they are expected to have again. offering of them
	// offer some now, and ordinary are meant for ordinary pods.
	nodes, offering, ordinary int
	byUnits                   map[int64]int // nodes, by how many units they have
	verdict                   Verdict       // empty if there was none yet
}

// counted is how a node counts in a tally.
type counted struct {
	units              int64 // 0: not at all
	offering, ordinary bool
}

func (t *tally) add(c counted, nodes int) {
	if c.units == 0 {
		return
	}
	t.nodes += nodes
	if c.offering {
		t.offering += nodes
	}
	if c.ordinary {
		t.ordinary += nodes
	}
	if t.byUnits[c.units] += nodes; t.byUnits[c.units] == 0 {
		delete(t.byUnits, c.units)
	}
}

// judge decides what the resource is taken for, and reports whether it is no device
// any more. Until all nodes are known it does not matter what it was taken for
// before, which depends on the order in which they get known.
func (t *tally) judge(ordinary int, allKnown bool) (dismissed bool) {
	before := t.surplus
	if !allKnown {
		before = surplus{}
	}
	t.surplus = t.numbers(ordinary).surplus(before)
	was := t.verdict == Device || t.verdict == "" && t.standing.isDevice()
	t.verdict = t.standing.verdict(t.surplus)
	return was && t.verdict != Device
}

func (t *tally) numbers(ordinary int) numbers {
	n := numbers{nodes: t.ordinary, of: ordinary}
	for units := range t.byUnits {
		n.most = max(n.most, units)
	}
	return n
}

func (t *tally) judged(name v1.ResourceName, ordinary int) judged {
	return judged{
		name: name, standing: t.standing, surplus: t.surplus, verdict: t.verdict, numbers: t.numbers(ordinary), nodes: t.nodes,
	}
}
