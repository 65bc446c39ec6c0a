package load

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	testingclock "k8s.io/utils/clock/testing"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/line"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/estimate"
)

// hazards are what may happen in a world, beside pods that come, start and go.
type hazards struct {
	reads     bool  // single pods are read
	crashes   bool  // containers fail and are started again
	inits     bool  // pods have init containers, and containers that do their work and end
	resizes   int   // pods are resized so often: upwards, and then also downwards
	heaps     bool  // memory is in use only once a container has warmed up
	late      int   // statuses and deletions are seen up to so many seconds late
	lost      bool  // statuses are not seen if another follows
	samples   bool  // samples are lost, late, repeated and out of order
	readings  bool  // readings of single pods are lost
	recreated bool  // pods are made again under their name, on another node
	replaced  bool  // nodes go, and come back under their name
	rebooted  bool  // nodes are replaced while their pods stay, and run again
	ahead     []int // by how many seconds clocks of nodes may be ahead
	jumps     bool  // and they are set to another of these
}

// told is something that the API server tells of a pod, at a second.
type told struct {
	due     int
	pod     *truePod
	object  *v1.Pod
	gone    bool
	version int
	asks    int64
}

// knowledge is what the model has been told of a pod, as the world keeps it.
type knowledge struct {
	present bool // reserved, or seen to be bound, and not to be gone
	bound   bool // seen to be
	// changed counts what truly happened to it, version what was told of that.
	changed, version int
	// asks is what its containers ask for, and resized the second in which it was
	// told that this is more; read, that it was read since with all of it warmed up.
	asks    int64
	resized int
	read    bool
	// largest is the most that it may ever have been expected to use.
	largest int64
	resizes int // so far
	// rebooted: of what has happened to it, it was told only that its node booted.
	rebooted bool
}

// upToDate reports whether the model was told all that happened to the pod.
func (k *knowledge) upToDate() bool { return k.version == k.changed || k.rebooted }

// world is a cluster, a model that is told of it, and what the model was told.
type world struct {
	*Model
	t       *testing.T
	random  *rand.Rand
	hazards hazards
	clock   *testingclock.FakeClock
	second  int
	count   int // of pods so far
	nodes   map[string]*trueNode
	pods    map[string]*truePod // by name, the present one
	known   map[*truePod]*knowledge
	byUID   map[types.UID]*truePod
	queue   map[string][]told // by name: what is told of a name comes in order
	views   []keptView
}

// keptView is a view and what it showed when it was taken.
type keptView struct {
	view  View
	nodes map[string]Node
}

func newWorld(t *testing.T, seed uint64, h hazards) *world {
	w := &world{
		t: t, random: rand.New(rand.NewPCG(seed, 1)), hazards: h, clock: testingclock.NewFakeClock(epoch),
		nodes: map[string]*trueNode{}, pods: map[string]*truePod{}, known: map[*truePod]*knowledge{},
		byUID: map[types.UID]*truePod{}, queue: map[string][]told{},
	}
	cfg := Config{
		Interval: window, Timeout: time.Minute, Expiration: expiration, Window: 5 * time.Minute, WarmUp: warmUp, Clock: w.clock,
		// Of a pod that was resized, or whose containers' ends are seen after it was read, the
		// model learns what its bounds do not know; so it may from a reading near a time in
		// which a clock was set.
		Learn:     h.resizes == 0 && h.late == 0 && !h.crashes && !h.jumps,
		Estimator: estimate.Estimator{Factors: [amount.NumResources]int64{100, 100}},
	}
	var source Source = worldSource{w}
	if h.reads {
		source = worldPodSource{worldSource{w}}
	}
	w.Model = NewModel(cfg, source)
	for i := range 3 {
		w.addNode(fmt.Sprint("n", i))
	}
	return w
}

func (w *world) addNode(name string) {
	ahead := 0
	if len(w.hazards.ahead) > 0 {
		ahead = w.hazards.ahead[w.random.IntN(len(w.hazards.ahead))]
	}
	w.nodes[name] = &trueNode{name: name, base: 600, born: w.second, ahead: ahead, offset: w.random.IntN(windowSeconds), pods: map[types.UID]*truePod{}}
	w.SetNode(name, amount.Vector{1 << 20, 1 << 20}, line.Own{})
}

// worldSource answers as metrics-server does: with the newest scrape of each node.
type worldSource struct{ w *world }

func (s worldSource) Poll(context.Context) (readings []Reading, err error) {
	for _, name := range slices.Sorted(maps.Keys(s.w.nodes)) {
		scrapes := s.w.nodes[name].scrapes
		if len(scrapes) == 0 {
			continue
		}
		newest := scrapes[len(scrapes)-1]
		if s.w.hazards.samples {
			switch s.w.random.IntN(6) {
			case 0:
				continue
			case 1:
				newest = scrapes[max(0, len(scrapes)-1-s.w.random.IntN(3))]
			}
		}
		readings = append(readings, newest.reading(name, newest.usage))
	}
	return readings, nil
}

func (s *scrape) reading(node string, usage amount.Vector) Reading {
	return Reading{Node: node, Timestamp: s.timestamp, Window: window, Usage: [amount.NumResources]float64{
		amount.CPU.InUnits(usage[amount.CPU]), amount.Memory.InUnits(usage[amount.Memory]),
	}}
}

// worldPodSource also reads single pods: by name, of which metrics-server has what
// it scraped last.
type worldPodSource struct{ worldSource }

func (s worldPodSource) PollPods(_ context.Context, names []types.NamespacedName) (readings []PodReading, err error) {
	for _, name := range names {
		if s.w.hazards.readings && s.w.random.IntN(4) == 0 {
			continue
		}
		if newest := s.w.newestOf(name.Name); newest != nil {
			uid := newest.byName[name.Name]
			readings = append(readings, PodReading{Pod: name, Reading: newest.reading("", newest.parts[uid])})
			s.w.noteReading(s.w.byUID[uid], newest)
		}
	}
	return readings, nil
}

// newestOf returns the newest scrape that a pod of the name is in, nil if none is.
func (w *world) newestOf(name string) (newest *scrape) {
	for _, n := range w.nodes {
		if last := len(n.scrapes) - 1; last >= 0 && n.scrapes[last].byName[name] != "" && (newest == nil || n.scrapes[last].end > newest.end) {
			newest = n.scrapes[last]
		}
	}
	return newest
}

// noteReading notes whether the reading shows all of the pod, and the model can tell.
func (w *world) noteReading(p *truePod, s *scrape) {
	k := w.known[p]
	if k.present && k.upToDate() && w.pods[p.name] == p && p.warmAt(s.start()) && s.start() >= k.resized+warmUpSeconds {
		k.read = true
	}
}

// change has something happen to the pod, and be told.
func (w *world) change(p *truePod, what func()) {
	what()
	k := w.known[p]
	k.changed++
	_, asks := p.expected()
	k.largest = max(k.largest, p.most())
	w.tell(told{pod: p, object: p.object(), version: k.changed, asks: asks, gone: p.hasSucceeded()})
	if p.hasSucceeded() {
		w.drop(p)
	}
}

// tell has the model be told, now or later, after what is to be told of the same name.
func (w *world) tell(what told) {
	queue := w.queue[what.pod.name]
	if last := len(queue) - 1; w.hazards.lost && last >= 0 && queue[last].pod == what.pod && w.random.IntN(3) == 0 {
		queue = queue[:last]
	}
	what.due = w.second
	if w.hazards.late > 0 {
		what.due += w.random.IntN(w.hazards.late + 1)
	}
	if last := len(queue) - 1; last >= 0 {
		what.due = max(what.due, queue[last].due)
	}
	w.queue[what.pod.name] = append(queue, what)
}

// deliver tells the model what is due.
func (w *world) deliver() {
	for _, name := range slices.Sorted(maps.Keys(w.queue)) {
		for len(w.queue[name]) > 0 && w.queue[name][0].due <= w.second {
			next := w.queue[name][0]
			if w.queue[name] = w.queue[name][1:]; len(w.queue[name]) == 0 {
				delete(w.queue, name)
			}
			w.hear(next)
			w.check("told of " + name)
		}
	}
}

func (w *world) hear(what told) {
	k := w.known[what.pod]
	if what.gone {
		w.hearGone(what)
		k.present = false
		return
	}
	w.SetPod(what.object)
	if w.hazards.late > 0 && w.random.IntN(4) == 0 {
		w.SetPod(what.object) // repeated
	}
	if what.asks != k.asks && k.bound {
		k.read = false
		if what.asks > k.asks {
			k.resized = w.second
		}
	}
	k.present, k.bound, k.version, k.asks, k.rebooted = true, true, what.version, what.asks, false
}

// hearGone tells the model that a pod is gone. What a trial has promised is what
// happens.
func (w *world) hearGone(what told) {
	node := what.pod.node.name
	trial := w.Try(node)
	var promised [NumStatistics]amount.Vector
	known := w.Model.pods.find(what.object)
	exact := trial != nil && known != nil && known.usedUntil(what.object, w.clock.Now()).Equal(trial.now)
	if exact {
		clone := trial.Clone()
		clone.Remove(what.object)
		for s := range promised {
			promised[s] = clone.Predicted(Statistic(s))
		}
		if clone.Restore(what.object); clone.Predicted(Average) != trial.Predicted(Average) {
			w.t.Fatalf("second %d: restored, a trial predicts %v, want %v", w.second, clone.Predicted(Average), trial.Predicted(Average))
		}
	}
	if what.object.Status.Phase == v1.PodSucceeded {
		w.SetPod(what.object)
	} else {
		w.RemovePod(what.object)
	}
	if view := w.View(); exact && view.Node(node).Predicted != promised {
		w.t.Fatalf("second %d: without %s %v is predicted, a trial has promised %v", w.second, what.pod.name, view.Node(node).Predicted, promised)
	}
}

// pass has seconds pass, in which nodes are scraped and the source is polled.
func (w *world) pass(seconds int) {
	for range seconds {
		w.second++
		w.clock.Step(time.Second)
		for _, n := range w.nodes {
			n.scrape(w.second)
		}
		w.deliver()
		if w.second%windowSeconds == 0 {
			w.Poll(w.t.Context())
			w.check("polled")
		}
	}
}

// stamp returns what the clock of the pod's node shows.
func (w *world) stamp(p *truePod) metav1.Time { return metav1.NewTime(p.node.stamp(w.second)) }

// stop has the present run of a container end.
func (w *world) stop(p *truePod, c *trueContainer) {
	if run := c.running(); run != nil {
		run.to, run.untilStamp = w.second, w.stamp(p)
	}
}

// drop has the pod be gone from its node.
func (w *world) drop(p *truePod) {
	for _, c := range p.containers {
		w.stop(p, c)
	}
	p.gone = true
	delete(w.pods, p.name)
}
