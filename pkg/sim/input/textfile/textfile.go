// Package textfile reads files of text as people have them: in UTF-8 or UTF-16, with
// or without a byte order mark, with any kind of newline, compressed by gzip or not.
// What a file is called says nothing of that; its first bytes do.
package textfile

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// File is the text of a file: valid UTF-8 without byte order marks, whose lines end in \n.
type File struct {
	Name, Text string
}

// Read reads the file. Errors name it.
func Read(name string) (*File, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return Decode(name, data)
}

// Decode returns the text of a file with that name and content. Errors name the file.
func Decode(name string, data []byte) (*File, error) {
	data, err := unpacked(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	text, err := decoded(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	f := &File{Name: name, Text: text}
	if err := f.check(); err != nil {
		return nil, err
	}
	return f, nil
}

// Empty reports whether there is nothing but white space.
func (f *File) Empty() bool { return strings.TrimSpace(f.Text) == "" }

// Line returns the line, from 1, that the byte at the offset is in. Offsets that are
// out of range count as the nearest that is not.
func (f *File) Line(offset int) int {
	return 1 + strings.Count(f.Text[:f.within(offset)], "\n")
}

// Column returns the place in its line, from 1 and in characters, of the byte at the
// offset.
func (f *File) Column(offset int) int {
	before := f.Text[:f.within(offset)]
	return 1 + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
}

func (f *File) within(offset int) int { return max(0, min(offset, len(f.Text))) }

// Errorf returns an error about a line: FILE:LINE: what is wrong.
func (f *File) Errorf(line int, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %w", f.Name, line, fmt.Errorf(format, args...))
}

// check reports what no text has.
func (f *File) check() error {
	if at := strings.IndexByte(f.Text, 0); at >= 0 {
		return f.Errorf(f.Line(at), "column %d is a NUL byte: this is no text file, or not of UTF-8 or UTF-16", f.Column(at))
	}
	if utf8.ValidString(f.Text) {
		return nil
	}
	for at, char := range f.Text {
		if _, size := utf8.DecodeRuneInString(f.Text[at:]); char == utf8.RuneError && size == 1 {
			return f.Errorf(f.Line(at), "column %d is the byte %#02x, which is not UTF-8: save the file as UTF-8 or UTF-16", f.Column(at), f.Text[at])
		}
	}
	return nil
}

// gzipStart is how files begin that are compressed by gzip.
const gzipStart = "\x1f\x8b"

// magic is how files begin that are compressed or packed.
type magic struct{ start, meaning string }

func magics() []magic {
	return []magic{
		{gzipStart, "is compressed by gzip twice: unpack it first"},
		{"PK\x03\x04", "is a ZIP archive or an office document: unpack it first, or save it as text"},
		{"\xd0\xcf\x11\xe0", "is an office document: save it as text"},
		{"\x28\xb5\x2f\xfd", "is compressed by zstd: unpack it first, or compress it by gzip"},
		{"\xfd7zXZ\x00", "is compressed by xz: unpack it first, or compress it by gzip"},
		{"BZh91AY&SY", "is compressed by bzip2: unpack it first, or compress it by gzip"},
		{"7z\xbc\xaf", "is a 7z archive: unpack it first, or compress it by gzip"},
	}
}

// unpacked returns the content of a file that may be compressed by gzip.
func unpacked(data []byte) ([]byte, error) {
	if bytes.HasPrefix(data, []byte(gzipStart)) {
		var err error
		if data, err = gunzip(data); err != nil {
			return nil, err
		}
	}
	for _, m := range magics() {
		if bytes.HasPrefix(data, []byte(m.start)) {
			return nil, errors.New(m.meaning)
		}
	}
	return data, nil
}

// gunzip returns the content of all members of the file, which may be padded.
func gunzip(data []byte) ([]byte, error) {
	source := bytes.NewReader(data) // gzip.Reader reads no further than it must of such
	var content bytes.Buffer
	reader, err := gzip.NewReader(source)
	for err == nil {
		reader.Multistream(false)
		if _, err = content.ReadFrom(reader); err != nil {
			break
		}
		rest := data[len(data)-source.Len():]
		if len(bytes.Trim(rest, "\x00\r\n ")) == 0 {
			return content.Bytes(), nil
		}
		if !bytes.HasPrefix(rest, []byte(gzipStart)) {
			return nil, errors.New("is compressed by gzip, and something follows that is not: fetch or make it anew")
		}
		err = reader.Reset(source)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return nil, errors.New("is compressed by gzip, and ends too early: it has been cut off, fetch or make it anew")
	}
	return nil, fmt.Errorf("is compressed by gzip, and damaged (%w): fetch or make it anew", err)
}

// decoded returns the text, by its byte order mark if it has one.
func decoded(data []byte) (string, error) {
	order, marked := byteOrder(data)
	if marked && len(data)%2 != 0 {
		return "", errors.New("is UTF-16, and ends within a character: it has been cut off, fetch or make it anew")
	}
	var unmarked transform.Transformer = encoding.Nop.NewDecoder()
	switch {
	case marked: // then what is unmarked is of no use
	case order == binary.LittleEndian:
		unmarked = unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewDecoder()
	case order == binary.BigEndian:
		unmarked = unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM).NewDecoder()
	}
	text, _, err := transform.Bytes(unicode.BOMOverride(unmarked), data)
	if err != nil {
		return "", fmt.Errorf("cannot be read as text: %w", err)
	}
	return newlines().Replace(string(text)), nil
}

// byteOrder returns that of UTF-16, and whether a byte order mark tells it. Without one
// it is that of text whose first character is of ASCII. It is nil if the data is not
// UTF-16.
func byteOrder(data []byte) (order binary.ByteOrder, marked bool) {
	if len(data) < 2 {
		return nil, false
	}
	switch first, second := data[0], data[1]; {
	case first == 0xff && second == 0xfe:
		return binary.LittleEndian, true
	case first == 0xfe && second == 0xff:
		return binary.BigEndian, true
	case len(data)%2 != 0:
		return nil, false
	case first != 0 && first < utf8.RuneSelf && second == 0:
		return binary.LittleEndian, false
	case first == 0 && second != 0 && second < utf8.RuneSelf:
		return binary.BigEndian, false
	}
	return nil, false
}

// newlines replaces all kinds of newlines by \n, and drops the byte order marks that
// files have at their seams when they are appended to each other.
func newlines() *strings.Replacer {
	const mark = "\ufeff"
	return strings.NewReplacer("\r\n"+mark, "\n", "\n"+mark, "\n", "\r"+mark, "\n", "\r\n", "\n", "\r", "\n")
}
