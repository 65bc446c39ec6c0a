package scenario

import (
	"fmt"
	"strings"
	"time"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
)

// printer takes what a block prints.
type printer struct {
	text []string
	// table is the form of the table that is being printed; empty if none is.
	table string
}

func (p *printer) String() string { return strings.Join(p.text, "\n") }

func (p *printer) line(format string, values ...any) {
	p.table = ""
	p.text = append(p.text, strings.TrimRight(fmt.Sprintf(format, values...), " "))
}

func (p *printer) lines(lines []string, otherwise string) {
	if len(lines) == 0 {
		lines = []string{otherwise}
	}
	for _, line := range lines {
		p.line("%s", line)
	}
}

// question is what is asked of a prediction.
type question struct {
	of         amount.Resource
	statistics bool // beside the newest sample
}

// questionOf reads it.
func questionOf(a *args) (q question) {
	if a.flag("memory") {
		q.of = amount.Memory
	}
	q.statistics = a.flag("statistics")
	return q
}

// prediction is a row of the table of predictions.
type prediction struct {
	at   time.Duration
	node string
	question
	known, sampled bool
	measured       int64
	predicted      [4]int64 // Latest, Average, P95, Peak
	deviation      int64
	used, toCome   int64 // truly
	note           string
}

// columns are the widths of the table's columns, and of those of statistics.
const (
	narrow = "%-8s %-6s %8s %9s %9s"
	wide   = " %9s %9s %9s %9s"
	truth  = " | %8s %8s"
)

func (p *printer) prediction(row *prediction) {
	form := narrow + truth
	if row.statistics {
		form = narrow + wide + truth
	}
	if p.table != form+unitOf(row.of) {
		header := []any{unitOf(row.of), "node", "measured", "in flight", "predicted"}
		if row.statistics {
			header = append(header, "average", "p95", "peak", "deviation")
		}
		p.line(form, append(header, "used now", "to come")...)
	}
	cells := []any{since(row.at), row.node}
	show := func(value int64, ok bool) {
		if !ok {
			cells = append(cells, "-")
			return
		}
		cells = append(cells, inUnits(row.of, value))
	}
	show(row.measured, row.sampled)
	show(row.predicted[0]-row.measured, row.known)
	show(row.predicted[0], row.known)
	if row.statistics {
		for _, value := range row.predicted[1:] {
			show(value, row.known)
		}
		show(row.deviation, row.sampled)
	}
	show(row.used, true)
	show(row.toCome, true)
	p.line(form+"  %s", append(cells, row.note)...)
	p.table = form + unitOf(row.of)
}

// spread is between what and what predictions were.
type spread struct {
	least, most prediction
	any         bool
}

// add takes in a prediction.
func (s *spread) add(row *prediction) {
	if !s.any {
		s.any, s.least, s.most = true, *row, *row
		return
	}
	s.most.at = row.at
	for _, of := range []func(*prediction) *int64{
		func(r *prediction) *int64 { return &r.measured }, func(r *prediction) *int64 { return &r.deviation },
		func(r *prediction) *int64 { return &r.used }, func(r *prediction) *int64 { return &r.toCome },
		func(r *prediction) *int64 { return &r.predicted[0] }, func(r *prediction) *int64 { return &r.predicted[1] },
		func(r *prediction) *int64 { return &r.predicted[2] }, func(r *prediction) *int64 { return &r.predicted[3] },
	} {
		*of(&s.least), *of(&s.most) = min(*of(&s.least), *of(row)), max(*of(&s.most), *of(row))
	}
}

func (p *printer) spread(s *spread, from time.Duration) {
	both := func(least, most int64) string {
		if least == most {
			return inUnits(s.least.of, least)
		}
		return inUnits(s.least.of, least) + " to " + inUnits(s.least.of, most)
	}
	l, m := &s.least, &s.most
	p.line("from %s to %s, %s in %s:", since(from), since(m.at), l.node, unitOf(l.of))
	p.line("  measured %s; truly used %s, with all that is to come %s", both(l.measured, m.measured), both(l.used, m.used), both(l.toCome, m.toCome))
	p.line("  predicted %s", both(l.predicted[0], m.predicted[0]))
	if l.statistics {
		p.line("  average %s, p95 %s, peak %s; deviation %s", both(l.predicted[1], m.predicted[1]),
			both(l.predicted[2], m.predicted[2]), both(l.predicted[3], m.predicted[3]), both(l.deviation, m.deviation))
	}
}

func unitOf(r amount.Resource) string {
	return map[amount.Resource]string{amount.CPU: "cores", amount.Memory: "GiB"}[r]
}

// inUnits writes an amount in cores or GiB.
func inUnits(r amount.Resource, value int64) string {
	unit := 1000.0
	if r == amount.Memory {
		unit = gib
	}
	text := fmt.Sprintf("%.2f", float64(value)/unit)
	if text == "-0.00" {
		return "0.00"
	}
	return text
}

// since writes a time since the start.
func since(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
