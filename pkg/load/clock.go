package load

import (
	"fmt"
	"time"
)

// maxClockSkew is what the delay of a sample may explain: how long it may take from
// its end until it arrives, and by how much that may change. What is more is the
// clock's doing.
const maxClockSkew = 30 * time.Second

// clockMemory is how long it is remembered how early samples have arrived: for that
// long at least, and for no more than twice as long while samples come.
const clockMemory = 5 * time.Minute

// nodeClock puts all times that a node writes down on one scale, which goes on evenly
// whatever happens to the node's clock: its samples', and those of its containers. They
// are compared with each other on that scale only.
//
// Where our time is on it is known within bounds: a sample had ended when it arrived,
// so its node's clock showed no less than its timestamp then. The scale is the clock's
// own until that is set. That is seen by the samples, if no delay explains when they
// arrive. What is by the new time is then put where the old time would be.
type nodeClock struct {
	// set is by how much the clock was set forward since its first sample.
	set time.Duration
	// newest is the newest sample's end, and arrivedAt when that arrived by our clock.
	newest, arrivedAt time.Time
	// arrived is how many samples have arrived, each newer than all before.
	arrived uint64
	// most is by how much the ends of samples were ahead of their arrivals, at the most,
	// since turnedAt, and before in the period before that.
	most, before time.Duration
	turnedAt     time.Time
	// late is the end of a sample that was older than the newest.
	late time.Time
	// skew is by how much the clock itself is ahead of ours where that is too much to be
	// believed, else 0.
	skew time.Duration
}

// arrival is what is made of a sample that has arrived.
type arrival struct {
	// end is the sample's, on the clock's scale.
	end time.Time
	// newer: it is newer than all before, rather than repeated or late.
	newer bool
	// forward and back: it shows that the clock was set forward, or back.
	forward, back bool
	// skewed: the clock has turned out to be off.
	skewed bool
}

// arrive takes in that a sample has arrived that ended then by the node's clock. goesOn
// says that the sample before was of the same run of the machine: then one that is
// older than that may just be late.
func (c *nodeClock) arrive(timestamp, ours time.Time, goesOn bool, expiration time.Duration) (a arrival) {
	a.end = c.at(timestamp)
	if !c.arrivedAt.IsZero() {
		change := a.end.Sub(ours) - c.earliest()
		switch {
		case a.end.Equal(c.newest):
			return arrival{}
		case change > maxClockSkew:
			a.forward = true
		case change < -maxClockSkew && !goesOn:
			a.back = true
		case a.end.Before(c.newest):
			if a.back = c.setBack(a.end); !a.back {
				return arrival{}
			}
		}
		if a.forward || a.back {
			c.set += change
			a.end = c.at(timestamp)
		}
	}
	a.newer = true
	c.newest, c.arrivedAt, c.late = a.end, ours, time.Time{}
	c.arrived++
	c.remember(a.end.Sub(ours), ours)
	ahead, was := timestamp.Sub(ours), c.skew
	if c.skew = 0; ahead > maxClockSkew || -ahead > expiration && goesOn {
		c.skew, a.skewed = ahead, was == 0
	}
	return a
}

// setBack reports whether a sample that is older than the newest one shows that the
// clock was set back, rather than that it comes late: such samples go on to come, each
// newer than the last.
func (c *nodeClock) setBack(end time.Time) bool {
	if c.newest.Sub(end) <= maxClockSkew {
		return false
	}
	advances := !c.late.IsZero() && end.After(c.late)
	c.late = end
	return advances
}

// remember notes by how much a sample was ahead of its arrival.
func (c *nodeClock) remember(ahead time.Duration, ours time.Time) {
	switch {
	case c.turnedAt.IsZero():
		c.most, c.before, c.turnedAt = ahead, ahead, ours
	case ours.Sub(c.turnedAt) >= clockMemory:
		c.most, c.before, c.turnedAt = ahead, c.most, ours
	default:
		c.most = max(c.most, ahead)
	}
}

// earliest is by how much samples were ahead of their arrivals at the most: the best
// that is known of by how much the clock is ahead of ours, at the least.
func (c *nodeClock) earliest() time.Duration { return max(c.most, c.before) }

// at returns where on the scale a time is that the clock shows now.
func (c *nodeClock) at(timestamp time.Time) time.Time { return timestamp.Add(-c.set) }

// now returns the least that it may be now on the scale: what the newest sample says,
// and the time that has passed since it arrived. It is for all that must not be taken
// to have happened later than it has: a pod that leaves then was surely there before.
func (c *nodeClock) now(ours time.Time) time.Time {
	if c.arrivedAt.IsZero() {
		return ours
	}
	return c.newest.Add(ours.Sub(c.arrivedAt))
}

// latest returns the most that it is likely to be now on the scale. It is for all that
// must not be taken to have happened earlier than it has: the clock is taken to be
// right if no more delay follows from that than samples may have.
func (c *nodeClock) latest(ours time.Time) time.Time {
	if c.arrivedAt.IsZero() {
		return ours
	}
	earliest := c.earliest()
	return ours.Add(min(max(earliest, -c.set), earliest+maxClockSkew))
}

// mayHaveShown reports whether the time on the scale is one that the clock may have shown
// already. If not, it is by a clock that has been set since.
func (c *nodeClock) mayHaveShown(at, ours time.Time) bool {
	return c.arrivedAt.IsZero() || !at.After(c.latest(ours).Add(maxClockSkew))
}

// describeSkew says what is wrong with a node's clock.
func describeSkew(skew time.Duration) string {
	direction := "ahead of"
	if skew < 0 {
		direction, skew = "behind", -skew
	}
	return fmt.Sprintf("the node's clock is %s %s the scheduler's; the age of its load samples is counted from their arrival until the clocks are synchronized",
		skew.Round(time.Second), direction)
}
