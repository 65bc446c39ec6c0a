// Package fit is `kubectl plimsoll fit`: where a pod would go now, how many of it fit, and
// what blocks the next one.
package fit

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/cluster"
	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/leader"
	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/show"
	engine "github.com/plimsoll-scheduler/plimsoll/pkg/fit"
)

// options are the flags.
type options struct {
	file, like string
	replicas   int
	most       int
	snapshot   string
	config     string
	profile    string

	cluster *cluster.Flags
	leader  *leader.Flags
}

// Report is what is printed.
type Report struct {
	// Pod is what was tried, Profile what decided, and From what the cluster was read from.
	Pod      string `json:"pod"`
	Profile  string `json:"profile"`
	From     string `json:"from"`
	Replicas int    `json:"replicas"`
	engine.Answer
	// Notes are what was not looked at, or not as it would be.
	Notes []string `json:"notes,omitempty"`
}

// NewCommand returns the command.
func NewCommand() *cobra.Command {
	o := &options{}
	cmd := &cobra.Command{
		Use:   "fit (-f FILE | --like POD)",
		Short: "Tell where a pod would go now, how many fit, and what blocks the next one",
		Long: `Tell where a pod would go now, how many replicas of it fit before nodes are at their
line, how many would fit by requests alone, and what blocks the next one.

The cluster is copied into this process (its nodes, pods, and what is measured of
them), and the plugins that run in production decide there, by the configuration of
the scheduler that leads and with what it has learned of the workload. Nothing is
created: the API server is asked for a dry run, so that the pod has what admission
would give it.

Pods that wait for a node are not counted: they may come first. Volumes and resource
claims are looked at, those of templates as new ones of each replica's own, but not
with --snapshot. What was not looked at is said below the answer.

The exit status is 0 only if all replicas fit.`,
		Example: `  kubectl plimsoll fit -f deployment.yaml
  kubectl plimsoll fit --like trainer-0 --replicas 20
  kubectl plimsoll fit -f pod.yaml --snapshot DIR --config config.yaml`,
		Args: cobra.NoArgs,
	}
	flags := cmd.Flags()
	flags.StringVarP(&o.file, "filename", "f", "", "A file with a pod, or with something that makes pods, such as a Deployment; - is standard input")
	flags.StringVar(&o.like, "like", "", "The name of a pod, to try others like it")
	flags.IntVar(&o.replicas, "replicas", 0, "How many are to fit; by default as many as the object in the file has, else 1")
	flags.IntVar(&o.most, "max", 500, "Try no more than this many, to see how many fit")
	flags.StringVar(&o.snapshot, "snapshot", "", "Try it on a snapshot of a cluster (a directory, see kubectl plimsoll snapshot) instead of the live one")
	flags.StringVar(&o.config, "config", "", "A KubeSchedulerConfiguration to decide by; by default that of the scheduler that leads, or with --snapshot the recommended one")
	flags.StringVar(&o.profile, "profile", "", "The profile that decides; by default the one that the pod names")
	o.cluster = cluster.AddFlags(cmd)
	o.leader = leader.AddFlags(flags)
	output := show.AddFlags(cmd, false)
	cmd.MarkFlagsMutuallyExclusive("filename", "like")
	cmd.MarkFlagsOneRequired("filename", "like")
	if err := errors.Join(
		cmd.MarkFlagFilename("filename", "yaml", "yml", "json"), cmd.MarkFlagFilename("config", "yaml", "yml", "json"), cmd.MarkFlagDirname("snapshot"),
		cmd.RegisterFlagCompletionFunc("like", func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
			return o.cluster.PodNames(cmd.Context()), cobra.ShellCompDirectiveNoFileComp
		})); err != nil {
		panic(err) // there are such flags
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := errors.Join(o.validate(), output.Validate()); err != nil {
			return err
		}
		report, err := o.ask(cmd.Context(), cmd.InOrStdin(), cmd.ErrOrStderr())
		if err != nil {
			return err
		}
		err = output.Print(cmd.Context(), cmd.OutOrStdout(),
			func(context.Context) (any, error) { return report, nil },
			func(screen show.Screen, _ any) { printReport(screen, output, report) })
		if err != nil {
			return err
		}
		if report.Fit < report.Replicas {
			return fmt.Errorf("%d of %d fit", report.Fit, report.Replicas)
		}
		return nil
	}
	return cmd
}

// mostEver bounds what is tried.
const mostEver = 100_000

func (o *options) validate() error {
	switch {
	case o.replicas < 0 || o.replicas > mostEver: // 0 is not given
		return fmt.Errorf("--replicas %d: must be from 1 to %d", o.replicas, mostEver)
	case o.most < 1 || o.most > mostEver:
		return fmt.Errorf("--max %d: must be from 1 to %d", o.most, mostEver)
	case o.snapshot != "" && o.like != "" && o.file != "":
		return errors.New("--like and --filename cannot be used together")
	}
	return nil
}

// ask copies the cluster and tries it.
func (o *options) ask(ctx context.Context, stdin io.Reader, stderr io.Writer) (*Report, error) {
	r := &Report{}
	from, err := o.source(ctx, stderr)
	if err != nil {
		return nil, err
	}
	defer from.close()
	r.From = from.name
	subject, err := o.subject(ctx, from, stdin)
	if err != nil {
		return nil, err
	}
	r.Pod, r.Notes = subject.name, subject.notes
	if r.Replicas = o.replicas; r.Replicas == 0 {
		r.Replicas = max(1, subject.replicas)
	}
	profile, note, err := o.profileFor(ctx, from, subject.pod)
	if err != nil {
		return nil, err
	}
	r.Notes = append(r.Notes, note...)
	r.Profile = profile.SchedulerName
	notes, err := o.estimate(ctx, from, subject, profile)
	if err != nil {
		return nil, err
	}
	r.Notes = append(r.Notes, notes...)
	if profile, err = engine.Believing(profile); err != nil {
		return nil, err
	}
	copied, err := from.copy(ctx)
	if err != nil {
		return nil, err
	}
	answer, err := engine.Try(ctx, copied, &engine.Question{Profile: profile, Pod: subject.pod, Own: subject.own, Limit: max(o.most, r.Replicas)})
	if err != nil {
		return nil, err
	}
	r.Answer = *answer
	return r, nil
}
