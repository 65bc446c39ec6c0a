package show

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"
)

// The formats of --output.
const (
	FormatTable = "table"
	FormatWide  = "wide"
	FormatJSON  = "json"
	FormatYAML  = "yaml"
)

var formats = []string{FormatTable, FormatWide, FormatJSON, FormatYAML}

// Flags say how to print.
type Flags struct {
	format string
	watch  bool
	every  time.Duration
}

// AddFlags adds --output, and --watch if the command can be repeated.
func AddFlags(cmd *cobra.Command, canWatch bool) *Flags {
	f := &Flags{}
	cmd.Flags().StringVarP(&f.format, "output", "o", FormatTable, "How to print: "+strings.Join(formats, ", "))
	if err := cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // there is such a flag
	}
	if canWatch {
		cmd.Flags().BoolVarP(&f.watch, "watch", "w", false, "Print anew again and again, until interrupted")
		cmd.Flags().DurationVar(&f.every, "every", 5*time.Second, "How often with --watch; at least 1s")
	}
	return f
}

// Validate reports what is wrong with the flags.
func (f *Flags) Validate() error {
	switch {
	case !slices.Contains(formats, f.format):
		return fmt.Errorf("--output %q: must be one of %s", f.format, strings.Join(formats, ", "))
	case f.watch && f.every < time.Second:
		return fmt.Errorf("--every %v: must be at least 1s", f.every)
	}
	return nil
}

// Text reports whether it is printed for people.
func (f *Flags) Text() bool { return f.format == FormatTable || f.format == FormatWide }

// Wide reports whether all columns are printed.
func (f *Flags) Wide() bool { return f.format == FormatWide }

// Print prints what get returns, as text by what text prints; again and again with
// --watch, where a failure after the first time is printed, too, instead of ending it.
func (f *Flags) Print(ctx context.Context, out io.Writer, get func(context.Context) (any, error), text func(Screen, any)) error {
	screen := ScreenOf(out)
	for first := true; ; first = false {
		value, err := get(ctx)
		if err != nil && (first || ctx.Err() != nil) {
			return err
		}
		if f.watch && screen.Terminal && f.Text() {
			file, _ := FileOf(out)
			fmt.Fprint(file, "\x1b[H\x1b[2J") // home, and clear
		} else if !first && f.Text() {
			fmt.Fprintln(out)
		}
		if err != nil {
			fmt.Fprintln(out, "error:", err)
		} else if err := f.print(screen, value, text); err != nil {
			return err
		}
		if !f.watch {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(f.every):
		}
	}
}

func (f *Flags) print(screen Screen, value any, text func(Screen, any)) error {
	var data []byte
	var err error
	switch f.format {
	case FormatJSON:
		data, err = json.MarshalIndent(value, "", "  ")
		data = append(data, '\n')
	case FormatYAML:
		if data, err = yaml.Marshal(value); f.watch {
			data = append([]byte("---\n"), data...)
		}
	default:
		text(screen, value)
		return nil
	}
	if err == nil {
		_, err = screen.Out.Write(data)
	}
	return err
}

// PrintTable prints a table.
func (f *Flags) PrintTable(screen Screen, t *Table) { t.print(screen, f.Wide()) }
