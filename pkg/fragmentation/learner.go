package fragmentation

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/utils/clock"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
)

const (
	// halfLife is the age at which a pod counts half. Three days outlast a
	// weekend, and follow a cluster whose work changes.
	halfLife = 72 * time.Hour
	// maxShapes bounds the shapes of a kind in a mix, and with it the cost of a
	// score. The rarest are left out.
	maxShapes = 64
	// maxLearned bounds the shapes that are remembered.
	maxLearned = 512
	// rebuildEvery bounds how often the mix is made anew, and keepFor how long it is kept
	// although pods were seen. In between it is made anew when the pods that were seen
	// weigh more than the part negligible of it: with each new mix all that is known of
	// nodes by the one before is to be found out anew.
	rebuildEvery = time.Second
	keepFor      = 15 * time.Second
	negligible   = 0.02
	// stepGrowth is how far apart two pods' CPU or memory may be for them to be
	// of one shape.
	stepGrowth = 1.25
)

// Learner learns the mix from the pods that are created.
type Learner struct {
	clock clock.PassiveClock

	mu      sync.Mutex
	shapes  map[shapeKey]*learned
	largest map[v1.ResourceName]int64
	started time.Time // at which a weight of 1 is one pod
	mix     *Mix
	mixedAt time.Time
	changed bool
	// mixed is how much the pods in the mix weigh, and news those seen since.
	mixed, news float64
}

// shapeKey tells shapes apart: by their devices, and roughly by the rest.
type shapeKey struct {
	devices     string
	cpu, memory int16
}

// learned is the pods of one shape.
type learned struct {
	devices []device.Request
	// pods is how many there were, decayed, and the sums are over them.
	pods          float64
	requests, use [amount.NumResources]float64
}

// NewLearner returns a learner that has seen no pod: its mix is the default one.
func NewLearner(clock clock.PassiveClock) *Learner {
	l := &Learner{clock: clock, shapes: map[shapeKey]*learned{}, started: clock.Now()}
	l.mix = l.build()
	return l
}

// Observe takes in a pod that was created at the time and asks for devices.
func (l *Learner) Observe(devices []device.Request, requests, use amount.Vector, created time.Time) {
	if len(devices) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rebase()
	// Weights grow with time instead of all others shrinking. By a clock that is
	// ahead of ours, a pod counts as one of now.
	if now := l.clock.Now(); created.After(now) {
		created = now
	}
	weight := math.Exp2(created.Sub(l.started).Seconds() / halfLife.Seconds())
	if weight == 0 {
		return // many years old, or without a time
	}
	key := shapeKey{cpu: step(requests[amount.CPU]), memory: step(requests[amount.Memory]), devices: keyOf(devices)}
	shape, ok := l.shapes[key]
	if !ok {
		l.forgetRarest()
		shape = &learned{devices: devices}
		l.shapes[key] = shape
	}
	shape.pods += weight
	for r := range amount.NumResources {
		shape.requests[r] += weight * float64(requests[r])
		shape.use[r] += weight * float64(use[r])
	}
	l.changed = true
	l.news += weight
}

func keyOf(devices []device.Request) string {
	var key strings.Builder
	for _, d := range devices {
		key.WriteString(string(d.Name))
		key.WriteByte('=')
		key.WriteString(strconv.FormatInt(d.Count, 10))
		key.WriteByte(',')
	}
	return key.String()
}

func step(amount int64) int16 {
	if amount <= 0 {
		return -1
	}
	return int16(math.Round(math.Log(float64(amount)) / math.Log(stepGrowth)))
}

// rebase keeps weights within a float's range, after years.
func (l *Learner) rebase() {
	halfLives := l.clock.Since(l.started).Seconds() / halfLife.Seconds()
	if halfLives < 500 {
		return
	}
	scale := math.Exp2(-halfLives)
	for key, shape := range l.shapes {
		if shape.pods *= scale; shape.pods == 0 {
			delete(l.shapes, key)
		}
		for r := range amount.NumResources {
			shape.requests[r] *= scale
			shape.use[r] *= scale
		}
	}
	l.started = l.clock.Now()
}

func (l *Learner) forgetRarest() {
	if len(l.shapes) < maxLearned {
		return
	}
	var rarest shapeKey
	fewest := math.Inf(1)
	for key, shape := range l.shapes {
		if shape.pods < fewest || shape.pods == fewest && compareKeys(key, rarest) < 0 {
			rarest, fewest = key, shape.pods
		}
	}
	delete(l.shapes, rarest)
}

// Fit has the mix leave out the shapes that ask for more devices of a kind than
// any node has. They are of no use to tell nodes apart, and one absurd pod would
// outweigh all others. largest has the size of the largest node by kind; kinds
// that it does not have are not limited. It must not be changed any more.
func (l *Learner) Fit(largest map[v1.ResourceName]int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !maps.Equal(l.largest, largest) {
		l.largest, l.changed, l.news = largest, true, math.Inf(1)
	}
}

// Mix returns the mix of the pods that were seen up to about a second ago, or up to 15
// seconds ago where those since are few beside them.
func (l *Learner) Mix() *Mix {
	l.mu.Lock()
	defer l.mu.Unlock()
	age := l.clock.Since(l.mixedAt)
	if l.changed && (age >= keepFor || age >= rebuildEvery && l.news > negligible*l.mixed) {
		l.mix, l.mixedAt, l.changed = l.build(), l.clock.Now(), false
	}
	return l.mix
}

// build makes the mix of what was learned, and of the default one, which
// matters until enough pods were seen.
func (l *Learner) build() *Mix {
	now := math.Exp2(l.clock.Since(l.started).Seconds() / halfLife.Seconds())
	mix := &Mix{kinds: map[v1.ResourceName][]Shape{}, other: top(defaultShapes())}
	l.mixed, l.news = 0, 0
	for _, key := range slices.SortedFunc(maps.Keys(l.shapes), compareKeys) {
		learned := l.shapes[key]
		l.mixed += learned.pods
		for i, d := range learned.devices {
			// Demand is counted in devices: a pod with 8 of them is as much of it as
			// eight pods with one.
			shape := Shape{Count: d.Count, Weight: learned.pods / now * float64(d.Count)}
			shape.Others = slices.Delete(slices.Clone(learned.devices), i, i+1)
			for r := range amount.NumResources {
				shape.Requests[r] = int64(math.Round(learned.requests[r] / learned.pods))
				shape.Use[r] = int64(math.Round(learned.use[r] / learned.pods))
			}
			mix.kinds[d.Name] = append(mix.kinds[d.Name], shape)
		}
	}
	for kind := range l.largest {
		if _, learned := mix.kinds[kind]; !learned {
			mix.kinds[kind] = nil
		}
	}
	for kind, shapes := range mix.kinds {
		shapes = append(shapes, defaultShapes()...)
		if largest, limited := l.largest[kind]; limited {
			shapes = slices.DeleteFunc(shapes, func(s Shape) bool { return s.Count > largest })
		}
		mix.kinds[kind] = top(shapes)
	}
	return mix
}

func compareKeys(a, b shapeKey) int {
	return cmp.Or(cmp.Compare(a.devices, b.devices), cmp.Compare(a.cpu, b.cpu), cmp.Compare(a.memory, b.memory))
}

// defaultShapes are pods with 1, 2, 4 and 8 devices, which ask for little
// beside them; together they weigh as much as pods with 32 devices that were
// seen, a quarter each.
func defaultShapes() []Shape {
	var shapes []Shape
	for count := int64(1); count <= 8; count *= 2 {
		amounts := amount.Vector{amount.CPU: 1000 * count, amount.Memory: count << 30}
		shapes = append(shapes, Shape{Count: count, Requests: amounts, Use: amounts, Weight: 8})
	}
	return shapes
}

// top returns the shapes that weigh the most, with weights that add up to 1.
func top(shapes []Shape) []Shape {
	slices.SortStableFunc(shapes, func(a, b Shape) int { return cmp.Compare(b.Weight, a.Weight) })
	shapes = slices.Clip(shapes[:min(len(shapes), maxShapes)])
	total := 0.0
	for i := range shapes {
		total += shapes[i].Weight
	}
	for i := range shapes {
		shapes[i].Weight /= total
	}
	return shapes
}
