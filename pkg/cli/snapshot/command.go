package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/kubernetes"
	metricsclient "k8s.io/metrics/pkg/client/clientset/versioned"

	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/cluster"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/prometheus"
)

// options are the flags of the command.
type options struct {
	prometheus prometheus.Config
	since      time.Duration
	step       time.Duration
	nodeLabel  string
	match      string
	hashNames  bool
	force      bool
}

// NewCommand returns the command.
func NewCommand() *cobra.Command {
	o := &options{}
	cmd := &cobra.Command{
		Use:   "snapshot DIR",
		Short: "Write what simulations need of a cluster to a directory",
		Long: `Write what simulations need of a cluster to a directory, for
kubectl plimsoll simulate --cluster DIR.

Nodes, pods and what they use at present are read from the API server. With --prometheus,
what happened before is recorded as well, and simulate replays it: when pods were made, got
a node, started and ended, and what their containers used over time (cAdvisor's
container_cpu_usage_seconds_total and container_memory_working_set_bytes). What a pod that
is gone requested, and when it came, is known if Prometheus scrapes kube-state-metrics.
Where nothing was measured there is a gap, and no zero.

The environment, commands and probes of containers are not written. With --hash-names,
names and the values of labels are replaced by hashes, the same for the same name, and
images, annotations and volumes are left out. Keys of labels and taints, and names of
resources, stay.

DIR must not exist, or be empty; with --force it may be an older snapshot, which is
replaced when the new one is complete.`,
		Example: `  kubectl plimsoll snapshot cluster-1

  # With the last day, from a Prometheus in the cluster
  kubectl -n monitoring port-forward service/prometheus-k8s 9090 &
  kubectl plimsoll snapshot cluster-1 --prometheus http://localhost:9090 --since 24h
  kubectl plimsoll simulate --cluster cluster-1`,
		Args: cobra.ExactArgs(1),
	}
	flags := cluster.AddFlags(cmd)
	o.addFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := o.validate(cmd.Flags().Changed); err != nil {
			return err
		}
		config, err := flags.REST()
		if err != nil {
			return err
		}
		client, err := kubernetes.NewForConfig(config)
		if err != nil {
			return err
		}
		metrics, err := metricsclient.NewForConfig(config)
		if err != nil {
			return err
		}
		t := &taker{options: o, client: client, metrics: metrics, out: cmd.OutOrStdout(), warn: cmd.ErrOrStderr(), now: time.Now}
		return t.run(cmd.Context(), args[0])
	}
	return cmd
}

func (o *options) addFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&o.prometheus.Address, "prometheus", "", "`URL` of a Prometheus server, or of what speaks its API: also record use over time")
	flags.StringVar(&o.prometheus.BearerTokenFile, "prometheus-token-file", "", "`FILE` with the token to authenticate there with")
	flags.StringVar(&o.prometheus.CAFile, "prometheus-ca-file", "", "`FILE` with the CAs that may have signed its certificate (default: the system's)")
	flags.DurationVar(&o.since, "since", 24*time.Hour, "how far back to record")
	flags.DurationVar(&o.step, "step", time.Minute, "time between two values, at least two scrape intervals")
	flags.StringVar(&o.nodeLabel, "node-label", "node", "`LABEL` of the kubelets' metrics that has the node's name")
	flags.StringVar(&o.match, "match", "", "`MATCHERS` of PromQL that pick the cluster where a server has several, such as 'cluster=\"prod\"'")
	flags.BoolVar(&o.hashNames, "hash-names", false, "replace names and values of labels by hashes")
	flags.BoolVar(&o.force, "force", false, "replace an older snapshot")
	for _, name := range []string{"prometheus", "since", "step", "node-label", "match"} {
		if err := cmd.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions); err != nil {
			panic(err) // there are such flags
		}
	}
}

// maxSteps is how many values there may be of a series.
const maxSteps = 50_000

// validate reports flags that make no sense, alone or together.
func (o *options) validate(given func(string) bool) error {
	if o.prometheus.Address == "" {
		for _, name := range []string{"prometheus-token-file", "prometheus-ca-file", "since", "step", "node-label", "match"} {
			if given(name) {
				return fmt.Errorf("--%s is of what is recorded: it goes with --prometheus", name)
			}
		}
		return nil
	}
	switch {
	case o.step < time.Second || o.step > time.Hour || o.step%time.Second != 0:
		return fmt.Errorf("--step %v: must be whole seconds, from 1s to 1h", o.step)
	case o.since < o.step:
		return fmt.Errorf("--since %v: must be at least --step, %v", o.since, o.step)
	case o.since/o.step > maxSteps:
		return fmt.Errorf("--since %v has %d steps of %v: must be at most %d; make --step longer", o.since, o.since/o.step, o.step, maxSteps)
	case !labelName.MatchString(o.nodeLabel):
		return fmt.Errorf("--node-label %q: must be the name of a label in Prometheus", o.nodeLabel)
	}
	return nil
}

// taker takes a snapshot.
type taker struct {
	*options
	client    kubernetes.Interface
	metrics   metricsclient.Interface
	out, warn io.Writer
	now       func() time.Time
}

func (t *taker) run(ctx context.Context, dir string) error {
	return writeTo(dir, t.force, func(temporary string) error {
		return t.take(ctx, dir, temporary)
	})
}

// take writes the snapshot that is to be dir into a directory.
func (t *taker) take(ctx context.Context, dir, into string) error {
	s, err := t.read(ctx)
	if err != nil {
		return err
	}
	if t.prometheus.Address != "" {
		if s.recording, err = t.record(ctx, s); err != nil {
			return fmt.Errorf("%w; nothing is written: without --prometheus the snapshot has no use over time", err)
		}
	}
	if t.hashNames {
		h, err := newHasher()
		if err != nil {
			return err
		}
		h.all(s)
	}
	if err := s.write(into); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return t.tell(dir, s)
}

// tell says what the snapshot has.
func (t *taker) tell(dir string, s *state) error {
	fmt.Fprintf(t.out, "%s: %d nodes, %d pods, readings of %d nodes and %d pods\n", dir, len(s.nodes), len(s.pods), len(s.nodeMetrics), len(s.podMetrics))
	r := s.recording
	if r == nil {
		fmt.Fprintln(t.out, "use over time is not recorded: that needs --prometheus")
		return nil
	}
	measured, ended := 0, 0
	for i := range r.Pods {
		if r.Pods[i].CPU.Known() > 0 {
			measured++
		}
		if r.Pods[i].Ended != nil {
			ended++
		}
	}
	fmt.Fprintf(t.out, "recorded from %s to %s in steps of %v: %d pods, %d of which have ended; use of %d pods and %d nodes\n",
		r.From.Format(time.RFC3339), r.To.Format(time.RFC3339), r.Step(), len(r.Pods), ended, measured, len(r.Nodes))
	for _, note := range r.Notes {
		fmt.Fprintln(t.out, "not recorded:", note)
	}
	if measured == 0 {
		return errors.New("no pod has any use")
	}
	return nil
}
