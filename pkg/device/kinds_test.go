package device

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	st "k8s.io/kubernetes/pkg/scheduler/testing"
	"k8s.io/utils/clock"
	testingclock "k8s.io/utils/clock/testing"
)

func newClock() *testingclock.FakePassiveClock {
	return testingclock.NewFakePassiveClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
}

// nodeWith returns a node with these resources, all of them allocatable.
func nodeWith(name string, has resources) *v1.Node {
	return st.MakeNode().Name(name).Capacity(has).Obj()
}

// moment is what a node has of resources from a time on.
type moment struct {
	at                    time.Time
	capacity, allocatable map[v1.ResourceName]int64
}

// life is what a node had since it joined.
type life struct {
	uid     types.UID
	tainted bool
	moments []moment
}

// expected is what Kinds computes as they go, by its definition.
func (l *life) expected(name v1.ResourceName, now time.Time) int64 {
	last := l.moments[len(l.moments)-1]
	most := last.allocatable[name]
	var capacity int64
	for i, m := range l.moments {
		if m.capacity[name] > capacity && now.Before(m.at.Add(awayFor)) {
			most = max(most, m.capacity[name])
		}
		capacity = m.capacity[name]
		if i+1 < len(l.moments) && now.Before(l.moments[i+1].at.Add(awayFor)) {
			most = max(most, m.allocatable[name])
		}
	}
	return most
}

func (l *life) node(name string) *v1.Node {
	node := st.MakeNode().Name(name).UID(string(l.uid)).Obj()
	if l.tainted {
		node.Spec.Taints = []v1.Taint{{Key: "node-role.kubernetes.io/control-plane", Effect: v1.TaintEffectNoSchedule}}
	}
	last := l.moments[len(l.moments)-1]
	node.Status.Capacity, node.Status.Allocatable = listOf(last.capacity), listOf(last.allocatable)
	return node
}

func listOf(units map[v1.ResourceName]int64) v1.ResourceList {
	list := v1.ResourceList{v1.ResourceCPU: resource.MustParse("8")}
	for name, n := range units {
		list[name] = *resource.NewQuantity(n, resource.DecimalSI)
	}
	return list
}

// model is what a Kinds has to find, computed anew each time from all that was.
type model struct {
	lives   map[string]*life
	surplus map[v1.ResourceName]surplus
}

// numbers returns the numbers of the resource, and how many nodes have it, and
// offer it.
func (m *model) numbers(name v1.ResourceName, now time.Time) (n numbers, nodes, offering int) {
	for _, l := range m.lives {
		units := l.expected(name, now)
		if !l.tainted {
			n.of++
		}
		if units > 0 {
			nodes++
			if !l.tainted {
				n.nodes++
			}
		}
		if l.moments[len(l.moments)-1].allocatable[name] > 0 {
			offering++
		}
		n.most = max(n.most, units)
	}
	return n, nodes, offering
}

// resources returns what each of the resources is taken for.
func (m *model) resources(names []v1.ResourceName, by *names, now time.Time) (all []Resource, offered []v1.ResourceName) {
	for _, name := range names {
		n, nodes, offering := m.numbers(name, now)
		if nodes == 0 {
			delete(m.surplus, name)
			continue
		}
		m.surplus[name] = n.surplus(m.surplus[name])
		standing := by.of(name)
		verdict := standing.verdict(m.surplus[name])
		all = append(all, Resource{Name: name, Verdict: verdict, Reason: standing.reason(n, m.surplus[name]), Nodes: nodes, Most: n.most})
		if verdict == Device && offering > 0 {
			offered = append(offered, name)
		}
	}
	return all, offered
}

// Whatever nodes have come, changed and gone, what a Kinds says is what follows
// from all that was.
func TestKindsAreWhatFollowsFromWhatWas(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	names := []v1.ResourceName{"acme.com/few", "acme.com/many", gpu, "squat.ai/fuse", "virt.example.com/a"}
	seen := map[Verdict]int{}
	for round := range 30 {
		now := newClock()
		kinds := NewKinds(newMatcher(t, "*", "!virt.example.com/*"), now)
		m := &model{lives: map[string]*life{}, surplus: map[v1.ResourceName]surplus{}}
		for step := range 200 {
			now.SetTime(now.Now().Add(time.Duration(random.IntN(int(4 * time.Minute)))))
			name := strconv.Itoa(random.IntN(6))
			if l := m.lives[name]; random.IntN(6) == 0 {
				kinds.Remove(name)
				delete(m.lives, name)
			} else {
				if l == nil || random.IntN(20) == 0 { // also one that was recreated
					l = &life{uid: types.UID(fmt.Sprint(name, step)), tainted: random.IntN(6) == 0}
					m.lives[name] = l
				}
				l.moments = append(l.moments, randomMoment(random, now.Now(), names))
				kinds.Set(l.node(name))
			}
			want, offered := m.resources(names, kinds.latest.Load().names, now.Now())
			got := kinds.Resources()
			if !slices.Equal(got, want) {
				t.Fatalf("round %d, step %d: %+v, want %+v", round, step, got, want)
			}
			if got := kinds.latest.Load().offered; !slices.Equal(got, offered) {
				t.Fatalf("round %d, step %d: devices that are offered %v, want %v", round, step, got, offered)
			}
			for _, r := range got {
				seen[r.Verdict]++
			}
			for node, l := range m.lives {
				checkStocks(t, kinds, l, node, names, now.Now())
			}
		}
		for name := range m.lives {
			kinds.Remove(name)
		}
		if p := kinds.latest.Load(); len(kinds.nodes)+len(kinds.resources)+kinds.ordinary != 0 || len(p.offered)+len(p.resources)+len(p.away) != 0 || !p.until.IsZero() {
			t.Errorf("all nodes are gone, and still known are %v, %v and %+v", kinds.nodes, kinds.resources, p)
		}
	}
	if len(seen) != 3 || seen[Counter] < 1000 || seen[Device] < 1000 {
		t.Errorf("verdicts %v: the test says nothing of those that are few", seen)
	}
}

func randomMoment(random *rand.Rand, at time.Time, names []v1.ResourceName) moment {
	m := moment{at: at, capacity: map[v1.ResourceName]int64{}, allocatable: map[v1.ResourceName]int64{}}
	for _, name := range names {
		if random.IntN(6) == 0 {
			continue
		}
		most := 8
		if name == "acme.com/many" {
			most = 20
		}
		m.capacity[name] = int64(random.IntN(most))
		m.allocatable[name] = m.capacity[name]
		if random.IntN(2) == 0 {
			m.allocatable[name] = int64(random.IntN(int(m.capacity[name]) + 1))
		}
	}
	return m
}

// checkStocks checks what the node has by views with and without what is away.
func checkStocks(t *testing.T, kinds *Kinds, l *life, name string, names []v1.ResourceName, now time.Time) {
	t.Helper()
	info := framework.NewNodeInfo()
	info.SetNode(l.node(name))
	p := kinds.current()
	present, withAway, more := map[v1.ResourceName]int64{}, map[v1.ResourceName]int64{}, int64(0)
	for _, resource := range names {
		if !p.isDevice(resource) {
			continue
		}
		allocatable, expected := l.moments[len(l.moments)-1].allocatable[resource], l.expected(resource, now)
		if allocatable > 0 {
			present[resource] = allocatable
		}
		if expected > 0 {
			withAway[resource] = expected
		}
		more += expected - allocatable
	}
	byName := func(stocks []Stock) map[v1.ResourceName]int64 {
		units := map[v1.ResourceName]int64{}
		for _, stock := range stocks {
			units[stock.Name] += stock.Allocatable
		}
		return units
	}
	stocks := p.appendStocks(nil, info)
	if got := byName(stocks); !maps.Equal(got, present) {
		t.Fatalf("node %s: %v, want %v", name, got, present)
	}
	if got := byName(p.appendAway(stocks, 0, info)); !maps.Equal(got, withAway) {
		t.Fatalf("node %s with what is away: %v, want %v", name, got, withAway)
	}
	if got := p.awayFrom(name); got != more {
		t.Fatalf("node %s: %d away, want %d", name, got, more)
	}
}

// None of a resource is the resource being absent, as on nodes whose kubelet
// still reports one that has no device plugin any more.
func TestKindsOfWhichThereIsNoneAreNotOffered(t *testing.T) {
	kinds := NewKinds(newMatcher(t, "*"), clock.RealClock{})
	set := func(node, quantity string) { kinds.Set(nodeWith(node, resources{gpu: quantity})) }
	expect := func(when string, want bool) {
		t.Helper()
		if got := kinds.latest.Load().offers(gpu); got != want {
			t.Errorf("%s: offered is %v, want %v", when, got, want)
		}
	}
	expect("no node", false)
	for _, none := range []string{"0", "0Mi", "-1"} {
		set("old", none)
		expect("one node with "+none, false)
	}
	if got := kinds.Resources(); len(got) != 0 {
		t.Errorf("no node has a resource, and these are known: %v", got)
	}
	set("a", "8")
	set("b", "1")
	expect("two of three nodes", true)
	set("a", "0")
	expect("one of three nodes", true)
	set("b", "0")
	expect("no node any more", false)
	set("b", "2")
	expect("one of three nodes again", true)
}

// Amounts that make no sense count as the scheduler counts them, or as the most
// there can be; none of them is none.
func TestAbsurdAmounts(t *testing.T) {
	for quantity, want := range map[string]int64{
		"500m": 1, "1500m": 2, "1n": 1, "1e30": 1<<63 - 1, "9223372036854775807": 1<<63 - 1, "8Ei": 1<<63 - 1, "-5": 0, "0": 0,
	} {
		kinds := NewKinds(newMatcher(t, "*"), newClock())
		kinds.Set(nodeWith("n", resources{"acme.com/accel": quantity, gpu: quantity}))
		got := kinds.Resources()
		switch {
		case want == 0:
			if len(got) != 0 {
				t.Errorf("%s: %v, want none", quantity, got)
			}
		case len(got) != 2 || got[0].Most != want:
			t.Errorf("%s: %v, want %d units", quantity, got, want)
		}
		kinds.Set(nodeWith("n", nil)) // all away
		if sum := kinds.current().awayFrom("n"); sum < want || sum < 0 {
			t.Errorf("%s: %d away", quantity, sum)
		}
	}
}

func sortedByName(stocks []Stock) []Stock {
	slices.SortFunc(stocks, func(a, b Stock) int { return strings.Compare(string(a.Name), string(b.Name)) })
	return stocks
}
