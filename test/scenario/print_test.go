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
	// of is the resource of the table that is being printed, and -1 if none is.
	table bool
	of    amount.Resource
}

func (p *printer) String() string { return strings.Join(p.text, "\n") }

func (p *printer) line(format string, values ...any) {
	p.table = false
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

// prediction is a row of the table of predictions.
type prediction struct {
	at             time.Duration
	node           string
	of             amount.Resource
	known, sampled bool
	measured       int64
	predicted      [4]int64 // Latest, Average, P95, Peak
	deviation      int64
	used, toCome   int64 // truly
	note           string
}

const columns = "%-8s %-6s %8s %9s %9s %9s %9s %9s %9s | %8s %8s"

func (p *printer) prediction(row *prediction) {
	if !p.table || p.of != row.of {
		p.line(columns, map[amount.Resource]string{amount.CPU: "cores", amount.Memory: "GiB"}[row.of], "node",
			"measured", "in flight", "predicted", "average", "p95", "peak", "deviation", "used now", "to come")
	}
	cells := make([]any, 0, 11)
	cells = append(cells, since(row.at), row.node)
	show := func(value int64, ok bool) {
		if !ok {
			cells = append(cells, "-")
			return
		}
		cells = append(cells, inUnits(row.of, value))
	}
	show(row.measured, row.sampled)
	show(row.predicted[0]-row.measured, row.known)
	for _, value := range row.predicted {
		show(value, row.known)
	}
	show(row.deviation, row.sampled)
	show(row.used, true)
	show(row.toCome, true)
	p.line(columns+"  %s", append(cells, row.note)...)
	p.table, p.of = true, row.of
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
