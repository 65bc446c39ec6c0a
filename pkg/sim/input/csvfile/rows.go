// Package csvfile reads lists of comma-separated values as people have them: with spaces
// around fields, quoted fields, empty lines, comments, semicolons or tabs in place of
// commas, and headers in any order and case. Numbers are read in one place (Whole,
// Number), and none that is missing or cannot be read counts as zero.
package csvfile

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input/textfile"
)

// Rows reads the rows of a file one by one. Empty lines, rows of empty fields and lines
// that begin with # are none.
type Rows struct {
	file   *textfile.File
	length int // of the text that reader reads
	reader *csv.Reader
	fields []string
}

// NewRows returns the rows of a file. What separates fields is a comma, or if the first
// row has none a semicolon or a tab.
func NewRows(f *textfile.File) *Rows {
	separator := separatorOf(f.Text)
	text := tidy(f.Text, separator)
	r := &Rows{file: f, length: len(text), reader: csv.NewReader(strings.NewReader(text))}
	r.reader.Comma, r.reader.Comment = separator, '#'
	r.reader.FieldsPerRecord = -1
	r.reader.ReuseRecord = true
	r.reader.TrimLeadingSpace = separator != '\t' // else it would trim separators
	return r
}

// separatorOf returns what separates the fields of the first row.
func separatorOf(text string) rune {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		for _, separator := range ",;\t" {
			if strings.ContainsRune(line, separator) {
				return separator
			}
		}
		break
	}
	return ','
}

// tidy drops the spaces that encoding/csv takes for content: before comments and in
// lines of nothing else, and after quoted fields. Lines remain where they are.
func tidy(text string, separator rune) string {
	space := `[ \t]`
	if separator == '\t' {
		space = ` `
	}
	text = regexp.MustCompile(`(?m)^`+space+`+(#|$)`).ReplaceAllString(text, "$1")
	return regexp.MustCompile(`(?m)"`+space+`+(`+string(separator)+`|$)`).ReplaceAllString(text, `"$1`)
}

// Next goes to the next row and reports whether there is one.
func (r *Rows) Next() (bool, error) {
	for {
		fields, err := r.reader.Read()
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, r.explain(err)
		}
		empty := true
		for i := range fields {
			fields[i] = strings.TrimSpace(fields[i])
			empty = empty && fields[i] == ""
		}
		if !empty {
			r.fields = fields
			return true, nil
		}
	}
}

// Fields returns the fields of the row, without spaces around them. They are valid until
// Next is called.
func (r *Rows) Fields() []string { return r.fields }

// Line returns the line in which the row begins.
func (r *Rows) Line() int {
	line, _ := r.reader.FieldPos(0)
	return line
}

// Where returns the place of the row: FILE:LINE.
func (r *Rows) Where() string { return fmt.Sprintf("%s:%d", r.file.Name, r.Line()) }

// Errorf returns an error about the row.
func (r *Rows) Errorf(format string, args ...any) error {
	return r.file.Errorf(r.Line(), format, args...)
}

// CutOff returns what is to be said of a row that has too few fields: nothing, or that
// the file ends with it and without a newline.
func (r *Rows) CutOff() string {
	if r.reader.InputOffset() < int64(r.length) || strings.HasSuffix(r.file.Text, "\n") {
		return ""
	}
	return "; the file ends in this line: it may have been cut off, fetch or make it anew"
}

// explain says in terms of the file what encoding/csv has found.
func (r *Rows) explain(err error) error {
	var parse *csv.ParseError
	switch {
	case !errors.As(err, &parse):
		return fmt.Errorf("%s: %w", r.file.Name, err)
	case errors.Is(err, csv.ErrBareQuote):
		return r.file.Errorf(parse.Line, `a field has a quote (") and does not begin with one: the field must be in quotes, and quotes in it doubled`)
	case errors.Is(err, csv.ErrQuote) && parse.StartLine != parse.Line:
		return r.file.Errorf(parse.StartLine, `a field begins with a quote (") and does not end with one in its line: quotes in a field in quotes must be doubled`)
	case errors.Is(err, csv.ErrQuote):
		return r.file.Errorf(parse.Line, `a field in quotes (") goes on after them, or they are not closed: quotes in it must be doubled`)
	}
	return r.file.Errorf(parse.Line, "%w", parse.Err)
}
