package main

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// document is a Markdown file with parts that a program writes: what is between
// <!-- begin NAME --> and <!-- end NAME -->. The rest is left alone.
type document struct {
	path  string
	names []string
	texts []string
}

func (d *document) add(name, text string) {
	d.names, d.texts = append(d.names, name), append(d.texts, text)
}

func (d *document) print(w io.Writer) {
	for _, text := range d.texts {
		fmt.Fprintf(w, "\n%s", text)
	}
}

// write puts the parts into the file.
func (d *document) write() error {
	content, err := os.ReadFile(d.path)
	if err != nil {
		return err
	}
	text := string(content)
	for i, name := range d.names {
		if text, err = replacePart(text, name, d.texts[i]); err != nil {
			return fmt.Errorf("%s: %w", d.path, err)
		}
	}
	return os.WriteFile(d.path, []byte(text), 0o644)
}

// replacePart returns the text with another part of that name.
func replacePart(text, name, part string) (string, error) {
	begin, end := "<!-- begin "+name+" -->\n", "<!-- end "+name+" -->"
	before, rest, found := strings.Cut(text, begin)
	if !found {
		return "", fmt.Errorf("there is no line %q", strings.TrimSpace(begin))
	}
	_, after, found := strings.Cut(rest, end)
	if !found {
		return "", fmt.Errorf("there is no %q after %q", end, strings.TrimSpace(begin))
	}
	return before + begin + strings.TrimRight(part, "\n") + "\n" + end + after, nil
}
