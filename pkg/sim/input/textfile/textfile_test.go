package textfile_test

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/text/encoding/unicode"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input/textfile"
)

// encoded returns the text in UTF-16.
func encoded(t *testing.T, text string, order unicode.Endianness, mark unicode.BOMPolicy) string {
	t.Helper()
	wide, err := unicode.UTF16(order, mark).NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	return wide
}

func compressed(t *testing.T, text string) string {
	t.Helper()
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	if _, err := writer.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.String()
}

func TestTextDoesNotDependOnHowItIsStored(t *testing.T) {
	const text, mark = "a,\u00e4,\U0001f6a2\nb\n", "\ufeff"
	windows := strings.ReplaceAll(text, "\n", "\r\n")
	for name, data := range map[string]string{
		"UTF-8":                          text,
		"UTF-8 with a mark":              mark + text,
		"UTF-16 of little end":           encoded(t, text, unicode.LittleEndian, unicode.UseBOM),
		"UTF-16 of big end":              encoded(t, text, unicode.BigEndian, unicode.UseBOM),
		"UTF-16 of little end, unmarked": encoded(t, text, unicode.LittleEndian, unicode.IgnoreBOM),
		"UTF-16 of big end, unmarked":    encoded(t, text, unicode.BigEndian, unicode.IgnoreBOM),
		"CRLF":                           windows,
		"CR":                             strings.ReplaceAll(text, "\n", "\r"),
		"UTF-16 and CRLF":                encoded(t, windows, unicode.LittleEndian, unicode.UseBOM),
		"gzip":                           compressed(t, text),
		"gzip in two members":            compressed(t, text[:3]) + compressed(t, text[3:]),
		"gzip, padded":                   compressed(t, text) + "\x00\x00\n",
		"gzip of UTF-16":                 compressed(t, encoded(t, windows, unicode.BigEndian, unicode.UseBOM)),
	} {
		f, err := textfile.Decode("f", []byte(data))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if f.Text != text {
			t.Errorf("%s is read as %q, want %q", name, f.Text, text)
		}
	}
}

func TestMarksAtSeamsAreNoText(t *testing.T) {
	f, err := textfile.Decode("f", []byte("\ufeffa\r\n\ufeffb\n\ufeffc\r\ufeffd\ufeff"))
	if want := "a\nb\nc\nd\ufeff"; err != nil || f.Text != want {
		t.Errorf("it is read as %q (%v), want %q", f.Text, err, want)
	}
}

func TestWhatIsNoText(t *testing.T) {
	packed := compressed(t, "a,b\n")
	for name, test := range map[string]struct{ data, want string }{
		"not UTF-8":        {"a\nb\xe4c\n", "f:2: column 2 is the byte 0xe4, which is not UTF-8"},
		"a NUL":            {"ab\x00", "f:1: column 3 is a NUL byte"},
		"UTF-16, cut":      {encoded(t, "abc", unicode.LittleEndian, unicode.UseBOM)[:5], "f: is UTF-16, and ends within a character: it has been cut off"},
		"gzip, cut":        {packed[:len(packed)-9], "f: is compressed by gzip, and ends too early: it has been cut off"},
		"gzip, its header": {packed[:5], "f: is compressed by gzip, and ends too early"},
		"gzip, damaged":    {packed[:len(packed)-5] + "x" + packed[len(packed)-4:], "f: is compressed by gzip, and damaged (gzip: invalid checksum)"},
		"gzip and more":    {packed + "more", "f: is compressed by gzip, and something follows that is not"},
		"gzip twice":       {compressed(t, packed), "f: is compressed by gzip twice: unpack it first"},
		"ZIP":              {"PK\x03\x04\x14\x00", "f: is a ZIP archive"},
		"UTF-32":           {"\xff\xfe\x00\x00a\x00\x00\x00", "f:1: column 1 is a NUL byte"},
	} {
		if f, err := textfile.Decode("f", []byte(test.data)); err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: it is read as %v, the error is %v, want %q", name, f, err, test.want)
		}
	}
}

func TestPlacesInTheText(t *testing.T) {
	f := &textfile.File{Name: "f", Text: "\u00e4b\n\nc"}
	for offset, want := range map[int][2]int{-1: {1, 1}, 0: {1, 1}, 2: {1, 2}, 3: {1, 3}, 4: {2, 1}, 5: {3, 1}, 6: {3, 2}, 99: {3, 2}} {
		if got := [2]int{f.Line(offset), f.Column(offset)}; got != want {
			t.Errorf("offset %d is line and column %v, want %v", offset, got, want)
		}
	}
}

func TestEmpty(t *testing.T) {
	for _, data := range []string{"", "\ufeff", " \r\n\t", compressed(t, "")} {
		if f, err := textfile.Decode("f", []byte(data)); err != nil || !f.Empty() {
			t.Errorf("%q is not empty, %v", data, err)
		}
	}
	if f, err := textfile.Decode("f", []byte("\n#")); err != nil || f.Empty() {
		t.Errorf("a comment is empty, %v", err)
	}
}

func TestReadNamesTheFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	if _, err := textfile.Read(name); !os.IsNotExist(err) || !strings.Contains(err.Error(), name) {
		t.Errorf("the error of a file that is not there is %v", err)
	}
	if _, err := textfile.Read(filepath.Dir(name)); err == nil || !strings.Contains(err.Error(), "is a directory") {
		t.Errorf("the error of a directory is %v", err)
	}
	if err := os.WriteFile(name, []byte("\ufeffa\r"), 0o600); err != nil {
		t.Fatal(err)
	}
	if f, err := textfile.Read(name); err != nil || f.Name != name || f.Text != "a\n" {
		t.Errorf("%v, %v", f, err)
	}
}
