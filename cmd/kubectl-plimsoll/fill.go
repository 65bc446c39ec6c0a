package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"gonum.org/v1/gonum/stat"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input/warning"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/policy"
)

// fillOptions are the flags of the command fill.
type fillOptions struct {
	nodes    string
	pods     []string
	seeds    int
	load     bool
	plimsoll bool
	marks    []float64
	parallel int
	output   string
}

// fillRow is what filling up with one list of pods came to under one policy.
type fillRow struct {
	Pods   string `json:"pods"`
	Policy string `json:"policy"`
	// Points has the values of each mark, a list by seed.
	Points [][]sim.FillPoint `json:"points"`
}

func newFillCommand() *cobra.Command {
	o := &fillOptions{}
	cmd := &cobra.Command{
		Use:   "fill",
		Short: "Tell how well device placement strategies fill a cluster",
		Long: `Tell how well device placement strategies fill a cluster.

Pods come one after another until they ask for more devices than there are, and
none goes. What is compared: how many devices are allocated, how many pods with
two or more devices got a node, and how many of the free devices are fragments,
which a pod drawn from the list could not use where they are. Each seed has the
nodes in another order, by which ties are broken.

The strategies are those of DeviceFit alone, kube-scheduler's defaults, and random
placement. Shares of a GPU count as a whole one. When all pods of the list have
come, they come again.

Files may be compressed by gzip. What is odd in them is left out, with a warning that
says where and why; what cannot be read is an error.`,
		Example: `  kubectl plimsoll fill --nodes openb_node_list_gpu_node.csv \
    --pods openb_pod_list_default.csv,openb_pod_list_multigpu20.csv,openb_pod_list_multigpu30.csv --seeds 10`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.validate(); err != nil {
				return err
			}
			return o.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.nodes, "nodes", "", "`FILE` with nodes, in openb's format (default: generated)")
	flags.StringSliceVar(&o.pods, "pods", nil, "`FILES` with pods, in openb's format (default: generated)")
	flags.IntVar(&o.seeds, "seeds", 3, "`NUMBER` of seeds, from 1")
	flags.BoolVar(&o.load, "with-load", false, "a third of the nodes have 70 to 95 % of their CPU in use by something else, and pods use 60 % of what they request")
	flags.BoolVar(&o.plimsoll, "profile", false, "also Plimsoll's recommended profile as a whole")
	flags.Float64SliceVar(&o.marks, "marks", []float64{1, 1.3}, "when to look: when pods have asked for these `PARTS` of all devices")
	flags.IntVar(&o.parallel, "parallel", 0, "simulations at the same time (default: one a core)")
	flags.StringVarP(&o.output, "output", "o", formatTable, "format of the result: table or json")
	must(cmd.MarkFlagFilename("nodes", "csv", "gz"))
	must(cmd.MarkFlagFilename("pods", "csv", "gz"))
	must(cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{formatTable, formatJSON}, cobra.ShellCompDirectiveNoFileComp)))
	for _, name := range []string{"seeds", "marks", "parallel"} {
		must(cmd.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions))
	}
	return cmd
}

func (o *fillOptions) validate() error {
	switch {
	case (o.nodes == "") != (len(o.pods) == 0):
		return errors.New("--nodes and --pods go together (with neither, a cluster is generated)")
	case o.seeds < 1 || o.seeds > 1000:
		return fmt.Errorf("--seeds %d: must be between 1 and 1000", o.seeds)
	case o.parallel < 0:
		return fmt.Errorf("--parallel %d: must be at least 1, or 0 for one a core", o.parallel)
	case o.output != formatTable && o.output != formatJSON:
		return fmt.Errorf("--output %q: must be %s or %s", o.output, formatTable, formatJSON)
	case len(o.marks) == 0:
		return errors.New("--marks: at least one")
	}
	for i, mark := range o.marks {
		if !(mark > 0 && mark <= 10) || i > 0 && mark <= o.marks[i-1] {
			return fmt.Errorf("--marks %v: each must be above the one before, above 0 and at most 10", o.marks)
		}
	}
	return nil
}

func (o *fillOptions) policies() ([]sim.Policy, error) {
	policies, err := policy.Strategies()
	if err != nil {
		return nil, err
	}
	builtin, err := policy.Builtin()
	if err != nil {
		return nil, err
	}
	for _, p := range builtin {
		if p.Name == policy.Stock || o.plimsoll {
			// As the others: all nodes are looked at.
			all := int32(100)
			p.Profile.PercentageOfNodesToScore = &all
			policies = append(policies, p)
		}
	}
	return policies, nil
}

// source is where the scenarios of a row of the result come from.
type source struct {
	name     string
	scenario func(seed uint64) (*sim.Scenario, error)
}

// sources reads the files, each once. What is odd about those that are read all the same
// it says on stderr.
func (o *fillOptions) sources(stderr io.Writer) ([]source, error) {
	// Next to nothing, but not nothing: zero of a node where containers run is no news.
	f := input.Filling{Ask: o.marks[len(o.marks)-1], Use: 0.01}
	if o.load {
		f.Hot, f.HotFrom, f.HotTo, f.Use = 1./3, 0.70, 0.95, 0.6
	}
	if o.nodes == "" {
		return []source{{"generated", func(seed uint64) (*sim.Scenario, error) {
			return input.FillSynthetic(input.Calm().Nodes, f, seed)
		}}}, nil
	}
	var warnings warning.List
	defer func() { warnings.Print(stderr) }()
	nodes, err := input.ReadNodes(o.nodes, &warnings)
	if err != nil {
		return nil, err
	}
	var all []source
	for _, file := range o.pods {
		pods, err := input.ReadPods(file, nodes, &warnings)
		if err != nil {
			return nil, err
		}
		all = append(all, source{pods.Name, func(seed uint64) (*sim.Scenario, error) {
			return pods.Fill(nodes, f, seed)
		}})
	}
	return all, nil
}

func (o *fillOptions) run(ctx context.Context, stdout, stderr io.Writer) error {
	policies, err := o.policies()
	if err != nil {
		return err
	}
	sources, err := o.sources(stderr)
	if err != nil {
		return err
	}
	var rows []*fillRow
	group, ctx := errgroup.WithContext(ctx)
	if o.parallel == 0 {
		o.parallel = runtime.NumCPU()
	}
	group.SetLimit(o.parallel)
	var mu sync.Mutex
	done, all := 0, len(sources)*len(policies)*o.seeds
	for _, from := range sources {
		for _, p := range policies {
			row := &fillRow{Pods: from.name, Policy: p.Name, Points: make([][]sim.FillPoint, len(o.marks))}
			for i := range row.Points {
				row.Points[i] = make([]sim.FillPoint, o.seeds)
			}
			rows = append(rows, row)
			for seed := range o.seeds {
				group.Go(func() error {
					if err := o.fill(ctx, from, p, seed, row); err != nil {
						return err
					}
					mu.Lock()
					defer mu.Unlock()
					done++
					showCount(stderr, done, all)
					return nil
				})
			}
		}
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if o.output == formatJSON {
		encoder := json.NewEncoder(stdout)
		encoder.SetIndent("", "  ")
		return encoder.Encode(rows)
	}
	o.print(stdout, rows)
	return nil
}

// fill fills the cluster once.
func (o *fillOptions) fill(ctx context.Context, from source, p sim.Policy, seed int, row *fillRow) error {
	scenario, err := from.scenario(uint64(seed) + 1)
	if err != nil {
		return err
	}
	result, err := sim.Run(ctx, scenario, []sim.Policy{p}, sim.Options{Parallel: 1})
	if err != nil {
		return err
	}
	for i, point := range scenario.FillPoints(result.Policies[0].Timeline.Placements, o.marks...) {
		row.Points[i][seed] = point
	}
	return nil
}

// print writes the table: of each value the mean over seeds, and how far the
// seeds are apart.
func (o *fillOptions) print(w io.Writer, rows []*fillRow) {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Options = table.OptionsNoBordersAndSeparators
	header := table.Row{"pods", "policy"}
	for _, mark := range o.marks {
		for _, name := range []string{"allocated", "multi placed", "fragments"} {
			header = append(header, fmt.Sprintf("%s @%.0f%%", name, 100*mark))
		}
		if o.load {
			header = append(header, fmt.Sprintf("starved @%.0f%%", 100*mark))
		}
	}
	t.AppendHeader(header)
	for _, row := range rows {
		cells := table.Row{row.Pods, row.Policy}
		for _, points := range row.Points {
			cells = append(cells,
				spread(points, func(p sim.FillPoint) float64 { return p.AllocatedPercent }),
				spread(points, func(p sim.FillPoint) float64 { return p.MultiPlacedPercent }),
				spread(points, func(p sim.FillPoint) float64 { return p.FragmentPercent }))
			if o.load {
				cells = append(cells, spread(points, func(p sim.FillPoint) float64 { return p.StarvedPercent }))
			}
		}
		t.AppendRow(cells)
	}
	fmt.Fprintf(w, "%s\nallocated: percent of devices; multi placed: percent of the pods with two or more devices; fragments: percent of the free devices;\n", t.Render())
	if o.load {
		fmt.Fprintln(w, "starved: percent of the allocated devices that are on nodes with more CPU demand than they have;")
	}
	fmt.Fprintf(w, "mean and standard deviation of %d seeds\n", o.seeds)
}

func spread(points []sim.FillPoint, of func(sim.FillPoint) float64) string {
	values := make([]float64, len(points))
	for i, p := range points {
		values[i] = of(p)
	}
	mean, deviation := stat.PopMeanStdDev(values, nil)
	return fmt.Sprintf("%.2f ±%.2f", mean, deviation)
}
