package warning_test

import (
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
