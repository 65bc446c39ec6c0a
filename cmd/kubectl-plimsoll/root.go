package main

import (
	"fmt"

	"github.com/spf13/cobra"
	utilversion "k8s.io/component-base/version"

	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/dashboard"
	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/fit"
	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/isolate"
	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/snapshot"
	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/top"
	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/validate"
	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/why"
)

// newCommand returns the command with all its subcommands.
func newCommand(version string) *cobra.Command {
	cmd := &cobra.Command{
		Use:         "kubectl-plimsoll",
		Annotations: map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl plimsoll"},
		Short:       "Tools for users of the Plimsoll scheduler",
		Long: `Tools for users of Plimsoll, the scheduler that gives every node a load line.

To complete its arguments, kubectl needs a link to this program in PATH:
  ln -s kubectl-plimsoll ` + completionName,
		Version: fmt.Sprintf("%s (Kubernetes %s)", version, utilversion.Get()),
		// What went wrong is what matters: main prints it, without the usage.
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.SetVersionTemplate("kubectl-plimsoll {{.Version}}\n")
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w\nSee '%s --help' for usage", err, cmd.CommandPath())
	})
	cmd.AddCommand(newSimulateCommand(), newFillCommand())
	cmd.AddCommand(top.NewCommand())
	cmd.AddCommand(why.NewCommand())
	cmd.AddCommand(fit.NewCommand())
	cmd.AddCommand(validate.NewCommand())
	cmd.AddCommand(isolate.NewCommand())
	cmd.AddCommand(snapshot.NewCommand())
	cmd.AddCommand(dashboard.NewCommand())
	return cmd
}
