package dashboard

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/clock"

	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/leader"
	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/why"
	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
	"github.com/plimsoll-scheduler/plimsoll/pkg/status"
)

const (
	// timeout is for all that one question of a tab takes.
	timeout = 40 * time.Second
	// maxDecisions is how many decisions are shown.
	maxDecisions = 20
	// podsKept is how long the list of all pods, which is large, serves searches.
	podsKept = 20 * time.Second
	// maxFound is how many pods a search finds.
	maxFound = 50
)

// feed asks the leader for all tabs: what was asked less than every ago is not asked
// again, and nothing is asked that no tab wants to know.
type feed struct {
	ctx   context.Context // of the command: an answer is for other tabs, too, when one has gone
	link  *link
	kube  kubernetes.Interface
	every time.Duration
	clock clock.PassiveClock

	mu     sync.Mutex        // held while the leader is asked for a state
	states map[string]*State // by profile

	podsMu sync.Mutex
	pods   []FoundPod
	podsAt time.Time
}

func newFeed(ctx context.Context, link *link, kube kubernetes.Interface, every time.Duration) *feed {
	return &feed{ctx: ctx, link: link, kube: kube, every: every, clock: clock.RealClock{}, states: map[string]*State{}}
}

// state returns the state by the profile; by the first one if it is empty. If the leader
// cannot be asked, it is the last one with its age, and what is wrong. The error is for a
// profile that there is not.
func (f *feed) state(profile string) (*State, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	last := f.states[profile]
	if last == nil || f.clock.Since(last.asked) >= f.every {
		var err error
		if last, err = f.refresh(profile, last); err != nil {
			return nil, err
		}
	}
	answer := *last
	answer.AgeSeconds = f.clock.Since(answer.taken).Seconds()
	answer.NextSeconds = max(0, f.every-f.clock.Since(answer.asked)).Seconds()
	return &answer, nil
}

// refresh asks the leader, and keeps what it says.
func (f *feed) refresh(profile string, last *State) (*State, error) {
	ctx, cancel := context.WithTimeout(f.ctx, timeout)
	defer cancel()
	state, err := f.take(ctx, profile, last)
	if errors.Is(err, leader.ErrNotFound) {
		return nil, err
	}
	now := f.clock.Now()
	switch {
	case err == nil:
		state.taken = now
	case last == nil:
		state = &State{Error: err.Error(), taken: now}
	default:
		kept := *last
		kept.Error, state = err.Error(), &kept
	}
	state.asked = now
	if profile == "" || !state.Time.IsZero() { // there is such a profile
		f.states[profile] = state
	}
	return state, nil
}

// take asks for all that the page shows.
func (f *feed) take(ctx context.Context, profile string, last *State) (state *State, err error) {
	f.link.check(ctx)
	query := url.Values{}
	if profile != "" {
		query.Set("profile", profile)
	}
	err = f.link.ask(ctx, func(to scheduler) error {
		nodes := status.Nodes{}
		if err := to.Get(ctx, status.NodesPath, query, &nodes); err != nil {
			return err
		}
		state = &State{Header: nodes.Header, Leader: to.Who(), Nodes: nodes.Nodes}
		all := struct {
			Decisions []explain.Summary `json:"decisions"`
		}{}
		if err := to.Get(ctx, explain.Path, nil, &all); err != nil {
			return err
		}
		if err := state.addWaiting(ctx, f.kube, all.Decisions); err != nil {
			return err
		}
		return state.addDecisions(ctx, to, all.Decisions, last)
	})
	return state, err
}

// addDecisions adds the last decisions of the profile, with the numbers of the node that
// was chosen. Those that the last state has are not asked for again.
func (s *State) addDecisions(ctx context.Context, from scheduler, decisions []explain.Summary, last *State) error {
	s.Decisions = []Decision{}
	for i := range decisions {
		summary := &decisions[i]
		if summary.Profile != s.Profile {
			continue
		}
		if len(s.Decisions) == maxDecisions {
			return nil
		}
		d := Decision{Summary: *summary}
		if known := last.decision(summary); known != nil {
			d.Chosen = known.Chosen
		} else if summary.Node != "" {
			var err error
			if d.Chosen, err = chosen(ctx, from, summary); err != nil {
				return err
			}
		}
		s.Decisions = append(s.Decisions, d)
	}
	return nil
}

// decision returns the decision if the state has it, else nil. s may be nil.
func (s *State) decision(of *explain.Summary) *Decision {
	if s == nil {
		return nil
	}
	for i := range s.Decisions {
		if d := &s.Decisions[i]; d.UID == of.UID && d.Time.Equal(of.Time) {
			return d
		}
	}
	return nil
}

// chosen returns the numbers of the node that was chosen; nil if there is another
// decision on the pod, or none any more.
func chosen(ctx context.Context, from scheduler, of *explain.Summary) (*explain.Node, error) {
	full := explain.Decision{}
	err := from.Get(ctx, explain.Path, url.Values{"pod": {of.Pod}}, &full)
	if errors.Is(err, leader.ErrNotFound) {
		return nil, nil
	}
	if err != nil || !full.Time.Equal(of.Time) {
		return nil, err
	}
	for i := range full.Nodes {
		if full.Nodes[i].Name == of.Node {
			return &full.Nodes[i], nil
		}
	}
	return nil, nil
}

// podsOn returns the pods on a node.
func (f *feed) podsOn(node, profile string) (pods *status.Pods, err error) {
	ctx, cancel := context.WithTimeout(f.ctx, timeout)
	defer cancel()
	pods = &status.Pods{}
	err = f.link.ask(ctx, func(to scheduler) error {
		return to.Get(ctx, status.PodsPath, url.Values{"node": {node}, "profile": {profile}}, pods)
	})
	return pods, err
}

// why returns all that is known of a pod.
func (f *feed) why(namespace, name string) (answer *why.Answer, err error) {
	ctx, cancel := context.WithTimeout(f.ctx, timeout)
	defer cancel()
	err = f.link.ask(ctx, func(to scheduler) (err error) {
		answer, err = why.Ask(ctx, f.kube, to, namespace, name)
		return err
	})
	return answer, err
}

// find returns pods with the text in their name or NAMESPACE/NAME: at most maxFound, in
// the order of their names.
func (f *feed) find(text string) (found []FoundPod, err error) {
	all, err := f.allPods()
	if err != nil {
		return nil, err
	}
	found = []FoundPod{}
	for _, pod := range all {
		if len(found) == maxFound {
			break
		}
		if strings.Contains(pod.Pod, text) {
			found = append(found, pod)
		}
	}
	return found, nil
}

// allPods returns those that wait and those on nodes.
func (f *feed) allPods() ([]FoundPod, error) {
	f.podsMu.Lock()
	defer f.podsMu.Unlock()
	if f.pods != nil && f.clock.Since(f.podsAt) < podsKept {
		return f.pods, nil
	}
	ctx, cancel := context.WithTimeout(f.ctx, timeout)
	defer cancel()
	onNodes := status.Pods{}
	err := f.link.ask(ctx, func(to scheduler) error { return to.Get(ctx, status.PodsPath, nil, &onNodes) })
	if err != nil {
		return nil, err
	}
	pods := f.waiting()
	for i := range onNodes.Pods {
		pod := &onNodes.Pods[i]
		pods = append(pods, FoundPod{Pod: pod.Namespace + "/" + pod.Name, Node: pod.Node})
	}
	slices.SortFunc(pods, func(a, b FoundPod) int { return strings.Compare(a.Pod, b.Pod) })
	f.pods, f.podsAt = pods, f.clock.Now()
	return pods, nil
}

// waiting returns the pods that wait, as far as a tab has been told of them.
func (f *feed) waiting() []FoundPod {
	f.mu.Lock()
	defer f.mu.Unlock()
	names := map[string]bool{}
	for _, state := range f.states {
		for i := range state.Waiting {
			names[state.Waiting[i].Pod] = true
		}
	}
	pods := make([]FoundPod, 0, len(names))
	for name := range names {
		pods = append(pods, FoundPod{Pod: name})
	}
	return pods
}
