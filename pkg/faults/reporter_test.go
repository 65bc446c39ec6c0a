package faults

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// said returns a reporter, and what it has reported, in order of the text: a
// standby has no order of its own.
func said() (*Reporter, func() []string) {
	var mu sync.Mutex
	var reports []string
	r := NewReporter(func(f Fault) {
		mu.Lock()
		defer mu.Unlock()
		reports = append(reports, fmt.Sprintf("%s %s: %s", f.Object.(metav1.Object).GetName(), f.Reason, f.Message))
	})
	return r, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Sorted(slices.Values(reports))
	}
}

func pod(uid, version string) *v1.Pod {
	return &v1.Pod{ObjectMeta: metav1.ObjectMeta{Name: uid, UID: types.UID(uid), ResourceVersion: version}}
}

func TestTheLeaderReportsAtOnce(t *testing.T) {
	r, reports := said()
	r.Lead()
	r.Report(pod("p", "1"), "Wrong", "this is wrong")
	if got := reports(); !slices.Equal(got, []string{"p Wrong: this is wrong"}) {
		t.Errorf("%q", got)
	}
}

// A standby replica reports nothing until it leads, and then each fault once,
// however often and in whichever version of the object it was seen.
func TestAStandbyReportsOnceItLeads(t *testing.T) {
	r, reports := said()
	for version := range 3 {
		r.Report(pod("p", fmt.Sprint(version)), "Wrong", "this is wrong")
		r.Report(pod("p", fmt.Sprint(version)), "Wrong", "that is wrong as well")
		r.Report(pod("p", fmt.Sprint(version)), "Odd", "this is wrong")
	}
	r.Report(pod("q", "1"), "Wrong", "this is wrong")
	if got := reports(); len(got) != 0 {
		t.Fatalf("a standby reports %q", got)
	}
	r.Lead()
	want := []string{"p Odd: this is wrong", "p Wrong: that is wrong as well", "p Wrong: this is wrong", "q Wrong: this is wrong"}
	if got := reports(); !slices.Equal(got, want) {
		t.Fatalf("%q, want %q", got, want)
	}
	if r.Lead(); len(reports()) != len(want) {
		t.Errorf("reported again when it leads on: %q", reports())
	}
}

// What reports may know no more of an object than its name: it is the same object each
// time, and not another of that name in another namespace, or of another kind.
func TestAnObjectWithoutAUIDIsKnownByItsName(t *testing.T) {
	r, reports := said()
	named := metav1.ObjectMeta{Name: "n"}
	elsewhere := metav1.ObjectMeta{Name: "n", Namespace: "elsewhere"}
	for range 20 {
		r.Report(&v1.Node{ObjectMeta: named}, "ClockSkew", "the clock is off")
		r.Report(&v1.Pod{ObjectMeta: named}, "ClockSkew", "the clock is off")
		r.Report(&v1.Pod{ObjectMeta: elsewhere}, "ClockSkew", "the clock is off")
	}
	if r.Lead(); len(reports()) != 3 {
		t.Errorf("%q, want one of the node and of each pod", reports())
	}
}

func TestTheObjectIsTheNewestThatWasSeen(t *testing.T) {
	var got []string
	r := NewReporter(func(f Fault) { got = append(got, f.Object.(*v1.Pod).ResourceVersion) })
	r.Report(pod("p", "1"), "Wrong", "")
	r.Report(pod("p", "2"), "Wrong", "")
	if r.Lead(); !slices.Equal(got, []string{"2"}) {
		t.Errorf("versions %q", got)
	}
}

// What a standby keeps is bounded, whatever goes wrong in the cluster.
func TestWhatAStandbyKeepsIsBounded(t *testing.T) {
	r, reports := said()
	for i := range 2 * limit {
		r.Report(pod(fmt.Sprint("p", i), "1"), "Wrong", "")
	}
	if r.Lead(); len(reports()) != limit {
		t.Errorf("%d reports, want %d", len(reports()), limit)
	}
	if r.kept != nil {
		t.Error("a leader keeps what it has reported")
	}
}

// Whoever reports while the replica begins to lead is heard once.
func TestNothingIsLostWhenItBeginsToLead(t *testing.T) {
	r, reports := said()
	var group sync.WaitGroup
	const each = 100
	for g := range 4 {
		group.Go(func() {
			for i := range each {
				r.Report(pod(fmt.Sprint(g, "-", i), "1"), "Wrong", "")
			}
		})
	}
	group.Go(r.Lead)
	group.Wait()
	if got := slices.Compact(reports()); len(got) != 4*each || len(reports()) != 4*each {
		t.Errorf("%d reports of %d faults, want %d", len(reports()), len(got), 4*each)
	}
}

// What reports may report in turn.
func TestAReportMayLeadToAnother(t *testing.T) {
	var r *Reporter
	count := 0
	r = NewReporter(func(Fault) {
		if count++; count < 3 {
			r.Report(pod("p", "1"), "Wrong", "")
		}
	})
	r.Report(pod("p", "1"), "Wrong", "")
	if r.Lead(); count != 3 {
		t.Errorf("%d reports, want 3", count)
	}
}
