// Package warning keeps what was odd about the input and was read all the same: what
// is wrong, where, and what was done about it.
package warning

import (
	"fmt"
	"io"
	"strings"
)

// Kind is what warnings have in common of which only the first are told: what is
// odd, in the plural, such as "pods on nodes that are not there".
type Kind string

// told is how many warnings of a kind are told one by one.
const told = 3

// List keeps warnings. The zero List has none.
type List struct {
	kinds []*group // in the order of their first warnings
}

type group struct {
	kind  Kind
	first []string
	count int
}

// Add adds a warning: where something is odd (FILE:LINE or a file and an object), what
// is odd, and what was done about it.
func (l *List) Add(kind Kind, where, format string, args ...any) {
	l.group(kind).add(1, where+": "+fmt.Sprintf(format, args...))
}

// AddError adds a warning about what err says, which begins with where it is. Done is
// what was done about it.
func (l *List) AddError(kind Kind, err error, done string) {
	l.group(kind).add(1, err.Error()+"; "+done)
}

// Settle adds what was left out of an input. If too little of it is left, which err
// says, the warnings become part of that error instead: they are why.
func (l *List) Settle(left *List, err error) error {
	if err != nil {
		return fmt.Errorf("%w%s", err, strings.Join(append([]string{""}, left.Lines()...), "\n  "))
	}
	for _, g := range left.kinds {
		l.group(g.kind).add(g.count, g.first...)
	}
	return nil
}

// Count returns how many warnings of the kind there are.
func (l *List) Count(kind Kind) int {
	for _, g := range l.kinds {
		if g.kind == kind {
			return g.count
		}
	}
	return 0
}

// add adds a number of warnings, of which these are the first.
func (g *group) add(count int, first ...string) {
	g.count += count
	g.first = append(g.first, first[:min(len(first), told-len(g.first))]...)
}

func (l *List) group(kind Kind) *group {
	for _, g := range l.kinds {
		if g.kind == kind {
			return g
		}
	}
	g := &group{kind: kind}
	l.kinds = append(l.kinds, g)
	return g
}

// Lines returns the warnings as lines of text: of each kind the first three, and how
// many more there are.
func (l *List) Lines() []string {
	var lines []string
	for _, g := range l.kinds {
		lines = append(lines, g.first...)
		if more := g.count - len(g.first); more > 0 {
			lines = append(lines, fmt.Sprintf("and %d more: %s", more, g.kind))
		}
	}
	return lines
}

// Print prints the lines.
func (l *List) Print(w io.Writer) {
	for _, line := range l.Lines() {
		fmt.Fprintln(w, "warning:", line)
	}
}
