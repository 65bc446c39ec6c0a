//go:build !k8s135

package waiting

import (
	"slices"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
)

// member is a pending pod of the group that needs so many millicores.
func (c *cluster) member(group, name string, need int64) *v1.Pod {
	c.t.Helper()
	pod := c.pod(name, 0, need)
	pod.Spec.SchedulingGroup = &v1.PodSchedulingGroup{PodGroupName: &group}
	return pod
}

// tryMember tries a member of a group: it is rejected by these nodes, and gets the
// place, if that is not empty.
func (c *cluster) tryMember(pod *v1.Pod, place string, nodes ...string) {
	attempt, view := c.Begin(pod, true)
	reject(attempt, &view, nodes...)
	if place != "" {
		c.Reserve(pod.UID, place)
	}
}

// Within one attempt at a pod group a pod may be tried in several placements.
func TestPlacementsOfAGroup(t *testing.T) {
	c := newCluster(t, 0, 0)
	p := c.member("g", "p", 1)
	c.tryMember(p, "", "n0")
	c.tryMember(p, "", "n1")
	c.addNode("n2", 0)
	c.tryMember(p, "") // in a placement without any of these nodes
	c.clock.Step(time.Minute)
	c.room["n2"] = 1
	c.wantWoken("when a node has room that the first placement did not know", "p")
	c.tryMember(p, "", "n1")
	c.clock.Step(time.Minute)
	c.room = map[string]int64{"n0": 1}
	c.wantWoken("when a node has room that did not reject the pod since it was woken")
	c.room = map[string]int64{"n1": 1}
	c.wantWoken("when one has that did", "p")
}

// Each attempt takes back the places of those that found one, which looks like
// load that drops. It must not go on for ever.
func TestGroupsWakeWhenAllFindRoom(t *testing.T) {
	c := newCluster(t, 4, 0)
	placed, rejected, another := c.member("g", "placed", 3), c.member("g", "rejected", 2), c.member("g", "rejected too", 1)
	try := func() {
		c.tryMember(placed, "n0", "n1")
		c.tryMember(rejected, "", "n0", "n1")
		c.tryMember(another, "", "n0", "n1")
		c.Unreserve(placed.UID)
		c.clock.Step(time.Minute)
	}
	single := c.pod("single", -1, 1)
	c.try(single, "n0")
	try()
	c.wantWoken("room for one at a time: the group takes none of it", "single")
	c.room["n0"] = 5
	c.wantWoken("room for the placed and one more")
	c.clock.Step(time.Minute)
	c.room["n1"] = 1
	c.wantWoken("room for all, and none for others", "rejected", "rejected too")
	try()
	c.room["n0"], c.room["n1"] = 4, 2
	c.wantWoken("the same on other nodes", "rejected", "rejected too")
}

func TestGroupsOfWhichAMemberFindsNoRoomAtAll(t *testing.T) {
	c := newCluster(t, 5)
	c.tryMember(c.member("g", "small", 1), "", "n0")
	c.tryMember(c.member("g", "large", 6), "", "n0")
	c.tryMember(c.member("another", "other", 1), "", "n0")
	c.clock.Step(time.Minute)
	c.wantWoken("room for the small one", "other")
}

// An activation of a pod that is being tried does nothing for its group.
func TestGroupsThatAreBeingTried(t *testing.T) {
	c := newCluster(t, 1)
	later := 0
	c.retell = func() { later++ }
	c.tryMember(c.member("g", "p", 1), "", "n0")
	c.wantWoken("at once")
	if later == 0 {
		t.Error("no later round is asked for")
	}
	c.clock.Step(retellDelay)
	c.wantWoken("a moment later", "p")
}

// Members that have their place are the load model's business.
func TestMembersThatArePlaced(t *testing.T) {
	c := newCluster(t, 1)
	bound := c.member("g", "bound", 1)
	c.tryMember(bound, "n0")
	c.tryMember(c.member("g", "p", 1), "", "n0")
	c.clock.Step(time.Minute)
	c.wantWoken("room for one more", "p")
	if got := c.Len(); got != 2 {
		t.Errorf("%d pods are remembered, want both", got)
	}
	bound.Spec.NodeName = "n0"
	c.woken()
	if got := c.Len(); got != 1 {
		t.Errorf("%d pods are remembered, want the one that waits", got)
	}
}

func TestWishesOfMembers(t *testing.T) {
	c := newCluster(t, 0)
	c.tryMember(c.member("g", "a", 1), "", "n0")
	attempt, view := c.Begin(c.member("g", "b", 1), true)
	reject(attempt, &view, "n0")
	attempt.Wish()
	c.polls++
	c.clock.Step(time.Minute)
	if got := c.woken(); !slices.Contains(got, "b") {
		t.Errorf("woken: %v, want the one whose wish is granted", got)
	}
}
