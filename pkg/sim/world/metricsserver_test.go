package world

import (
	"testing"
	"time"
)

// sampled returns a machine that is measured every 15 s, readable 5 s later.
func sampled(missing float64) (*Clock, *Machine, *MetricsServer) {
	clock := NewClock(time.Unix(0, 0))
	m := tenCores(clock, &observed{}, Background{CPU: 2, Memory: 10})
	s := NewMetricsServer(clock, []*Machine{m}, Sampling{Interval: 15 * time.Second, Delay: 5 * time.Second, Missing: missing}, 1)
	return clock, m, s
}

func TestASampleIsTheMeanOfItsWindow(t *testing.T) {
	clock, m, s := sampled(0)
	if _, ok := s.Node(m); ok {
		t.Error("there is a sample before anything was measured")
	}
	s.Prime()
	until(t, clock, 0)
	if got, ok := s.Node(m); !ok || got.CPU != 2 || got.Memory != 10 || got.Window != 15*time.Second || got.End > -5*time.Second {
		t.Errorf("the first sample is %+v, %v, want 2 cores and 10 bytes before the start", got, ok)
	}
	phase := s.scraped[0].phase
	until(t, clock, phase+5*time.Second) // a third of the window
	(&Task{Use: &Use{Base: 6, Memory: 20}}).Start(m, clock.Elapsed())
	until(t, clock, phase+20*time.Second-1)
	if got, _ := s.Node(m); got.End != phase {
		t.Errorf("the sample of %v can be read before its delay has passed", got.End)
	}
	until(t, clock, phase+20*time.Second)
	got, ok := s.Node(m)
	if !ok || got.End != phase+15*time.Second || got.Window != 15*time.Second || got.Memory != 30 {
		t.Fatalf("the sample is %+v, %v", got, ok)
	}
	if want := 2 + 6*2.0/3; got.CPU < want-1e-9 || got.CPU > want+1e-9 {
		t.Errorf("the sample is of %v cores, want %v: two thirds of its window have 6 more", got.CPU, want)
	}
	cpu, memory, ok := s.UsedPercent(m)
	if !ok || cpu < 59.999 || cpu > 60.001 || memory != 30 {
		t.Errorf("%v %% and %v %% are used, %v, want 60 and 30", cpu, memory, ok)
	}
}

func TestASampleOfAPodIsOfWhenItRan(t *testing.T) {
	clock, m, s := sampled(0)
	s.Prime()
	phase := s.scraped[0].phase
	task := &Task{Use: &Use{Base: 16, Memory: 20}}
	if _, ok := s.Pod(task); ok {
		t.Error("there is a sample of a task that does not run")
	}
	until(t, clock, phase+10*time.Second)
	task.Start(m, clock.Elapsed())
	until(t, clock, phase+20*time.Second)
	if got, ok := s.Pod(task); ok {
		t.Errorf("there is the sample %+v of a task that was seen for 5 s", got)
	}
	until(t, clock, phase+35*time.Second)
	got, ok := s.Pod(task)
	if !ok || got.Window != 15*time.Second || got.End != phase+30*time.Second || got.Memory != 20 {
		t.Fatalf("the sample is %+v, %v", got, ok)
	}
	if want := 16 * 10.0 / 18; got.CPU < want-1e-9 || got.CPU > want+1e-9 {
		t.Errorf("the sample is of %v cores, want %v: 10 of the 18 cores that are asked for are there", got.CPU, want)
	}
	task.Stop()
	if _, ok := s.Pod(task); ok {
		t.Error("there is a sample of a task that has ended")
	}
}

func TestMissingSamplesLeaveLongerWindows(t *testing.T) {
	clock, m, s := sampled(0.5)
	s.Prime()
	windows := map[time.Duration]int{}
	last := time.Duration(0)
	for i := range 400 {
		until(t, clock, time.Duration(i)*15*time.Second)
		if got, ok := s.Node(m); ok && got.End != last {
			last = got.End
			windows[got.Window]++
			if got.CPU < 2-1e-9 || got.CPU > 2+1e-9 {
				t.Fatalf("a sample of %v is of %v cores, want 2", got.Window, got.CPU)
			}
		}
	}
	if seen := windows[15*time.Second] + windows[30*time.Second]; windows[15*time.Second] < 60 || windows[30*time.Second] < 25 || seen > 250 {
		t.Errorf("the windows of samples half of which are missing are %v", windows)
	}
}
