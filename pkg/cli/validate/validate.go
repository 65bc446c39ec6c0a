// Package validate is `kubectl plimsoll validate`: it checks configuration files, and
// manifests with Plimsoll's annotations, without a cluster.
package validate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/files"
	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/show"
)

// Fault is something that is wrong in a file.
type Fault struct {
	File string `json:"file"`
	// Line is where, counted from 1; 0 if that is not known.
	Line int `json:"line,omitempty"`
	// Object is what it is in, such as Pod default/p.
	Object  string `json:"object,omitempty"`
	Message string `json:"message"`
}

// String returns it as compilers write them.
func (f *Fault) String() string {
	text := f.File
	if f.Line > 0 {
		text += fmt.Sprintf(":%d", f.Line)
	}
	if f.Object != "" {
		text += ": " + f.Object
	}
	return text + ": " + f.Message
}

// Report is what was found.
type Report struct {
	Files int `json:"files"`
	// Configurations and Manifests are how many were checked: scheduler configurations,
	// and objects that may have annotations.
	Configurations int     `json:"configurations"`
	Manifests      int     `json:"manifests"`
	Faults         []Fault `json:"faults"`
	// NotChecked are files that a configuration names, and that are not here.
	NotChecked  []Fault      `json:"notChecked,omitempty"`
	Differences []Difference `json:"differences,omitempty"`
}

// options are the flags.
type options struct {
	files []string
	diff  bool
}

// NewCommand returns the command.
func NewCommand() *cobra.Command {
	o := &options{}
	cmd := &cobra.Command{
		Use:   "validate -f FILE",
		Short: "Check configurations and annotations in files, without a cluster",
		Long: `Check files without a cluster: a KubeSchedulerConfiguration, also one in a
ConfigMap, as strictly as the scheduler does when it starts; and Plimsoll's
annotations of nodes, pods and what makes pods (Deployments, Jobs and so on).
Objects of other kinds are passed over.

Each fault is printed with its file and line. The exit status is 0 only if there is
none, so that it can be a step in a pipeline.`,
		Example: `  kubectl plimsoll validate -f config.yaml --diff
  helm template ... | kubectl plimsoll validate -f -`,
		Args: cobra.NoArgs,
	}
	output := show.AddFlags(cmd, false)
	cmd.Flags().StringArrayVarP(&o.files, "filename", "f", nil, "Files to check, or folders, of which all *.yaml, *.yml and *.json are; - is standard input")
	cmd.Flags().BoolVar(&o.diff, "diff", false, "Print what the effective arguments of each profile have that the recommended ones have not")
	if err := errors.Join(cmd.MarkFlagRequired("filename"), cmd.MarkFlagFilename("filename", "yaml", "yml", "json")); err != nil {
		panic(err) // there is such a flag
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := output.Validate(); err != nil {
			return err
		}
		report, err := o.check(cmd.Context(), cmd.InOrStdin())
		if err != nil {
			return err
		}
		return o.print(cmd, output, report)
	}
	return cmd
}

// check checks all files.
func (o *options) check(ctx context.Context, stdin io.Reader) (*Report, error) {
	report := &Report{Faults: []Fault{}}
	for _, name := range o.files {
		if name == "-" {
			content, err := files.Read(ctx, name, stdin)
			if err != nil {
				return nil, fmt.Errorf("read standard input: %w", err)
			}
			o.checkFile(report, "-", content)
			continue
		}
		paths, err := expand(name)
		if err != nil {
			return nil, fmt.Errorf("--filename: %w", err)
		}
		for _, path := range paths {
			content, err := files.Read(ctx, path, nil)
			if err != nil {
				return nil, fmt.Errorf("--filename: %w", err)
			}
			o.checkFile(report, path, content)
		}
	}
	return report, nil
}

// expand returns the files of a folder, or the file itself.
func expand(name string) ([]string, error) {
	info, err := os.Stat(name)
	if err != nil || !info.IsDir() {
		return []string{name}, err
	}
	entries, err := os.ReadDir(name)
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, entry := range entries {
		if extension := filepath.Ext(entry.Name()); !entry.IsDir() && slices.Contains([]string{".yaml", ".yml", ".json"}, extension) {
			paths = append(paths, filepath.Join(name, entry.Name()))
		}
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("there is no *.yaml, *.yml or *.json in %s", name)
	}
	return paths, nil
}

// errFaults says that there are faults, which have been printed.
type errFaults int

func (e errFaults) Error() string {
	if e == 1 {
		return "there is 1 fault"
	}
	return fmt.Sprintf("there are %d faults", int(e))
}

func (o *options) print(cmd *cobra.Command, output *show.Flags, report *Report) error {
	err := output.Print(cmd.Context(), cmd.OutOrStdout(),
		func(_ context.Context) (any, error) { return report, nil },
		func(screen show.Screen, _ any) { o.printText(screen, output, report) })
	if err != nil {
		return err
	}
	if faults := len(report.Faults); faults > 0 {
		return errFaults(faults)
	}
	return nil
}

func (o *options) printText(screen show.Screen, output *show.Flags, report *Report) {
	for i := range report.Faults {
		fmt.Fprintln(screen.Out, report.Faults[i].String())
	}
	for i := range report.NotChecked {
		fmt.Fprintln(screen.Out, report.NotChecked[i].String())
	}
	if o.diff && report.Configurations > 0 {
		output.PrintTable(screen, tableOf(report.Differences))
	}
	if len(report.Faults) > 0 {
		return
	}
	fmt.Fprintf(screen.Out, "valid: %s and %s in %s\n", counted(report.Configurations, "configuration"),
		counted(report.Manifests, "other object"), counted(report.Files, "file"))
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
