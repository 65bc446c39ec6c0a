package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDocumentKeepsWhatIsWrittenByHand(t *testing.T) {
	path := filepath.Join(t.TempDir(), "d.md")
	const before = "above\n<!-- begin a -->\nold\n<!-- end a -->\nbetween\n<!-- begin b -->\n<!-- end b -->\nbelow\n"
	if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	doc := document{path: path}
	doc.add("b", "of b\n")
	doc.add("a", "of a\n")
	for range 2 { // what is written can be replaced
		if err := doc.write(); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const want = "above\n<!-- begin a -->\nof a\n<!-- end a -->\nbetween\n<!-- begin b -->\nof b\n<!-- end b -->\nbelow\n"
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestDocumentWithoutThePlace(t *testing.T) {
	for text, want := range map[string]string{
		"":                     "<!-- begin a -->",
		"<!-- begin a -->\n":   "<!-- end a -->",
		"<!-- end a -->\ntext": "<!-- begin a -->",
	} {
		if _, err := replacePart(text, "a", "new"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one that names %s", text, err, want)
		}
	}
}

// The file that is in the repository has the places that are filled in.
func TestBenchmarksDocument(t *testing.T) {
	content, err := os.ReadFile(filepath.Join("..", "..", "docs", "benchmarks.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"throughput", "go"} {
		if _, err := replacePart(string(content), name, ""); err != nil {
			t.Error(err)
		}
	}
}
