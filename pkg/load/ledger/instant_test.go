package ledger

import (
	"testing"
	"time"
)

func TestInstantsAreInTheOrderOfTimes(t *testing.T) {
	times := []time.Time{
		{}, time.Unix(0, 0), epoch.Add(-time.Nanosecond), epoch, epoch.Add(time.Nanosecond), epoch.Add(time.Hour),
		time.Date(2500, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	for i, a := range times {
		for j, b := range times {
			one := instantOf(a)
			if one.Before(b) != (i < j) || one.After(b) != (i > j) || one.Equal(b) != (i == j) || one.IsZero() != a.IsZero() {
				t.Errorf("%v and %v: before %v, after %v, equal %v", a, b, one.Before(b), one.After(b), one.Equal(b))
			}
		}
	}
	for _, one := range times[2:6] {
		if got := instantOf(one); !got.Time().Equal(one) || !got.Add(time.Minute).Equal(one.Add(time.Minute)) || got.Sub(one) != 0 {
			t.Errorf("%v is kept as %v", one, got.Time())
		}
	}
}

func TestTimesThatNoClockShowsHaveAnInstant(t *testing.T) {
	for _, text := range []string{"0001-01-01T00:00:01Z", "1700-01-01T00:00:00Z", "2300-01-01T00:00:00Z", "9999-12-31T23:59:59Z"} {
		one, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		if got := instantOf(one); got.IsZero() || got.Before(epoch) != one.Before(epoch) || got.Add(Patience).Before(epoch) != one.Before(epoch) {
			t.Errorf("%v is kept as %v", one, got.Time())
		}
	}
}
