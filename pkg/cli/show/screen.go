// Package show is how the commands of kubectl plimsoll print: as tables for people, on
// a terminal with colours and bars, or as JSON or YAML for programs.
package show

import (
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// Screen is what is printed on.
type Screen struct {
	Out io.Writer
	// Terminal says that it is a terminal, of this width in columns; 0 if that is not
	// known.
	Terminal bool
	Width    int
	// Colour says that it takes colours, and Unicode that it shows block characters.
	Colour, Unicode bool
}

// ScreenOf returns what out is. A terminal gets no colours if NO_COLOR is set, or it
// says that it is dumb.
func ScreenOf(out io.Writer) Screen {
	s := Screen{Out: out}
	file, ok := FileOf(out)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return s
	}
	s.Terminal = true
	if width, _, err := term.GetSize(int(file.Fd())); err == nil {
		s.Width = width
	}
	dumb := os.Getenv("TERM") == "dumb" || os.Getenv("TERM") == ""
	s.Colour = !dumb && os.Getenv("NO_COLOR") == ""
	s.Unicode = !dumb && isUTF8()
	return s
}

// isUTF8 reports whether the locale says that characters are UTF-8: the first of the
// variables that is set counts.
func isUTF8() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if value := os.Getenv(name); value != "" {
			value = strings.ToLower(value)
			return strings.Contains(value, "utf-8") || strings.Contains(value, "utf8")
		}
	}
	return false
}
