package world

import (
	"slices"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// observed adds up what it is told.
type observed struct {
	passed time.Duration
	memory []int64 // before each change
}

func (o *observed) Passed(_ *Machine, from, to time.Duration) { o.passed += to - from }

func (o *observed) MemoryChanged(_ *Machine, before int64) { o.memory = append(o.memory, before) }

// tenCores returns a machine of ten cores, 100 bytes of memory and four devices.
func tenCores(clock *Clock, observer Observer, background Background) *Machine {
	return NewMachine(clock, &v1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: "m"},
		Status: v1.NodeStatus{Allocatable: v1.ResourceList{
			v1.ResourceCPU: resource.MustParse("10"), v1.ResourceMemory: resource.MustParse("100"),
			"example.com/a": resource.MustParse("3"), "example.com/b": resource.MustParse("1"),
			v1.ResourceEphemeralStorage: resource.MustParse("1Gi"), "hugepages-2Mi": resource.MustParse("2Mi"),
		}},
	}, background, observer)
}

// until lets time pass.
func until(t *testing.T, c *Clock, at time.Duration) {
	t.Helper()
	if err := c.RunUntil(at); err != nil {
		t.Fatal(err)
	}
}

func TestAMachineGivesNoMoreThanItHas(t *testing.T) {
	clock, observer := NewClock(time.Unix(0, 0)), &observed{}
	m := tenCores(clock, observer, Background{CPU: 1, Memory: 10})
	if m.Devices != 4 || m.CPU != 10 || m.Memory != 100 || m.Demand() != 1 || m.MemoryInUse() != 10 {
		t.Fatalf("the machine is %+v", m)
	}
	steady := &Task{Use: &Use{Base: 5, Memory: 60}, Devices: 2}
	steady.Start(m, 0)
	until(t, clock, 10*time.Second)
	// Eight cores more from the second half of each 20 s on.
	bursty := &Task{Use: &Use{CPU: []float64{0, 1}, Scale: 8, Step: 10 * time.Second, Memory: 50}}
	bursty.Start(m, clock.Elapsed())
	if m.MemoryInUse() != 120 || m.DevicesRunning() != 2 || m.Demand() != 14 || len(m.Running()) != 2 {
		t.Errorf("%d bytes, %d devices, %v cores, %d tasks, want 120, 2, 14, 2", m.MemoryInUse(), m.DevicesRunning(), m.Demand(), len(m.Running()))
	}
	until(t, clock, 40*time.Second)
	steady.Stop()
	steady.Stop() // once more does nothing
	until(t, clock, 50*time.Second)
	m.Advance(clock.Elapsed())
	// 6 for 10 s; 14 and 6 and 14 for 10 s each; then 1 for 10 s.
	got := m.Counters()
	if got.Demanded != 60+140+60+140+10 || got.Given != 60+100+60+100+10 || got.At != 50*time.Second {
		t.Errorf("%v core-seconds were asked for and %v given until %v, want 410 and 330 until 50s", got.Demanded, got.Given, got.At)
	}
	if got.Memory != 60 || m.DevicesRunning() != 0 {
		t.Errorf("%d bytes and %d devices are in use, want 60 and none", got.Memory, m.DevicesRunning())
	}
	if observer.passed != 50*time.Second {
		t.Errorf("was told of %v, want of 50s", observer.passed)
	}
	if len(observer.memory) < 3 || observer.memory[0] != 10 || observer.memory[1] != 70 {
		t.Errorf("the memory in use before each change was %v", observer.memory)
	}
	if share := MetShare(Counters{}, got); share != 330.0/410 {
		t.Errorf("%v of the demand was met, want 330 of 410", share)
	}
	if MetShare(got, got) != 1 {
		t.Error("where nothing was asked for, not all was given")
	}
}

func TestMemoryIsReportedUpToWhatThereIs(t *testing.T) {
	clock := NewClock(time.Unix(0, 0))
	m := tenCores(clock, &observed{}, Background{})
	(&Task{Use: &Use{Memory: 150}}).Start(m, 0)
	if got := m.Counters().Memory; got != 100 || m.MemoryInUse() != 150 {
		t.Errorf("%d bytes are counted of %d, want 100 of 150", got, m.MemoryInUse())
	}
}

func TestMachineFollowsMemoryThatGrows(t *testing.T) {
	clock, o := NewClock(time.Unix(0, 0)), &observed{}
	m := tenCores(clock, o, Background{})
	until(t, clock, 30*time.Second)
	task := &Task{Use: &Use{Base: 1, Memory: 40, Growth: 20, GrowthStep: time.Minute, GrowthSteps: 4}}
	task.Start(m, clock.Elapsed())
	until(t, clock, 3*time.Minute)
	if got := m.MemoryInUse(); got != 80 {
		t.Errorf("%d bytes after two and a half minutes, want 80", got)
	}
	until(t, clock, time.Hour)
	if got := m.MemoryInUse(); got != 120 {
		t.Errorf("%d bytes after an hour, want 120", got)
	}
	if want := []int64{0, 40, 60, 80, 100}; !slices.Equal(o.memory, want) {
		t.Errorf("told of changes from %v, want %v", o.memory, want)
	}
}
