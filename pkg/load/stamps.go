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
// set, and their pods have none, for which nil takes the least memory.
type stamps struct{ all []stamp }

type stamp struct{ told, at time.Time }

// list returns them; s may be nil.
func (s *stamps) list() []stamp {
	if s == nil {
		return nil
	}
	return s.all
}

// find returns that of the time; s may be nil.
func (s *stamps) find(told time.Time) *stamp {
	all := s.list()
	if i := slices.IndexFunc(all, func(one stamp) bool { return one.told.Equal(told) }); i >= 0 {
		return &all[i]
	}
	return nil
}

// addStamp adds one to those of the pod.
func (p *pod) addStamp(one stamp) {
	if p.stamps == nil {
		p.stamps = &stamps{}
	}
	p.stamps.all = append(p.stamps.all, one)
}

// place puts the times of the states on the scale of the node's clock.
func (p *pod) place(states []ledger.State, ours time.Time) {
	known := p.stamps
	p.stamps = nil
	place := func(told *time.Time, unlikely time.Time) {
		if told.IsZero() {
			return
		}
		one := stamp{told: *told}
		if before := known.find(*told); before != nil {
			one = *before
		} else if one.at = p.node.clock.at(*told); !p.node.clock.mayHaveShown(one.at, ours) {
			one.at = unlikely
		}
		if known != nil || !one.at.Equal(one.told) {
			p.addStamp(one)
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
}

// keep keeps where the times are that the pod's record has, before the scale changes.
func (p *pod) keep() {
	for from, to := range p.Runs {
		for _, at := range [...]time.Time{from, to} {
			if !at.IsZero() && !slices.ContainsFunc(p.stamps.list(), func(one stamp) bool { return one.at.Equal(at) }) {
				p.addStamp(stamp{told: at, at: at})
			}
		}
	}
}

// correct corrects when what runs of the pod began.
func (p *pod) correct(began func(time.Time) time.Time) {
	p.keep()
	p.Correct(func(from time.Time) time.Time {
		at := began(from)
		for i, one := range p.stamps.list() {
			if one.at.Equal(from) {
				p.stamps.all[i].at = at
			}
		}
		return at
	})
}
