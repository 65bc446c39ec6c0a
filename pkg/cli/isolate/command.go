package isolate

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/cluster"
	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/show"
)

// options are the flags of the command.
type options struct {
	undo, del     bool
	list, overdue bool
	allNamespaces bool
	length        time.Duration
	reason        string
	unreplaced    bool
	dryRun        bool
	show          *show.Flags
}

// NewCommand returns the command.
func NewCommand() *cobra.Command {
	o := &options{}
	cmd := &cobra.Command{
		Use:   "isolate POD",
		Short: "Take a bad pod out of service, and keep it for analysis",
		Long: `Take a bad pod out of service, and keep it for analysis.

The labels by which Services, its controller and disruption budgets know the pod are
taken off. So it gets no new traffic, and its controller makes another in its place,
while it stays on its node as it is, with its devices, which stay counted. Preemption by
Plimsoll spares it (but for pods that the system depends on), and annotations ask
descheduler, cluster-autoscaler and Karpenter to leave it alone. What it was before is
remembered in its annotation plimsoll.io/isolated.

What is concerned is printed before anything is done, and with --dry-run nothing is.

--undo puts the labels back. The controller has one pod too many then, and deletes one,
which may be this one. --undo --delete deletes the pod instead.

--for only says how long it is meant to last: nothing in the cluster ends it. --list
shows which pods are overdue, and --undo --overdue ends the isolation of those.

Refused are pods that could not be kept or replaced in this way: static ones, those that
have ended, wait for a node or are being deleted, pods of StatefulSets, Jobs and
controllers that are not known; pods of DaemonSets if no second one fits on their node;
pods that nothing would replace, unless --unreplaced allows it; and pods that a Service or
controller would select without any label.`,
		Example: `  # See what is concerned, and do it
  kubectl plimsoll isolate web-7d4b9-x2x7q --dry-run
  kubectl plimsoll isolate web-7d4b9-x2x7q --for 2h --reason "answers with 500"

  # Which pods are isolated, and whose time is over
  kubectl plimsoll isolate --list -A

  # Put it back, or get rid of it
  kubectl plimsoll isolate web-7d4b9-x2x7q --undo
  kubectl plimsoll isolate web-7d4b9-x2x7q --undo --delete`,
		Args: cobra.MaximumNArgs(1),
	}
	flags := cluster.AddFlags(cmd)
	o.addFlags(cmd)
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return flags.PodNames(cmd.Context()), cobra.ShellCompDirectiveNoFileComp
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := o.validate(args, cmd.Flags().Changed("for")); err != nil {
			return err
		}
		client, err := flags.Client()
		if err != nil {
			return err
		}
		namespace, err := flags.Namespace()
		if err != nil {
			return err
		}
		r := &runner{options: o, client: client, namespace: namespace, out: cmd.OutOrStdout(), now: time.Now}
		return r.run(cmd.Context(), args)
	}
	return cmd
}

func (o *options) addFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&o.undo, "undo", false, "put the pod back: its labels are as they were")
	flags.BoolVar(&o.del, "delete", false, "with --undo: delete the pod instead")
	flags.BoolVar(&o.overdue, "overdue", false, "with --undo or --list, instead of POD: all pods that have been isolated for longer than --for said")
	flags.BoolVar(&o.list, "list", false, "list the pods that are isolated")
	flags.BoolVarP(&o.allNamespaces, "all-namespaces", "A", false, "with --list or --overdue: those of all namespaces")
	flags.DurationVar(&o.length, "for", 0, "how long it is meant to last, such as 2h: it is remembered, and nothing more (default: until it is undone)")
	flags.StringVar(&o.reason, "reason", "", "why, in a few words: it is remembered")
	flags.BoolVar(&o.unreplaced, "unreplaced", false, "isolate the pod also if no other comes in its place")
	flags.BoolVar(&o.dryRun, "dry-run", false, "show what is concerned, and whether it is allowed, and do nothing")
	o.show = show.AddFlags(cmd, false)
	for _, name := range []string{"for", "reason"} {
		if err := cmd.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions); err != nil {
			panic(err) // there are such flags
		}
	}
}

// longestReason bounds --reason, in bytes.
const longestReason = 1000

// validate reports flags that make no sense, alone or together.
func (o *options) validate(args []string, timed bool) error {
	many := o.list || o.overdue
	switch {
	case many && len(args) > 0:
		return fmt.Errorf("%s: --list and --overdue are about all pods, so name none", args[0])
	case !many && len(args) == 0:
		return errors.New("name the pod, or say --list")
	case o.list && (o.undo || o.del):
		return errors.New("--list only shows: leave out --undo and --delete, or --list")
	case o.overdue && !o.undo && !o.list:
		return errors.New("--overdue goes with --undo or --list")
	case o.del && !o.undo:
		return errors.New("--delete goes with --undo: a pod that is not isolated is deleted by kubectl delete pod")
	case o.allNamespaces && !many:
		return errors.New("--all-namespaces goes with --list or --overdue: a pod is in one namespace, which --namespace says")
	case (o.undo || o.list) && (timed || o.reason != "" || o.unreplaced):
		return errors.New("--for, --reason and --unreplaced are of a pod that is isolated now: leave them out with --undo and --list")
	case timed && o.length <= 0:
		return fmt.Errorf("--for %v: must be above 0, such as 2h", o.length)
	case len(o.reason) > longestReason:
		return fmt.Errorf("--reason has %d bytes: must be at most %d", len(o.reason), longestReason)
	}
	return o.show.Validate()
}
