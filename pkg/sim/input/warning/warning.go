// Package warning keeps what was odd about the input and was read all the same: what
// is wrong, where, and what was done about it.
package warning

import (
	"fmt"
	"io"
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
	g := l.group(kind)
	g.count++
	if len(g.first) < told {
		g.first = append(g.first, where+": "+fmt.Sprintf(format, args...))
	}
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
