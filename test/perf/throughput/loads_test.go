package throughput

import (
	"testing"
	"time"
)

// At each moment a few percent of the nodes are over the default line, and over
// time these are others; none uses what it has not.
func TestShare(t *testing.T) {
	const line, nodes = 0.75, 5000
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	ever := map[int]bool{}
	for at := start; at.Before(start.Add(10 * time.Minute)); at = at.Add(time.Minute) {
		over := 0
		for i := range nodes {
			cpu, memory := share(i, at)
			if cpu <= 0 || cpu > 1 || memory <= 0 || memory > 1 {
				t.Fatalf("node %d uses %v of its cores and %v of its memory", i, cpu, memory)
			}
			if cpu > line {
				over++
				ever[i] = true
			}
		}
		if percent := 100 * over / nodes; percent < 1 || percent > 10 {
			t.Errorf("%d %% of the nodes are over the line after %v", percent, at.Sub(start))
		}
	}
	if len(ever) < nodes/20 {
		t.Errorf("%d nodes are ever over the line, want others over time", len(ever))
	}
}

func TestLoadsReplay(t *testing.T) {
	loads := Loads{Nodes: 20}
	poll := func() time.Time {
		readings, err := loads.Poll(t.Context())
		if err != nil || len(readings) != loads.Nodes {
			t.Fatalf("%d readings (%v), want %d", len(readings), err, loads.Nodes)
		}
		return readings[0].Timestamp
	}
	loads.Replay(time.Hour)
	before := poll()
	loads.Replay(0)
	if passed := poll().Sub(before); passed < time.Hour || passed > time.Hour+time.Minute {
		t.Errorf("%v lie between what was said an hour ago and now", passed)
	}
}
