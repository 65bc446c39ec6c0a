package textfile_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input/textfile"
)

// FuzzDecode says of any bytes: they are refused with the name of the file, or are text
// that stays the same when it is stored and read again. The seeds are the small files of
// the input's testdata.
func FuzzDecode(f *testing.F) {
	if err := filepath.WalkDir(filepath.Join("..", "testdata"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if len(data) < 1000 {
			f.Add(data)
		}
		return err
	}); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := textfile.Decode("fuzzed", data)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "fuzzed:") {
				t.Errorf("the error does not begin with the file: %v", err)
			}
			return
		}
		if !utf8.ValidString(file.Text) || strings.ContainsAny(file.Text, "\r\x00") {
			t.Errorf("%q is read as %q", data, file.Text)
		}
		again, err := textfile.Decode("fuzzed", []byte("\ufeff"+file.Text))
		if err != nil || again.Text != file.Text {
			t.Errorf("%q is read as %q, and when it is read again as %v, %v", data, file.Text, again, err)
		}
	})
}
