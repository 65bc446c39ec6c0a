package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/churn"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/policy"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/report"
)

// The formats of -o.
const (
	formatTable = "table"
	formatJSON  = "json"
)

// simulateOptions are the flags of the command simulate.
type simulateOptions struct {
	nodes, pods, series string
	cluster             string
	modelled            bool
	load                string
	model               map[string]string
	churn               []string
	seed                uint64

	config   string
	profiles []string
	peers    bool
	knowing  bool
	parallel int

	output string
	report string
}

func newSimulateCommand() *cobra.Command {
	o := &simulateOptions{}
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Tell what scheduler configurations would have done",
		Long: `Tell what scheduler configurations would have done.

The same pods arrive on the same nodes under each policy, wait, get a node, start,
use CPU and memory over time, and end. Decisions are made by the plugins that run
in production; time is simulated. What is compared: minutes that devices starved
because the CPU of their node was overloaded, minutes that nodes ran hot, waiting
times, devices allocated.

The pods come from one of:
  - a generator (the default), which needs no files
  - --nodes, --pods and --series: lists in the format of Alibaba's openb trace and
    use over time in that of the PlanetLab trace
  - --cluster: a snapshot of a cluster of your own, which kubectl plimsoll snapshot
    makes. If it has recorded use over time, what happened is replayed: pods come, end
    and use what was measured, and what is not measured is told. Without a recording, a
    snapshot is a directory with
      kubectl get nodes -o json > nodes.json
      kubectl get pods --all-namespaces -o json > pods.json
      kubectl get nodes.metrics.k8s.io -o json > nodemetrics.json
      kubectl get pods.metrics.k8s.io --all-namespaces -o json > podmetrics.json
    of which the last may be missing (YAML and one file for all will do as well): the
    pods come anew, and use over time is a model

Files may be compressed by gzip. What is odd in them is left out, with a warning that
says where and why; what cannot be read is an error.

--churn has pods come, go and use CPU and memory as in real clusters, each with a share
of the workloads: rollouts, autoscaled replicas, CronJobs, Jobs, services that are
scaled to zero at night, a daily period, replicas that use alike, memory that grows.

The policies are the profiles "plimsoll" (the recommended one) and "stock"
(kube-scheduler's defaults), or those of a KubeSchedulerConfiguration.`,
		Example: `  # The recommended profile against kube-scheduler's defaults
  kubectl plimsoll simulate

  # A configuration of your own, as a page with charts
  kubectl plimsoll simulate --config my-config.yaml --report out.html

  # With rollouts and CronJobs in it
  kubectl plimsoll simulate --churn rollouts,cronjobs

  # On public traces, beside other load-aware schedulers, with much load
  kubectl plimsoll simulate --nodes openb_node_list_gpu_node.csv \
    --pods openb_pod_list_default.csv --series 20110303.csv.gz --load hot --peers`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.validate(cmd); err != nil {
				return err
			}
			return o.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	o.addFlags(cmd)
	return cmd
}

func (o *simulateOptions) addFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.nodes, "nodes", "", "`FILE` with nodes, in openb's format")
	flags.StringVar(&o.pods, "pods", "", "`FILE` with pods, in openb's format")
	flags.StringVar(&o.series, "series", "", "`FILE` with CPU use over time, in PlanetLab's format")
	flags.StringVar(&o.cluster, "cluster", "", "`DIRECTORY` with a snapshot of a cluster")
	flags.BoolVar(&o.modelled, "modelled", false, "with --cluster: have use over time be a model, also if it was recorded")
	flags.StringVar(&o.load, "load", loadCalm, "how much of their requests pods use: calm or hot")
	flags.StringToStringVar(&o.model, "model", nil, "parameters of the model, as `NAME=VALUE`[,...]: "+strings.Join(modelNames(), ", "))
	flags.Lookup("model").DefValue = "" // so that help shows no empty list
	flags.StringSliceVar(&o.churn, "churn", nil, "`NAMES` of what pods go through: "+strings.Join(churn.Names(), ", ")+"; or "+churn.All)
	flags.Uint64Var(&o.seed, "seed", 1, "seed of all that is random; the same seed gives the same result")
	flags.StringVar(&o.config, "config", "", "`FILE` with a KubeSchedulerConfiguration")
	flags.StringSliceVar(&o.profiles, "profiles", nil, "`NAMES` of profiles to compare (default: all of --config, and stock)")
	flags.BoolVar(&o.knowing, "knowing", false, "also simulate the first profile with NodeLoad, knowing how each pod's use is distributed, in the place of learning it")
	flags.BoolVar(&o.peers, "peers", false, "also compare with the load-aware plugins of Trimaran and of Koordinator")
	flags.IntVar(&o.parallel, "parallel", 0, "policies simulated at the same time (default: one a core)")
	flags.StringVarP(&o.output, "output", "o", formatTable, "format of the result: table or json")
	flags.StringVar(&o.report, "report", "", "`FILE` to write the result to as an HTML page with charts")

	fixed := map[string][]string{"load": {loadCalm, loadHot}, "output": {formatTable, formatJSON}}
	for name, values := range fixed {
		must(cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)))
	}
	for name, extensions := range map[string][]string{
		"nodes": {"csv", "gz"}, "pods": {"csv", "gz"}, "series": {"csv", "gz"}, "cluster": {"json", "yaml", "yml", "gz"}, "config": {"yaml", "yml", "json"}, "report": {"html"},
	} {
		must(cmd.MarkFlagFilename(name, extensions...))
	}
	must(cmd.RegisterFlagCompletionFunc("profiles", o.completeProfiles))
	must(cmd.RegisterFlagCompletionFunc("model", completeModel))
	must(cmd.RegisterFlagCompletionFunc("churn", completeChurn))
	for _, name := range []string{"seed", "parallel"} {
		must(cmd.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions))
	}
}

// must is for what only fails if a flag has another name.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// validate reports flags that make no sense, alone or together.
func (o *simulateOptions) validate(cmd *cobra.Command) error {
	files := map[string]string{"nodes": o.nodes, "pods": o.pods, "series": o.series}
	var missing, given []string
	for _, name := range []string{"nodes", "pods", "series"} {
		if files[name] == "" {
			missing = append(missing, "--"+name)
		} else {
			given = append(given, "--"+name)
		}
	}
	switch {
	case o.cluster != "" && len(given) > 0:
		return fmt.Errorf("--cluster and %s are two sources of pods: choose one", strings.Join(given, ", "))
	case len(given) > 0 && len(missing) > 0:
		return fmt.Errorf("%s: %s missing as well; the three are joined (with none of them, pods are generated)",
			strings.Join(given, ", "), isOrAre(missing))
	case o.modelled && o.cluster == "":
		return errors.New("--modelled goes with --cluster: nothing else has recorded use")
	case !slices.Contains([]string{loadCalm, loadHot}, o.load):
		return fmt.Errorf("--load %q: must be %s or %s", o.load, loadCalm, loadHot)
	case !slices.Contains([]string{formatTable, formatJSON}, o.output):
		return fmt.Errorf("--output %q: must be %s or %s", o.output, formatTable, formatJSON)
	case o.parallel < 0:
		return fmt.Errorf("--parallel %d: must be at least 1, or 0 for one a core", o.parallel)
	}
	return nil
}

func isOrAre(names []string) string {
	if len(names) == 1 {
		return names[0] + " is"
	}
	return strings.Join(names, " and ") + " are"
}

// run simulates and prints.
func (o *simulateOptions) run(ctx context.Context, stdout, stderr io.Writer) (err error) {
	policies, err := o.policies()
	if err != nil {
		return err
	}
	scenario, err := o.scenario(stderr)
	if err != nil {
		return err
	}
	page, err := newPage(o.report)
	if err != nil {
		return err
	}
	defer page.discard()

	result, err := simulate(ctx, scenario, policies, o.parallel, stderr)
	if err != nil {
		return err
	}
	if scenario.Recording != nil {
		if err := addRecorded(ctx, scenario, result); err != nil {
			return err
		}
	}
	if err := page.write(result, stderr); err != nil {
		return err
	}
	if o.output == formatJSON {
		encoder := json.NewEncoder(stdout)
		encoder.SetIndent("", "  ")
		return encoder.Encode(result)
	}
	return report.WriteText(stdout, result)
}

// simulate runs the simulation and shows its progress on stderr.
func simulate(ctx context.Context, scenario *sim.Scenario, policies []sim.Policy, parallel int, stderr io.Writer) (*sim.Result, error) {
	names := make([]string, 0, len(policies))
	for _, p := range policies {
		names = append(names, p.Name)
	}
	bars := newProgress(stderr, names, scenario.End)
	result, err := sim.Run(ctx, scenario, policies, sim.Options{Progress: bars.update, Parallel: parallel, Estimates: true})
	bars.stop(err == nil)
	return result, err
}

// addRecorded adds what was recorded to the results, and how well it is replayed.
func addRecorded(ctx context.Context, scenario *sim.Scenario, result *sim.Result) error {
	builtin, err := policy.Builtin()
	if err != nil {
		return err
	}
	for _, p := range builtin {
		if p.Name != policy.Stock {
			continue
		}
		recorded, err := sim.RunRecorded(ctx, scenario, p)
		if err != nil {
			return err
		}
		result.Policies = append(result.Policies, *recorded)
	}
	return nil
}
