package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/component-base/metrics/legacyregistry"
	utilversion "k8s.io/component-base/version"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/cmd/kube-scheduler/app"
	"k8s.io/kubernetes/cmd/kube-scheduler/app/options"
	"sigs.k8s.io/scheduler-plugins/pkg/trimaran/loadvariationriskbalancing"
	"sigs.k8s.io/scheduler-plugins/pkg/trimaran/lowriskovercommitment"
	"sigs.k8s.io/scheduler-plugins/pkg/trimaran/targetloadpacking"

	// The scheme of Trimaran's arguments.
	_ "sigs.k8s.io/scheduler-plugins/apis/config/scheme"

	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/plugins/devicefit"
	"github.com/plimsoll-scheduler/plimsoll/pkg/plugins/nodeload"
)

// newCommand returns kube-scheduler's command with our plugins, which checks
// all of their arguments before anything is started.
func newCommand(version string) *cobra.Command {
	var shared sharedModel
	metrics := nodeload.NewMetrics()
	legacyregistry.MustRegister(metrics.All()...)
	cmd := app.NewSchedulerCommand(
		app.WithPlugin(nodeload.Name, nodeload.Factory(shared.get, metrics)),
		app.WithPlugin(devicefit.Name, devicefit.New),
		app.WithPlugin(targetloadpacking.Name, targetloadpacking.New),
		app.WithPlugin(loadvariationriskbalancing.Name, loadvariationriskbalancing.New),
		app.WithPlugin(lowriskovercommitment.Name, lowriskovercommitment.New),
	)
	cmd.Use = "plimsoll"
	cmd.Long = `Plimsoll is a second Kubernetes scheduler that gives every node a load line:
a pod that needs a device lands on a node that has the device and measured
headroom to feed it. It takes kube-scheduler's flags and configuration file;
pods choose it by schedulerName.`
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if printVersion(cmd, version) {
			return nil
		}
		if err := checkConfig(cmd); err != nil {
			return err
		}
		return run(cmd, args)
	}
	return cmd
}

// printVersion prints Plimsoll's version and that of the Kubernetes that it is
// built on if --version asks for it. --version=raw is left to Kubernetes' own.
func printVersion(cmd *cobra.Command, version string) bool {
	if flag := cmd.Flags().Lookup("version"); flag == nil || flag.Value.String() != "true" {
		return false
	}
	fmt.Fprintf(cmd.OutOrStdout(), "Plimsoll %s (Kubernetes %s)\n", version, utilversion.Get())
	return true
}

// configError says what is wrong with a configuration file.
type configError struct {
	file   string
	faults []error
}

// Error names each fault on a line of its own.
func (e *configError) Error() string {
	text := "the configuration file " + e.file + " is not valid:"
	for _, fault := range e.faults {
		text += "\n  " + fault.Error()
	}
	return text
}

// checkConfig reports every fault in our plugins' arguments at once.
// kube-scheduler would stop at the first plugin that does not start.
func checkConfig(cmd *cobra.Command) error {
	file, err := cmd.Flags().GetString("config")
	if err != nil || file == "" {
		return err
	}
	cfg, err := options.LoadConfigFromFile(klog.FromContext(context.Background()), file)
	if err != nil {
		return &configError{file: file, faults: []error{err}}
	}
	if errs := config.ValidateProfiles(cfg.Profiles); len(errs) > 0 {
		return &configError{file: file, faults: errs.ToAggregate().Errors()}
	}
	return nil
}
