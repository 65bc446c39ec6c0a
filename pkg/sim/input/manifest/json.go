package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input/textfile"
)

// readJSON reads documents that follow each other.
func readJSON(f *textfile.File) ([]Object, error) {
	var all []Object
	decoder := json.NewDecoder(strings.NewReader(f.Text))
	for {
		begin := int(decoder.InputOffset())
		var whole json.RawMessage
		err := decoder.Decode(&whole)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, explainJSON(f, begin, err)
		}
		begin = int(decoder.InputOffset()) - len(whole)
		d, err := splitJSON(f, whole, begin)
		if err != nil {
			return nil, err
		}
		objects, err := d.objects()
		if err != nil {
			return nil, err
		}
		all = append(all, objects...)
	}
}

// explainJSON says what is wrong with the document that begins at an offset or after it.
func explainJSON(f *textfile.File, begin int, err error) error {
	rest := strings.TrimLeft(f.Text[begin:], " \t\n")
	begin = len(f.Text) - len(rest)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return f.Errorf(f.Line(len(f.Text)), "the file ends within the object that begins in line %d: it has been cut off, make it anew", f.Line(begin))
	}
	// The decoder counts from an unknown place; a whole text has none.
	var syntax *json.SyntaxError
	if errors.As(json.Unmarshal([]byte(rest), new(json.RawMessage)), &syntax) {
		at := begin + int(syntax.Offset) - 1
		return f.Errorf(f.Line(at), "column %d: not JSON: %w; must be what kubectl get -o json prints", f.Column(at), syntax)
	}
	return f.Errorf(f.Line(begin), "not JSON: %w; must be what kubectl get -o json prints", err)
}

// scanner takes a document apart.
type scanner struct {
	*json.Decoder
	file  *textfile.File
	begin int // of the document in the file
	// line is the one that the byte at offset is in: lines are counted once.
	offset, line int
}

// splitJSON takes a document apart that begins at an offset of the file.
func splitJSON(f *textfile.File, whole json.RawMessage, begin int) (*document, error) {
	s := &scanner{Decoder: json.NewDecoder(bytes.NewReader(whole)), file: f, begin: begin, offset: begin, line: f.Line(begin)}
	d := &document{file: f, line: s.line, whole: whole}
	switch whole[0] {
	case '[':
		return d, s.entries(d)
	case '{':
		return d, s.members(d)
	}
	return nil, f.Errorf(d.line, "%s is no object of the Kubernetes API: must be what kubectl get -o json prints", abbreviated(whole))
}

// members reads what tells what the document is.
func (s *scanner) members(d *document) error {
	if _, err := s.Token(); err != nil { // the brace
		return err
	}
	for s.More() {
		key, err := s.Token()
		if err != nil {
			return err
		}
		switch key {
		case "kind":
			d.kind, err = s.text(d, "kind")
		case "apiVersion":
			d.apiVersion, err = s.text(d, "apiVersion")
		case "items":
			err = s.entries(d)
		default:
			_, _, err = s.value()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// value returns the next value and the line that it begins in.
func (s *scanner) value() (json.RawMessage, int, error) {
	var value json.RawMessage
	if err := s.Decode(&value); err != nil {
		return nil, 0, err
	}
	offset := s.begin + int(s.InputOffset()) - len(value)
	s.line += strings.Count(s.file.Text[s.offset:offset], "\n")
	s.offset = offset
	return value, s.line, nil
}

// text reads a member of the document that is a string, or else its fault.
func (s *scanner) text(d *document, member string) (string, error) {
	value, line, err := s.value()
	if err != nil {
		return "", err
	}
	var text string
	if err := json.Unmarshal(value, &text); err != nil {
		d.fault = s.file.Errorf(line, "%s is %s: must be a string", member, abbreviated(value))
	}
	return text, nil
}

// entries reads the list that comes next.
func (s *scanner) entries(d *document) error {
	d.list = true
	switch bracket, err := s.Token(); {
	case err != nil:
		return err
	case bracket == nil: // null
		return nil
	case bracket != json.Delim('['):
		return s.file.Errorf(d.line, "items is no list: must be what kubectl get -o json prints")
	}
	for s.More() {
		raw, line, err := s.value()
		if err != nil {
			return err
		}
		d.items = append(d.items, item{raw, line})
	}
	_, err := s.Token()
	return err
}
