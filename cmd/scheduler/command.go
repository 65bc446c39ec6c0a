package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	cliflag "k8s.io/component-base/cli/flag"
	"k8s.io/component-base/cli/globalflag"
	basecompatibility "k8s.io/component-base/compatibility"
	"k8s.io/component-base/featuregate"
	"k8s.io/component-base/logs"
	logsapi "k8s.io/component-base/logs/api/v1"
	"k8s.io/component-base/metrics/legacyregistry"
	"k8s.io/component-base/term"
	utilversion "k8s.io/component-base/version"
	"k8s.io/component-base/version/verflag"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/cmd/kube-scheduler/app"
	"k8s.io/kubernetes/cmd/kube-scheduler/app/options"
	"k8s.io/kubernetes/pkg/features"
	"k8s.io/utils/clock"

	// The scheme of Trimaran's arguments.
	_ "sigs.k8s.io/scheduler-plugins/apis/config/scheme"

	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/compat/process"
	"github.com/plimsoll-scheduler/plimsoll/pkg/device/dra"
	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
	"github.com/plimsoll-scheduler/plimsoll/pkg/plugins"
	"github.com/plimsoll-scheduler/plimsoll/pkg/status"
)

// newCommand returns kube-scheduler's command with our plugins. Before anything
// is started it checks all of their arguments, and beside kube-scheduler's
// server it runs one that explains decisions. (kube-scheduler's own constructor
// of the command has no room for either.)
func newCommand(version string) *cobra.Command {
	opts := options.NewOptions()
	own := ownSettings{version: version, port: -1}
	cmd := &cobra.Command{
		Use: "plimsoll",
		Long: `Plimsoll is a second Kubernetes scheduler that gives every node a load line:
a pod that needs a device lands on a node that has the device and measured
headroom to feed it. It takes kube-scheduler's flags and configuration file;
pods choose it by schedulerName.`,
		Args: cobra.NoArgs,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			return opts.ComponentGlobalsRegistry.Set() // feature gates, before all else
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if printVersion(cmd, version) {
				return nil
			}
			verflag.PrintAndExitIfRequested()
			profiles, content, err := decodeProfiles(opts)
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("observe") && len(own.observed) == 0 {
				return errors.New("--observe is empty: must be the names of other schedulers, such as default-scheduler; without the flag pods are placed")
			}
			own.configuration = content
			return runScheduler(cmd, opts, profiles, own)
		},
	}
	flags := opts.Flags.FlagSet("plimsoll")
	flags.BoolVar(&own.placementEvents, "placement-events", false,
		"Tell by an event of each pod that gets a node why it got that one. This doubles the events of scheduling, of which kube-scheduler writes 50 a second unless clientConnection.qps says otherwise.")
	flags.IntVar(&own.port, "decisions-secure-port", own.port,
		"The port of "+explain.Path+", which explains decisions, of what kubectl plimsoll shows, and of a /readyz that names what the start waits for, authenticated and authorized as --secure-port. -1 is the one after --secure-port, 0 turns it off.")
	flags.StringSliceVar(&own.observed, "observe", nil,
		"Place no pod. Tell by metrics and decisions where the pods of these other schedulers, such as default-scheduler, would have gone.")
	addFlags(cmd, opts.Flags)
	return cmd
}

// ownSettings is what kube-scheduler does not know: our version, the content of the
// configuration file, and our flags.
type ownSettings struct {
	version         string
	configuration   []byte
	port            int // of our endpoints
	placementEvents bool
	observed        []string // the schedulers to observe instead of scheduling
}

// addFlags gives the command kube-scheduler's flags, and its help.
func addFlags(cmd *cobra.Command, flags *cliflag.NamedFlagSets) {
	global := flags.FlagSet("global")
	verflag.AddFlags(global)
	globalflag.AddGlobalFlags(global, cmd.Name(), logs.SkipLoggingConfigurationFlags())
	for _, set := range flags.FlagSets {
		cmd.Flags().AddFlagSet(set)
	}
	if err := cmd.MarkFlagFilename("config", "yaml", "yml", "json"); err != nil {
		panic(err) // there is such a flag
	}
	columns, _, _ := term.TerminalSize(cmd.OutOrStdout()) // 0 if it is no terminal
	cliflag.SetUsageAndHelpFunc(cmd, *flags, columns)
}

// runScheduler sets the scheduler up and runs it until a signal ends it.
func runScheduler(cmd *cobra.Command, opts *options.Options, profiles config.Profiles, own ownSettings) error {
	gate := opts.ComponentGlobalsRegistry.FeatureGateFor(basecompatibility.DefaultKubeComponent)
	if err := logsapi.ValidateAndApply(opts.Logs, gate); err != nil {
		return err
	}
	cliflag.PrintFlags(cmd.Flags())
	if err := process.NameInformers(opts, "plimsoll"); err != nil {
		return err
	}
	var stop graceful
	ctx := stop.context()

	model := sharedModel{profiles: profiles}
	shared := plugins.NewShared(profiles, model.get)
	if gate.Enabled(features.DynamicResourceAllocation) {
		shared.Inventory = dra.Shared(gate)
	}
	legacyregistry.MustRegister(shared.Metrics()...)
	legacyregistry.CustomMustRegister(shared.Collectors()...)
	if own.port != 0 {
		shared.Status = &status.Reporters{}
	}
	shared.Decisions = explain.NewLog(clock.RealClock{})
	if own.placementEvents {
		shared.Decisions.TellPlacements()
	}
	go shared.Decisions.Run(ctx)
	var registry []app.Option
	for name, factory := range shared.Registry() {
		registry = append(registry, app.WithPlugin(name, factory))
	}
	cc, scheduler, err := app.Setup(ctx, opts, registry...)
	if err != nil {
		return err
	}
	spareIsolated(scheduler.Profiles)
	if mutable, ok := gate.(featuregate.MutableFeatureGate); ok {
		mutable.AddMetrics()
	}
	opts.ComponentGlobalsRegistry.AddMetrics()
	sayWhoLeads(cc, clock.RealClock{})
	checkSelf(ctx, cc, profiles)
	if len(own.observed) > 0 {
		if err := observeInstead(ctx, own.observed, cc, scheduler, model.present, shared.Status); err != nil {
			return err
		}
	} else {
		stop.of(ctx, scheduler)
	}
	readiness := newReadiness(model.awaitFirstPoll)
	readiness.hold(ctx, cc)
	endpoints := endpoints{decisions: shared.Decisions, ready: readiness.check(), status: &status.Server{
		Version: own.version, Configuration: own.configuration, Observing: own.observed, Reporters: shared.Status, Model: model.present, Snapshot: snapshotsOf(ctx, scheduler),
	}}
	if err := endpoints.serve(ctx, cc, own.port, opts.SecureServing.BindPort); err != nil {
		klog.FromContext(ctx).Error(err, "Decisions are not explained; scheduling goes on")
	}
	return app.Run(ctx, cc, scheduler)
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
