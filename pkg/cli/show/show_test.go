package show

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"
)

func TestBar(t *testing.T) {
	for _, test := range []struct {
		used, coming, line float64
		want               string
	}{
		{0.5, 0.2, 0.85, "█████▒▒··│"},
		{0, 0, 0, "··········"},
		{1.5, 0, 0.8, "████████╋█"},
		{0.2, 5, 0.9, "██▒▒▒▒▒▒▒│"},
		{0.4, -0.2, 0.5, "████·│····"}, // less than is measured
		{0.5, 0, 1, "█████····│"},
		{-1, 0, 0.5, "·····│····"},
	} {
		if got := Bar(10, test.used, test.coming, test.line); got != test.want {
			t.Errorf("%v: %s, want %s", test, got, test.want)
		}
	}
}

func TestNumbers(t *testing.T) {
	age := 75.
	for want, got := range map[string]string{
		"50%": Percent(5, 10), "-": Percent(5, 0), "75s": Seconds(&age), "3": Count(3), "0.8": Count(0.75),
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if got := Seconds(nil); got != "-" {
		t.Errorf("%s, want -", got)
	}
}

func table() *Table {
	t := &Table{Empty: "Nothing.", Columns: []Column{{Name: "NODE"}, {Name: "BAR", Bar: true}, {Name: "CPU", Right: true}, {Name: "PODS", Wide: true}}}
	t.Add(Text("a"), Text("██"), Text("1.00"), Text("3"))
	t.Add(Text("long-name"), Text("█"), Cell{Text: "10.0", Level: Bad}, Text("4"))
	t.Notes = []string{"a note"}
	return t
}

func TestTable(t *testing.T) {
	for name, test := range map[string]struct {
		screen Screen
		wide   bool
		want   string
	}{
		"plain":         {Screen{}, false, "NODE         CPU\na           1.00\nlong-name   10.0\na note\n"},
		"wide":          {Screen{}, true, "NODE         CPU   PODS\na           1.00   3\nlong-name   10.0   4\na note\n"},
		"on a terminal": {Screen{Colour: true, Unicode: true}, false, "NODE        BAR    CPU\na           ██    1.00\nlong-name   █     \x1b[31m10.0\x1b[0m\na note\n"},
	} {
		var out bytes.Buffer
		test.screen.Out = &out
		table().print(test.screen, test.wide)
		if out.String() != test.want {
			t.Errorf("%s:\n%q, want\n%q", name, out.String(), test.want)
		}
	}
	var out bytes.Buffer
	(&Table{Empty: "Nothing."}).print(Screen{Out: &out}, false)
	if out.String() != "Nothing.\n" {
		t.Errorf("%q", out.String())
	}
}

// flags returns the flags of a command with these arguments.
func flags(t *testing.T, args ...string) *Flags {
	t.Helper()
	cmd := &cobra.Command{}
	f := AddFlags(cmd, true)
	if err := cmd.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFormats(t *testing.T) {
	value := map[string]int{"a": 1}
	get := func(context.Context) (any, error) { return value, nil }
	text := func(s Screen, _ any) { _, _ = s.Out.Write([]byte("text\n")) }
	var back map[string]int
	for format, check := range map[string]func(string) bool{
		FormatTable: func(s string) bool { return s == "text\n" },
		FormatWide:  func(s string) bool { return s == "text\n" },
		FormatJSON:  func(s string) bool { return json.Unmarshal([]byte(s), &back) == nil && back["a"] == 1 },
		FormatYAML:  func(s string) bool { return yaml.Unmarshal([]byte(s), &back) == nil && back["a"] == 1 },
	} {
		var out bytes.Buffer
		if err := flags(t, "-o", format).Print(t.Context(), &out, get, text); err != nil || !check(out.String()) {
			t.Errorf("%s: %v %q", format, err, out.String())
		}
	}
	if err := flags(t, "-o", "xml").Validate(); err == nil || !strings.Contains(err.Error(), "table, wide, json, yaml") {
		t.Error(err)
	}
	if err := flags(t, "-w", "--every", "1ms").Validate(); err == nil || !strings.Contains(err.Error(), "at least 1s") {
		t.Error(err)
	}
}

// What fails the first time ends the command; later it is printed, and tried again.
func TestWatching(t *testing.T) {
	f := flags(t, "-w")
	f.every = time.Millisecond
	broken := errors.New("broken")
	if err := f.Print(t.Context(), &bytes.Buffer{}, func(context.Context) (any, error) { return nil, broken }, nil); !errors.Is(err, broken) {
		t.Errorf("%v, want the error", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var out bytes.Buffer
	times := 0
	err := f.Print(ctx, &out, func(context.Context) (any, error) {
		switch times++; times {
		case 2:
			return nil, broken
		case 4:
			cancel()
		}
		return times, nil
	}, func(s Screen, value any) { _, _ = s.Out.Write([]byte(strings.Repeat("x", value.(int)) + "\n")) })
	if !errors.Is(err, context.Canceled) || out.String() != "x\n\nerror: broken\n\nxxx\n\nxxxx\n" {
		t.Errorf("%v %q", err, out.String())
	}
}

func TestOutputThatIsNoTerminalGetsNoColours(t *testing.T) {
	if s := ScreenOf(&bytes.Buffer{}); s.Terminal || s.Colour || s.Unicode {
		t.Errorf("%+v", s)
	}
}
