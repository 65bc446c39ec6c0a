package show

import (
	"bytes"
	"os"
	"testing"
)

func TestTextOfOthersCannotTakeOverATerminal(t *testing.T) {
	for text, want := range map[string]string{
		"plain ä│\tx\n":             "plain ä│\tx\n",
		"\x1b[31mred\x1b[0m":        "\x1b[31mred\x1b[0m", // as tables have it
		"\x1b[2Jcleared\x1b]0;t\a":  `\u001b[2Jcleared\u001b]0;t\u0007`,
		"\x1b[8mhidden\r\b":         `\u001b[8mhidden\u000d\u0008`,
		"a\u202ebad\u200b\u009b31m": `a\u202ebad\u200b\u009b31m`,
		"\xff\xfe":                  `\xff\xfe`,
	} {
		var out bytes.Buffer
		n, err := NewSafe(&out).Write([]byte(text))
		if n != len(text) || err != nil || out.String() != want {
			t.Errorf("%q: %q, want %q (%d, %v)", text, out.String(), want, n, err)
		}
	}
}

func TestWhatIsWrittenTo(t *testing.T) {
	if file, ok := FileOf(NewSafe(os.Stderr)); !ok || file != os.Stderr {
		t.Error("the file behind it is not found")
	}
	if _, ok := FileOf(NewSafe(&bytes.Buffer{})); ok {
		t.Error("a buffer is taken for a file")
	}
}
