// Package churn has the pods of a scenario come, go and use as they do in real
// clusters. A scenario tells which workloads there are, what their pods request and
// use, and how many there are of each. What is made of that is the same for the same
// seed, and of one workload the same whatever becomes of the others.
//
// Workloads of which pods are there all the time (sim.Service) are dealt out: some
// become autoscaled, CronJobs, Jobs or services that are scaled to zero at night,
// each with about as many pods on average as before. Then what all of them go through
// is laid over that. Pods that stay on their node, and workloads that are something
// else already, remain as they are.
package churn

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim"
)

// Event is something that happens to pods.
type Event string

// The events.
const (
	Rollouts     Event = "rollouts"
	Autoscaling  Event = "autoscaling"
	CronJobs     Event = "cronjobs"
	Jobs         Event = "jobs"
	Nights       Event = "nights"
	Daily        Event = "daily"
	Correlation  Event = "correlation"
	MemoryGrowth Event = "memory-growth"
)

// meanings says what each event is, in the order in which they are told.
func meanings() []struct {
	event   Event
	meaning string
} {
	return []struct {
		event   Event
		meaning string
	}{
		{Rollouts, "every 6 h, each service's pods are replaced within 2 to 8 minutes by those of a new ReplicaSet"},
		{Autoscaling, "one in six workloads goes from 2 replicas to N within a minute and back 45 minutes later, every 3 h; its pods request a tenth of what they would"},
		{CronJobs, "one in six workloads is a CronJob, with a new Job each 30 minutes to 12 h"},
		{Jobs, "one in six workloads is Jobs of 1 to 4 pods that come once"},
		{Nights, "one in six workloads has no replicas from 20:00 to 6:00"},
		{Daily, "services use 40 % more at noon, and 40 % less at midnight; one in six workloads is Jobs, which come at night"},
		{Correlation, "seven tenths of the use of a service's replicas follow the same series"},
		{MemoryGrowth, "services begin with half of their memory, and have one and a half times as much after 4 h"},
	}
}

// Names returns the names of all events.
func Names() []string {
	var names []string
	for _, m := range meanings() {
		names = append(names, string(m.event))
	}
	return names
}

// All is what Parse takes for all events.
const All = "all"

// Parse returns the events of the names, without repetition and in their own order.
func Parse(names []string) ([]Event, error) {
	wanted := map[Event]bool{}
	for _, name := range names {
		if name != All && !slices.Contains(Names(), name) {
			return nil, fmt.Errorf("%q: unknown; known here: %s, %s", name, strings.Join(Names(), ", "), All)
		}
		wanted[Event(name)] = true
	}
	var events []Event
	for _, m := range meanings() {
		if wanted[m.event] || wanted[All] {
			events = append(events, m.event)
		}
	}
	return events, nil
}

// Apply returns the scenario with the events, which is left as it is. A day in it
// begins at the hour of sim.Start. Without events it is the same.
func Apply(s *sim.Scenario, events []Event, seed uint64) *sim.Scenario {
	if len(events) == 0 {
		return s
	}
	c := &churner{scenario: s, seed: seed, on: map[Event]bool{}, taken: map[string]bool{}}
	for _, e := range events {
		c.on[e] = true
	}
	rest := c.group()
	c.deal()
	result := *s
	result.Pods, result.ReplicaSets = rest, nil
	for _, w := range c.workloads {
		c.retime(w)
		if c.on[Rollouts] {
			c.rollOut(w)
		}
		c.reuse(w)
		result.Pods = append(result.Pods, w.pods...)
	}
	slices.SortStableFunc(result.Pods, func(a, b sim.Pod) int { return cmp.Compare(a.Arrival, b.Arrival) })
	result.ReplicaSets = c.ownersOf(result.Pods)
	c.describe(&result)
	return &result
}

// churner makes a scenario of another.
type churner struct {
	scenario  *sim.Scenario
	seed      uint64
	on        map[Event]bool
	workloads []*workload
	taken     map[string]bool // namespace/name of pods
}

// random returns what to draw from for a purpose of its own.
func (c *churner) random(purpose ...string) *rand.Rand {
	return rand.New(rand.NewPCG(c.seed, hashOf(purpose...)))
}

func hashOf(parts ...string) uint64 {
	h := fnv.New64a()
	for _, part := range parts {
		h.Write([]byte(part))
		h.Write([]byte{0})
	}
	return h.Sum64()
}

// dealt is of how many workloads, by their size, one becomes each of what they are
// dealt out to.
const dealt = 6

// deal says what becomes of each workload. Of each six of about the same size one is
// drawn for each of the kinds, so that all kinds have their share of the load.
func (c *churner) deal() {
	var become []Event
	for _, e := range []Event{Autoscaling, CronJobs, Jobs, Nights} {
		if c.on[e] || e == Jobs && c.on[Daily] {
			become = append(become, e)
		}
	}
	bySize := slices.Clone(c.workloads)
	slices.SortStableFunc(bySize, func(a, b *workload) int { return cmp.Compare(b.replicas, a.replicas) })
	random := c.random("deal")
	for alike := range slices.Chunk(bySize, dealt) {
		order := random.Perm(dealt) // of as many, so that what follows does not depend on it
		for i, e := range become {
			if at := order[i]; at < len(alike) {
				alike[at].becomes = e
			}
		}
	}
}

// describe says in the scenario what was done to it.
func (c *churner) describe(s *sim.Scenario) {
	var names, told []string
	for _, m := range meanings() {
		if c.on[m.event] {
			names, told = append(names, string(m.event)), append(told, m.meaning)
		}
	}
	s.Name += " with " + strings.Join(names, ", ")
	s.Parameters = append(slices.Clone(s.Parameters), sim.Parameter{
		Name: "churn", Value: strings.Join(names, ","), Meaning: strings.Join(told, "; "),
	})
}
