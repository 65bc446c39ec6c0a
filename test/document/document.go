// Package document is for tests of documents that are made from the code:
//
//	go test ./test/metrics            # fails if the document is not that of the code
//	go test ./test/metrics -rewrite   # writes it anew
package document

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"text/template"
)

var rewrite = flag.Bool("rewrite", false, "write the document anew")

// Check fails the test if the file of the checkout, such as docs/metrics.md, is not what
// the template makes of the data.
func Check(t *testing.T, file string, from *template.Template, data any) {
	t.Helper()
	var want bytes.Buffer
	if err := from.Execute(&want, data); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("..", "..", file)
	if *rewrite {
		if err := os.WriteFile(path, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Errorf("%s is not what the code says: run \"make generate\"", file)
	}
}
