package load

import (
	"slices"
	"time"

	"github.com/plimsoll-scheduler/plimsoll/pkg/load/ledger"
)

// stamps are times that statuses of a pod's containers have, and where on the scale of
// its node's clock they are. A status says the same of a container for as long as that
// runs, by the clock as it was when it began: so a time is put on the scale once, when
// it is first told, and kept for as long as it is told.
//
// A time that is not among them is on the scale as it is: most nodes' clocks are never
// set, and their pods have none.
type stamps []stamp

type stamp struct{ told, at time.Time }

func (s stamps) find(told time.Time) *stamp {
	if i := slices.IndexFunc(s, func(one stamp) bool { return one.told.Equal(told) }); i >= 0 {
		return &s[i]
	}
	return nil
}

// place puts the times of the states on the scale of the node's clock.
func (p *pod) place(states []ledger.State, ours time.Time) {
	var kept stamps
	place := func(told *time.Time, unlikely time.Time) {
		if told.IsZero() {
			return
		}
		one := stamp{told: *told}
		if known := p.stamps.find(*told); known != nil {
			one = *known
		} else if one.at = p.node.clock.at(*told); !p.node.clock.mayHaveShown(one.at, ours) {
			one.at = unlikely
		}
		if len(p.stamps) > 0 || !one.at.Equal(one.told) {
			kept = append(kept, one)
		}
		*told = one.at
	}
	now, last := p.node.clock.now(ours), p.node.clock.latest(ours).Add(maxClockSkew)
	for i := range states {
		s := &states[i]
		place(&s.Since, last)
		place(&s.Before.From, last)
		place(&s.Before.To, now)
	}
	p.stamps = kept
}

// keep keeps where the times are that the pod's record has, before the scale changes.
func (p *pod) keep() {
	for from, to := range p.Runs {
		for _, at := range [...]time.Time{from, to} {
			if !at.IsZero() && !slices.ContainsFunc(p.stamps, func(one stamp) bool { return one.at.Equal(at) }) {
				p.stamps = append(p.stamps, stamp{told: at, at: at})
			}
		}
	}
}

// correct corrects when what runs of the pod began.
func (p *pod) correct(began func(time.Time) time.Time) {
	p.keep()
	p.Correct(func(from time.Time) time.Time {
		at := began(from)
		for i := range p.stamps {
			if p.stamps[i].at.Equal(from) {
				p.stamps[i].at = at
			}
		}
		return at
	})
}
