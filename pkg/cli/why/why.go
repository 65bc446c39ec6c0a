// Package why is `kubectl plimsoll why`: where a pod is and why, or why it waits and what
// would help.
package why

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/spf13/cobra"
	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/cluster"
	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/leader"
	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/show"
	"github.com/plimsoll-scheduler/plimsoll/pkg/configfile"
	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
	"github.com/plimsoll-scheduler/plimsoll/pkg/status"
)

// Answer is all that is known of the pod.
type Answer struct {
	Pod       string `json:"pod"` // namespace/name
	Scheduler string `json:"scheduler"`
	Phase     string `json:"phase"`
	// Node is the one that it is on, and Nominated the one that it is to get once pods
	// are gone that it preempts there.
	Node      string `json:"node,omitempty"`
	Nominated string `json:"nominatedNode,omitempty"`
	// Leaving are the pods on Nominated that are about to be gone, as namespace/name.
	// LeavingUnknown says that the user may not see them.
	Leaving        []string  `json:"leaving,omitempty"`
	LeavingUnknown bool      `json:"leavingUnknown,omitempty"`
	Created        time.Time `json:"created"`
	// Group is the pod group that it is scheduled with, as namespace/name, and Members
	// that group's pods.
	Group   string   `json:"group,omitempty"`
	Members *Members `json:"members,omitempty"`
	// Profiles are the scheduler's; Ours says that the pod is of one of them.
	Profiles []string `json:"profiles"`
	Ours     bool     `json:"ours"`
	// Observing are the schedulers that Plimsoll observes instead of placing pods.
	Observing []string `json:"observing,omitempty"`
	// Preempted is what the API server says of a pod that is evicted, and PreemptedBy the
	// event of that, if there is one.
	Preempted   string `json:"preempted,omitempty"`
	PreemptedBy string `json:"preemptedBy,omitempty"`
	// Deleted is when a pod that is being deleted ends at the latest, and Finalizers what
	// keeps it beyond that.
	Deleted    *time.Time `json:"deleted,omitempty"`
	Finalizers []string   `json:"finalizers,omitempty"`
	// Decision is the last one on the pod; absent if the leader has none.
	Decision *explain.Decision `json:"decision,omitempty"`
	// NoDecision says why there is none.
	NoDecision string `json:"noDecision,omitempty"`
	// Scheduled is the message of the pod's condition of that name: the words of the
	// scheduler, of all its plugins.
	Scheduled string `json:"scheduled,omitempty"`
	// Help is what would help a pod that waits.
	Help []string `json:"help,omitempty"`
}

// NewCommand returns the command.
func NewCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "why POD",
		Short: "Tell where a pod is and why, or why it waits and what would help",
		Long: `Tell where a pod is and why, or why it waits, since when, for what, and what would
help.

The numbers are those of the scheduler's last decision on the pod, which the replica
that leads keeps for an hour.`,
		Args: cobra.ExactArgs(1),
	}
	to := cluster.AddFlags(cmd)
	from := leader.AddFlags(cmd.Flags())
	output := show.AddFlags(cmd, true)
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return to.PodNames(cmd.Context()), cobra.ShellCompDirectiveNoFileComp
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := output.Validate(); err != nil {
			return err
		}
		namespace, err := to.Namespace()
		if err != nil {
			return err
		}
		kube, err := to.Client()
		if err != nil {
			return err
		}
		asker := asker{kube: kube, namespace: namespace, name: args[0]}
		if _, err := asker.pod(cmd.Context()); errors.Is(err, ErrNoPod) { // before the leader is sought
			return fmt.Errorf("%w (for another one say -n)", err)
		} else if err != nil {
			return err
		}
		client, err := from.Connect(cmd.Context(), to)
		if err != nil {
			return err
		}
		defer client.Close()
		return output.Print(cmd.Context(), cmd.OutOrStdout(),
			func(ctx context.Context) (any, error) { return Ask(ctx, kube, client, namespace, args[0]) },
			func(screen show.Screen, answer any) { printAnswer(screen, output, answer.(*Answer)) })
	}
	return cmd
}

// Scheduler is the leader, as a leader.Client asks it.
type Scheduler interface {
	Get(ctx context.Context, path string, query url.Values, into any) error
	GetRaw(ctx context.Context, path string, query url.Values) ([]byte, error)
}

// ErrNoPod is in the error for a pod that does not exist.
var ErrNoPod = errors.New("there is no pod")

// Ask returns all that is known of a pod now, by the API server and by the leader.
func Ask(ctx context.Context, kube kubernetes.Interface, from Scheduler, namespace, name string) (*Answer, error) {
	asker := asker{kube: kube, leader: from, namespace: namespace, name: name}
	return asker.ask(ctx)
}

// asker asks about one pod.
type asker struct {
	kube            kubernetes.Interface
	leader          Scheduler
	namespace, name string
}

func (a *asker) pod(ctx context.Context) (*v1.Pod, error) {
	pod, err := a.kube.CoreV1().Pods(a.namespace).Get(ctx, a.name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, a.noPod(ctx)
	}
	return pod, cluster.Lacking(err, a.namespace, cluster.Rule{Resources: "pods", Verbs: "get, list"})
}

// ask returns all that is known of the pod now.
func (a *asker) ask(ctx context.Context) (*Answer, error) {
	pod, err := a.pod(ctx)
	if err != nil {
		return nil, err
	}
	answer := answerOf(pod)
	a.going(ctx, pod, answer)
	header := status.Header{}
	if err := a.leader.Get(ctx, status.ProfilePath, nil, &header); err != nil {
		return nil, err
	}
	answer.Profiles, answer.Observing = header.Profiles, header.Observing
	answer.Ours = slices.Contains(header.Profiles, answer.Scheduler)
	if !answer.Ours { // it may be observed
		if err := a.decision(ctx, pod, answer); err != nil {
			return nil, err
		}
		return answer, nil
	}
	if err := a.group(ctx, pod, answer); err != nil {
		return nil, err
	}
	if err := a.leaving(ctx, answer); err != nil {
		return nil, err
	}
	if err := a.decision(ctx, pod, answer); err != nil {
		return nil, err
	}
	if answer.Node == "" && answer.Phase == string(v1.PodPending) && answer.Nominated == "" {
		decision, err := a.decisive(ctx, answer)
		if err != nil {
			return nil, err
		}
		answer.Help = help(pod, decision, a.arguments(ctx, answer.Scheduler))
	}
	return answer, nil
}

// answerOf returns what the pod itself tells.
func answerOf(pod *v1.Pod) *Answer {
	answer := &Answer{
		Pod: pod.Namespace + "/" + pod.Name, Scheduler: pod.Spec.SchedulerName, Phase: string(pod.Status.Phase), Node: pod.Spec.NodeName,
		Nominated: pod.Status.NominatedNodeName, Created: pod.CreationTimestamp.Time,
	}
	for i := range pod.Status.Conditions {
		if c := &pod.Status.Conditions[i]; c.Type == v1.PodScheduled && c.Status != v1.ConditionTrue {
			answer.Scheduled = c.Message
		}
	}
	return answer
}

// decision tells of the scheduler's last decision on the pod.
func (a *asker) decision(ctx context.Context, pod *v1.Pod, answer *Answer) error {
	decision := &explain.Decision{}
	err := a.leader.Get(ctx, explain.Path, url.Values{"pod": {answer.Pod}}, decision)
	switch {
	case errors.Is(err, leader.ErrNotFound):
		answer.NoDecision = noDecision(pod)
	case err != nil:
		return err
	case decision.UID != pod.UID:
		answer.NoDecision = "the last decision is on a pod that had the same name before; " + noDecision(pod)
	default:
		answer.Decision = decision
	}
	return nil
}

// noDecision says why there may be none.
func noDecision(pod *v1.Pod) string {
	switch {
	case len(pod.Spec.SchedulingGates) > 0:
		return fmt.Sprintf("it has scheduling gates (%s): no scheduler tries it before they are removed", pod.Spec.SchedulingGates[0].Name)
	case pod.Spec.NodeName != "":
		return "the leader keeps the last 2,000 decisions, for an hour, and none that a replica before it made"
	}
	return "it has not been tried yet by the replica that leads, or was rejected before Plimsoll's plugins were asked"
}

// arguments returns NodeLoad's arguments in the profile; nil if they cannot be had.
func (a *asker) arguments(ctx context.Context, profile string) *config.NodeLoadArgs {
	content, err := a.leader.GetRaw(ctx, status.ConfigurationPath, nil)
	if err != nil {
		return nil
	}
	cfg, err := configfile.Decode(content)
	if err != nil {
		return nil
	}
	profiles, faults := config.DecodeProfiles(cfg.Profiles)
	if len(faults) > 0 {
		return nil
	}
	return profiles[profile]
}
