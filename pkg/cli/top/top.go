// Package top is `kubectl plimsoll top`: what the scheduler knows of nodes, pods,
// workloads and devices now.
package top

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/cluster"
	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/leader"
	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/show"
)

// NewCommand returns the command.
func NewCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Show what the scheduler knows of nodes, pods, workloads and devices now",
		Long: `Show what the scheduler knows now: of nodes (the default), of the pods on them, of
workloads that it learns from, or of devices.

It is asked of the replica that leads, through the API server (kubectl's own
port-forward), with your own credentials. The ClusterRole and the Role
plimsoll:viewer have the rights that it takes.`,
		Args: cobra.NoArgs,
	}
	nodes := newSubject(nodes)
	cmd.RunE, cmd.ValidArgsFunction = nodes.RunE, nil
	cmd.Flags().AddFlagSet(nodes.Flags())
	cmd.AddCommand(nodes, newSubject(pods), newSubject(workloads), newSubject(devices))
	return cmd
}

// subject is something that can be shown.
type subject struct {
	use, short, long string
	// namespaced says that it is of one namespace, or of all with --all-namespaces.
	namespaced bool
	// sorts are the values of --sort-by, the default first; filters those of --only.
	sorts, filters []string
	// get returns what the scheduler answers, with what is not wanted left out.
	get func(ctx context.Context, from *leader.Client, o *options) (any, error)
	// table returns it as a table.
	table func(screen show.Screen, answer any) *show.Table
}

// options are the flags and arguments of a subject.
type options struct {
	names     []string
	profile   string
	sortBy    string
	only      []string
	namespace string // empty is all
}

// wants reports whether what has the name is to be shown: all are without arguments.
func (o *options) wants(name string) bool { return len(o.names) == 0 || slices.Contains(o.names, name) }

// query returns the query that all subjects have.
func (o *options) query() url.Values {
	query := url.Values{}
	if o.profile != "" {
		query.Set("profile", o.profile)
	}
	return query
}

func newSubject(s subject) *cobra.Command {
	o, all := &options{}, false
	cmd := &cobra.Command{Use: s.use, Short: s.short, Long: s.long}
	to := cluster.AddFlags(cmd)
	from := leader.AddFlags(cmd.Flags())
	output := show.AddFlags(cmd, true)
	flags := cmd.Flags()
	flags.StringVar(&o.profile, "profile", "", "The scheduler's profile by whose line and devices nodes are judged; by default its first")
	flags.StringVar(&o.sortBy, "sort-by", s.sorts[0], "What to sort by: "+strings.Join(s.sorts, ", "))
	complete(cmd, "sort-by", s.sorts)
	if len(s.filters) > 0 {
		flags.StringSliceVar(&o.only, "only", nil, "Show only what is all of these: "+strings.Join(s.filters, ", "))
		complete(cmd, "only", s.filters)
	}
	if s.namespaced {
		flags.BoolVarP(&all, "all-namespaces", "A", false, "Show those of all namespaces")
	}
	cmd.ValidArgsFunction = s.completion(to, o)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		o.names = args
		if err := o.validate(&s, output); err != nil {
			return err
		}
		if s.namespaced && !all {
			var err error
			if o.namespace, err = to.Namespace(); err != nil {
				return err
			}
		}
		client, err := from.Connect(cmd.Context(), to)
		if err != nil {
			return err
		}
		defer client.Close()
		return output.Print(cmd.Context(), cmd.OutOrStdout(),
			func(ctx context.Context) (any, error) { return s.get(ctx, client, o) },
			func(screen show.Screen, answer any) { output.PrintTable(screen, s.table(screen, answer)) })
	}
	return cmd
}

func complete(cmd *cobra.Command, flag string, values []string) {
	if err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // there is such a flag
	}
}

// completion completes names, as far as the API server knows them.
func (s *subject) completion(to *cluster.Flags, o *options) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		var names []string
		switch {
		case strings.HasPrefix(s.use, "nodes"):
			names = to.NodeNames(cmd.Context())
		case strings.HasPrefix(s.use, "pods"):
			names = to.PodNames(cmd.Context())
		}
		return slices.DeleteFunc(names, func(name string) bool { return slices.Contains(args, name) }), cobra.ShellCompDirectiveNoFileComp
	}
}

func (o *options) validate(s *subject, output *show.Flags) error {
	if !slices.Contains(s.sorts, o.sortBy) {
		return fmt.Errorf("--sort-by %q: must be one of %s", o.sortBy, strings.Join(s.sorts, ", "))
	}
	for _, filter := range o.only {
		if !slices.Contains(s.filters, filter) {
			return fmt.Errorf("--only %q: must be one of %s", filter, strings.Join(s.filters, ", "))
		}
	}
	return output.Validate()
}

// missing returns an error if something that was named is not there.
func (o *options) missing(kind string, found []string) error {
	for _, name := range o.names {
		if !slices.Contains(found, name) {
			where := ""
			if o.namespace != "" {
				where = " in the namespace " + o.namespace
			}
			return fmt.Errorf("%w: the scheduler knows no %s %s%s", leader.ErrNotFound, kind, name, where)
		}
	}
	return nil
}

// sortBy sorts by falling numbers, and by rising names where there is no number or
// numbers are equal.
func sortBy[T any](items []T, number func(*T) float64, name func(*T) string) {
	slices.SortStableFunc(items, func(a, b T) int {
		order := 0
		if number != nil {
			order = cmp.Compare(number(&b), number(&a))
		}
		return cmp.Or(order, cmp.Compare(name(&a), name(&b)))
	})
}
