package csvfile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input/textfile"
)

// Table reads a list whose first row names the columns. It reads it row by row.
type Table struct {
	*Rows
	required []string
	columns  map[string]int // by name, in lower case
	width    int
	fault    error // the first of the row
}

// Open reads the header, which must have the required columns, once each. It may have
// others, and the order and the case of the names are of no matter.
func Open(f *textfile.File, required ...string) (*Table, error) {
	t := &Table{Rows: NewRows(f), required: required, columns: map[string]int{}}
	ok, err := t.Rows.Next()
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("%s: the file is empty: its first line must name the columns %s", f.Name, strings.Join(required, ","))
	}
	t.width = len(t.fields)
	for i, name := range t.fields {
		name = strings.ToLower(name)
		if _, twice := t.columns[name]; twice && slices.Contains(required, name) {
			return nil, t.Errorf("there are two columns %s: each must have a name of its own", name)
		}
		t.columns[name] = i
	}
	for _, name := range required {
		if !t.Has(name) {
			return nil, t.Errorf("there is no column %s: the first line is %q, and must name the columns %s",
				name, abbreviated(strings.Join(t.fields, ",")), strings.Join(required, ","))
		}
	}
	return t, nil
}

// abbreviated returns a text of at most 100 characters.
func abbreviated(text string) string {
	const most = 100
	if characters := []rune(text); len(characters) > most {
		return string(characters[:most-3]) + "..."
	}
	return text
}

// Next goes to the next row and reports whether there is one. Headers that come again,
// as in files that were appended to each other, are none. Of a row with too few or too
// many fields Err tells, unless it has been cut off: that is an error of the file.
func (t *Table) Next() (bool, error) {
	for {
		if ok, err := t.Rows.Next(); !ok || err != nil {
			return false, err
		}
		t.fault = t.checkWidth()
		if len(t.fields) < t.width && t.CutOff() != "" {
			return false, t.fault
		}
		if t.fault != nil || !t.isHeader() {
			return true, nil
		}
	}
}

// checkWidth reports a row that has not as many fields as the header.
func (t *Table) checkWidth() error {
	switch count := len(t.fields); {
	case count < t.width:
		return t.Errorf("there are %d fields, and %d columns in the header%s", count, t.width, t.CutOff())
	case count > t.width:
		return t.Errorf("there are %d fields, and %d columns in the header: a field that has a separator in it must be in quotes", count, t.width)
	}
	return nil
}

func (t *Table) isHeader() bool {
	for _, name := range t.required {
		if !strings.EqualFold(t.Text(name), name) {
			return false
		}
	}
	return true
}

// Has reports whether there is a column of that name.
func (t *Table) Has(column string) bool {
	_, ok := t.columns[column]
	return ok
}

// Text returns a field of the row; it is empty if there is no such column, or if the row
// is too short.
func (t *Table) Text(column string) string {
	if at, ok := t.columns[column]; ok && at < len(t.fields) {
		return t.fields[at]
	}
	return ""
}

// Whole returns a field of the row that must be a whole number from least to most. If it
// is not, Err tells.
func (t *Table) Whole(column string, least, most int64) int64 {
	value, err := Whole(t.Text(column), least, most)
	if err != nil && t.fault == nil {
		t.fault = t.Errorf("%s is %q: %w", column, t.Text(column), err)
	}
	return value
}

// Err returns the first fault of the row so far.
func (t *Table) Err() error { return t.fault }
