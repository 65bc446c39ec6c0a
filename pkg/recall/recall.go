// Package recall keeps what was found out about nodes for pods of one shape, so that it
// need not be found out anew for the next pod of that shape, of nodes that have not
// changed since. Most have not when many pods are made at once.
//
// It knows no pods: who asks says what shape a pod has, which is all that the findings depend
// on besides the node.
package recall

import (
	"math"
	"sync"

	fwk "k8s.io/kube-scheduler/framework"

	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

// Version is that of a node: findings about a node hold for as long as it is the same. The
// zero value is of none: nothing is recalled of it.
type Version struct {
	// Generation is that of the scheduler's NodeInfo, from 1; 0 is not known.
	Generation int64
	// Record is that of the load model's record.
	Record uint32
}

// VersionOf returns the version of the node of which these are the scheduler's record and the
// load model's, which may be nil. It is zero without a fresh sample: what is found out
// then changes with time.
func VersionOf(view *load.View, nodeInfo fwk.NodeInfo, node *load.Node) Version {
	if view.State(node) != load.Fresh {
		return Version{}
	}
	return Version{Generation: nodeInfo.GetGeneration(), Record: node.Version}
}

// Sheet has what was found out about each node, by its slot, for one shape. Nil has
// nothing, and keeps nothing. A slot must not be used by two goroutines at once.
type Sheet[V any] []entry[V]

type entry[V any] struct {
	generation int64 // the fields of a Version, which take less beside a small finding
	record     uint32
	finding    V
}

// At returns what was found out about this version of the node in the slot, and whether
// anything was.
func (s Sheet[V]) At(slot int, version Version) (finding V, known bool) {
	if slot >= len(s) || version.Generation == 0 {
		return finding, false
	}
	e := &s[slot]
	if e.generation != version.Generation || e.record != version.Record {
		return finding, false
	}
	return e.finding, true
}

// Keep keeps what was found out.
func (s Sheet[V]) Keep(slot int, version Version, finding V) {
	if slot < len(s) {
		s[slot] = entry[V]{version.Generation, version.Record, finding}
	}
}

const (
	// maxShapes is how many shapes are remembered.
	maxShapes = 64
	// maxEntries bounds the memory of all sheets: for 5,000 nodes there are 52 sheets, for
	// 15,000 there are 17, of 4 to 6 MiB together.
	maxEntries = 1 << 18
)

// Sheets are those of the shapes that were asked for lately. The zero value has none.
// Its methods may be called concurrently; two callers at once must not ask for the same
// shape, as they would get the same sheet.
type Sheets[K comparable, V any] struct {
	mu     sync.Mutex
	shapes map[K]*shape[V]
	asked  uint64 // how often anybody has
	sheets int    // how many there are
}

type shape[V any] struct {
	asked uint64   // when, by Sheets.asked
	sheet Sheet[V] // nil if it was asked for once only
}

// Of returns the sheet of the shape, for as many slots. It is nil for a shape that was not
// asked for lately: where no two pods are alike nothing is kept.
func (s *Sheets[K, V]) Of(key K, slots int) Sheet[V] {
	if same := key; key != same {
		return nil // it has a NaN, with which it would never be found again, nor be forgotten
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	of := s.shapes[key]
	if of == nil {
		s.remember(key)
		return nil
	}
	of.asked = s.asked
	if len(of.sheet) >= slots {
		return of.sheet
	}
	if of.sheet == nil {
		s.sheets++
	}
	of.sheet = nil
	for s.sheets > 1 && s.sheets*slots > maxEntries {
		if spare := s.drop(of); len(spare) >= slots {
			clear(spare)
			of.sheet = spare
		}
	}
	if of.sheet == nil {
		of.sheet = make(Sheet[V], slots)
	}
	return of.sheet
}

// remember has the next one who asks for the shape get a sheet.
func (s *Sheets[K, V]) remember(key K) {
	if s.shapes == nil {
		s.shapes = map[K]*shape[V]{}
	}
	if len(s.shapes) >= maxShapes {
		oldest := s.oldest(func(*shape[V]) bool { return true })
		if s.shapes[oldest].sheet != nil {
			s.sheets--
		}
		delete(s.shapes, oldest)
	}
	s.shapes[key] = &shape[V]{asked: s.asked}
}

// drop takes the sheet from the shape that has one and was asked for the longest time ago,
// but not from this one.
func (s *Sheets[K, V]) drop(but *shape[V]) Sheet[V] {
	of := s.shapes[s.oldest(func(of *shape[V]) bool { return of != but && of.sheet != nil })]
	spare := of.sheet
	of.sheet = nil
	s.sheets--
	return spare
}

// oldest returns the key of the shape that was asked for the longest time ago, of those
// that are eligible.
func (s *Sheets[K, V]) oldest(eligible func(*shape[V]) bool) (key K) {
	asked := uint64(math.MaxUint64)
	for k, of := range s.shapes {
		if of.asked < asked && eligible(of) {
			key, asked = k, of.asked
		}
	}
	return key
}
