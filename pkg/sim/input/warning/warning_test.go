package warning_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input/warning"
)

func TestManyOfAKindAreSummedUp(t *testing.T) {
	var l warning.List
	if lines := l.Lines(); len(lines) > 0 {
		t.Errorf("an empty list has the lines %q", lines)
	}
	for _, where := range []string{"f:1", "f:2", "f:3"} {
		l.Add("red things are left out", where, "%s is red", "it")
	}
	l.Add("blue things are left out", "g:1", "it is blue")
	want := []string{"f:1: it is red", "f:2: it is red", "f:3: it is red", "g:1: it is blue"}
	if got := l.Lines(); !slices.Equal(got, want) {
		t.Errorf("the lines are %q, want %q", got, want)
	}
	l.Add("red things are left out", "f:4", "it is red")
	l.Add("red things are left out", "f:5", "it is red")
	want = slices.Insert(want, 3, "and 2 more: red things are left out")
	if got := l.Lines(); !slices.Equal(got, want) {
		t.Errorf("the lines are %q, want %q", got, want)
	}
	var printed strings.Builder
	l.Print(&printed)
	if want := "warning: " + strings.Join(want, "\nwarning: ") + "\n"; printed.String() != want {
		t.Errorf("printed is %q, want %q", printed.String(), want)
	}
}

func TestWhatIsLeftOutIsToldOnce(t *testing.T) {
	var l, left warning.List
	l.Add("red things are left out", "f:1", "it is red")
	l.Add("red things are left out", "f:2", "it is red")
	for _, where := range []string{"g:1", "g:2"} {
		left.AddError("red things are left out", errors.New(where+": it is red"), "it is left out")
	}
	left.Add("blue things are left out", "g:3", "it is blue")

	before, nothing := l.Lines(), errors.New("g: nothing is left")
	err := l.Settle(&left, nothing)
	if want := "g: nothing is left\n  g:1: it is red; it is left out\n  g:2: it is red; it is left out\n  g:3: it is blue"; !errors.Is(err, nothing) || err.Error() != want {
		t.Errorf("the error is %q, want %q", err, want)
	}
	if !slices.Equal(l.Lines(), before) {
		t.Errorf("what the error says is a warning, too: %q", l.Lines())
	}
	if err := l.Settle(&warning.List{}, nothing); err == nil || err.Error() != nothing.Error() {
		t.Errorf("the error of nothing that was left out is %v", err)
	}

	if err := l.Settle(&left, nil); err != nil {
		t.Error(err)
	}
	want := append(slices.Clone(before), "g:1: it is red; it is left out", "and 1 more: red things are left out", "g:3: it is blue")
	if got := l.Lines(); !slices.Equal(got, want) {
		t.Errorf("the lines are %q, want %q", got, want)
	}
	for kind, want := range map[warning.Kind]int{"red things are left out": 4, "blue things are left out": 1, "green things are left out": 0} {
		if got := l.Count(kind); got != want {
			t.Errorf("there are %d warnings that %s, want %d", got, kind, want)
		}
	}
}
