package load

import (
	"fmt"
	"time"
)

// maxClockSkew is how far a node's clock may be ahead of ours before the
// timestamps of its samples are not taken for the time of our clock.
const maxClockSkew = 30 * time.Second

// nodeClock compares a node's clock with ours. Samples carry the node's time, and
// so do the starts of its containers: what is compared with each other stays in
// that. Only the age of a sample needs both.
type nodeClock struct {
	// skew is by how much the node's clock is ahead of ours; 0 if it can be trusted.
	skew time.Duration
	// seenAt is the time by our clock from which the age of the newest sample
	// counts.
	seenAt time.Time
	// arrivedAt is when it arrived.
	arrivedAt time.Time
	// late is the timestamp of a sample that was older than the one before it.
	late time.Time
}

// arrive takes in that a newer sample with the timestamp has arrived. before is the
// timestamp of the sample before, zero if there is none. skewed says that the node's
// clock has turned out to be off.
//
// A sample that comes from the future, or one that has expired when it arrives
// although the node goes on making new ones, tells of a clock that is off: its age
// is taken from its arrival.
func (c *nodeClock) arrive(timestamp, before, now time.Time, expiration time.Duration) (skewed bool) {
	ahead, was := timestamp.Sub(now), c.skew
	c.late, c.arrivedAt = time.Time{}, now
	if ahead > maxClockSkew || -ahead > expiration && !before.IsZero() {
		c.skew, c.seenAt = ahead, now
		return was == 0
	}
	c.skew, c.seenAt = 0, timestamp
	return false
}

// setForward reports whether the clock was set forward between two samples: a rate
// over that time is too low.
func (c *nodeClock) setForward(timestamp, before, now time.Time) bool {
	return timestamp.Sub(before)-now.Sub(c.arrivedAt) > maxClockSkew
}

// setBack reports whether a sample that is older than the newest one shows that
// the node's clock was set back, rather than that it comes late: such samples go
// on to come, each newer than the last.
func (c *nodeClock) setBack(timestamp, newest time.Time) bool {
	if newest.Sub(timestamp) <= maxClockSkew {
		return false
	}
	advances := !c.late.IsZero() && timestamp.After(c.late)
	c.late = timestamp
	return advances
}

// now returns what the node's clock shows.
func (c *nodeClock) now(ours time.Time) time.Time { return ours.Add(c.skew) }

// describeSkew says what is wrong with a node's clock.
func describeSkew(skew time.Duration) string {
	direction := "ahead of"
	if skew < 0 {
		direction, skew = "behind", -skew
	}
	return fmt.Sprintf("the node's clock is %s %s the scheduler's; the age of its load samples is counted from their arrival until the clocks are synchronized",
		skew.Round(time.Second), direction)
}
