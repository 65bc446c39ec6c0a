package show

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"regexp"
	"unicode"
	"unicode/utf8"
)

// Safe is a writer that what comes from a cluster, or a file, cannot take a terminal over
// with: names and messages there are whatever somebody has made them. Control characters,
// and those that change the direction of text, are written as escapes. Line ends, tabs and
// the few colours of this package pass.
type Safe struct{ out io.Writer }

// NewSafe returns one that writes to out.
func NewSafe(out io.Writer) *Safe { return &Safe{out} }

// ours are the sequences that this package writes.
var ours = regexp.MustCompile("^\x1b\\[(0|2|31|32|33)m")

// Write implements io.Writer. Each call is to write whole characters.
func (s *Safe) Write(p []byte) (int, error) {
	var safe bytes.Buffer
	for rest := p; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		if sequence := ours.Find(rest); sequence != nil {
			size = len(sequence)
			safe.Write(sequence)
		} else {
			safe.WriteString(escaped(r, rest[:size]))
		}
		rest = rest[size:]
	}
	if _, err := s.out.Write(safe.Bytes()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// escaped returns a character as it may be written.
func escaped(r rune, raw []byte) string {
	switch {
	case r == utf8.RuneError && len(raw) == 1:
		return fmt.Sprintf(`\x%02x`, raw[0])
	case r == '\n' || r == '\t':
		return string(raw)
	case unicode.IsControl(r) || unicode.Is(unicode.Cf, r):
		return fmt.Sprintf(`\u%04x`, r)
	}
	return string(raw)
}

// FileOf returns the file that is written to, and whether it is one.
func FileOf(out io.Writer) (*os.File, bool) {
	if safe, ok := out.(*Safe); ok {
		out = safe.out
	}
	file, ok := out.(*os.File)
	return file, ok
}
