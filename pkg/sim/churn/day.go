package churn

import (
	"math"
	"time"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim"
)

// The hours of a day.
const (
	dayBegins = 6 * time.Hour
	dayEnds   = 20 * time.Hour
	noon      = 12 * time.Hour
	wholeDay  = 24 * time.Hour
)

// span is a time of the scenario.
type span struct{ begin, end time.Duration }

// next returns the same time on the day after.
func (s span) next() span { return span{s.begin + wholeDay, s.end + wholeDay} }

// firstDay is the time from morning to night in which, or before which, the scenario
// begins.
func (c *churner) firstDay() span {
	day := span{dayBegins - startHour(), dayEnds - startHour()}
	if day.end <= 0 {
		return day.next()
	}
	return day
}

// startHour is the time of day at which scenarios begin.
func startHour() time.Duration {
	start := sim.Start()
	return start.Sub(start.Truncate(wholeDay))
}

// someNight returns a time at night in the measured part, the later the larger the
// ratio (0 to 1), and whether there is any night in it.
func (c *churner) someNight(ratio float64) (at time.Duration, found bool) {
	var nights []span
	total := time.Duration(0)
	first := c.firstDay()
	for night := (span{first.end - wholeDay, first.begin}); night.begin < c.scenario.End; night = night.next() {
		measured := span{max(night.begin, c.scenario.MeasureFrom), min(night.end, c.scenario.End)}
		if measured.begin < measured.end {
			nights = append(nights, measured)
			total += measured.end - measured.begin
		}
	}
	left := part(total, ratio)
	for _, night := range nights {
		if left < night.end-night.begin {
			return night.begin + left, true
		}
		left -= night.end - night.begin
	}
	return 0, false
}

// swing is by which part the use of services rises until noon.
const swing = 0.4

// traffic returns what services use at a time, as a part of their mean over the day.
func traffic(at time.Duration) float64 {
	return 1 + swing*math.Cos(2*math.Pi*float64(startHour()+at-noon)/float64(wholeDay))
}
