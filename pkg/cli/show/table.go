package show

import (
	"fmt"
	"slices"
	"strings"

	pretty "github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Level is how much a reader should mind a cell.
type Level int

// The levels.
const (
	Plain Level = iota
	Good
	Warn
	Bad
	Faint
)

// Cell is a cell of a table.
type Cell struct {
	Text  string
	Level Level
}

// Text is a cell of plain text.
func Text(format string, args ...any) Cell { return Cell{Text: fmt.Sprintf(format, args...)} }

// Column is a column of a table.
type Column struct {
	Name string
	// Right aligns it to the right, as numbers are.
	Right bool
	// Wide has it shown in wide tables only, and Bar on terminals only.
	Wide, Bar bool
}

// Table is a table as kubectl prints them: without lines.
type Table struct {
	Columns []Column
	Rows    [][]Cell
	// Empty is what is printed instead if there are no rows.
	Empty string
	// Notes are printed below it.
	Notes []string
}

// Add adds a row: a cell for each column.
func (t *Table) Add(cells ...Cell) { t.Rows = append(t.Rows, cells) }

// print prints the table.
func (t *Table) print(s Screen, wide bool) {
	if len(t.Rows) == 0 {
		fmt.Fprintln(s.Out, t.Empty)
	} else {
		t.printRows(s, wide)
	}
	for _, note := range t.Notes {
		fmt.Fprintln(s.Out, note)
	}
}

func (t *Table) printRows(s Screen, wide bool) {
	w := pretty.NewWriter()
	w.SetOutputMirror(s.Out)
	style := pretty.StyleDefault
	style.Options = pretty.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "   "
	style.Format.Header = text.FormatDefault
	w.SetStyle(style)
	w.SuppressTrailingSpaces()
	var header pretty.Row
	var configs []pretty.ColumnConfig
	shown := t.shown(s, wide)
	for _, i := range shown {
		header = append(header, t.Columns[i].Name)
		align := text.AlignLeft
		if t.Columns[i].Right {
			align = text.AlignRight
		}
		configs = append(configs, pretty.ColumnConfig{Number: len(header), Align: align, AlignHeader: align})
	}
	w.SetColumnConfigs(configs)
	w.AppendHeader(header)
	for _, row := range t.Rows {
		var cells pretty.Row
		for _, i := range shown {
			cells = append(cells, row[i].render(s))
		}
		w.AppendRow(cells)
	}
	w.Render()
}

// shown returns the indices of the columns that are shown.
func (t *Table) shown(s Screen, wide bool) []int {
	var shown []int
	for i, column := range t.Columns {
		if column.Wide && !wide || column.Bar && !s.Unicode {
			continue
		}
		shown = append(shown, i)
	}
	return slices.Clip(shown)
}

func (c Cell) render(s Screen) string {
	c.Text = strings.ReplaceAll(c.Text, "\n", `\n`) // a cell is one line
	colours := map[Level]text.Color{Good: text.FgGreen, Warn: text.FgYellow, Bad: text.FgRed, Faint: text.Faint}
	colour, has := colours[c.Level]
	if !has || !s.Colour {
		return c.Text
	}
	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", colour, c.Text) // as the screen says, whatever else go-pretty finds out
}
