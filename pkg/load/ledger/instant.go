package ledger

import "time"

// instant is a time in a third of the memory, to the nanosecond: records have many.
// Zero is no time, and before all others. What lies before 1970 or after 2116 is taken
// to be the first or the last that there is: no clock that is right shows that.
type instant int64

const lastInstant instant = 1 << 62 // what is added to it does not overflow

func instantOf(t time.Time) instant {
	switch seconds := t.Unix(); {
	case t.IsZero():
		return 0
	case seconds < 0:
		return 1
	case seconds >= int64(lastInstant)/int64(time.Second):
		return lastInstant
	}
	return max(1, instant(t.UnixNano()))
}

// Time returns the time, zero if there is none.
func (i instant) Time() time.Time {
	if i == 0 {
		return time.Time{}
	}
	return time.Unix(0, int64(i))
}

func (i instant) IsZero() bool                  { return i == 0 }
func (i instant) Equal(t time.Time) bool        { return i == instantOf(t) }
func (i instant) Before(t time.Time) bool       { return i < instantOf(t) }
func (i instant) After(t time.Time) bool        { return i > instantOf(t) }
func (i instant) Add(d time.Duration) instant   { return i + instant(d) }
func (i instant) Sub(t time.Time) time.Duration { return time.Duration(i - instantOf(t)) }
