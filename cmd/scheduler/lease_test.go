package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"
	testingclock "k8s.io/utils/clock/testing"
)

func TestASecondSchedulerNeedsALeaseOfItsOwn(t *testing.T) {
	const (
		second  = header + "profiles: [{schedulerName: plimsoll}, {schedulerName: other}]\n"
		instead = header + "profiles: [{schedulerName: plimsoll}, {schedulerName: default-scheduler}]\n"
		nameOff = header + "profiles: [{}]\n" // which means default-scheduler
		own     = "leaderElection: {resourceName: plimsoll, resourceNamespace: plimsoll-system}\n"
		refused = `leaderElection.resourceName: Invalid value: "kube-scheduler": in the namespace kube-system this is the lease of the cluster's own scheduler`
		toDo    = "needs a lease of its own: leaderElection: {resourceName: plimsoll, resourceNamespace: plimsoll-system}"
	)
	for _, test := range []struct {
		name, configuration string
		flags               []string
		refused             bool
	}{
		{"no leaderElection", second, nil, true},
		{"a lease of its own", second + own, nil, false},
		{"of its own by name", second + "leaderElection: {resourceName: plimsoll}\n", nil, false},
		{"of its own by namespace", second + "leaderElection: {resourceNamespace: plimsoll-system}\n", nil, false},
		{"no lease at all", second + "leaderElection: {leaderElect: false}\n", nil, false},
		{"no lease at all, by a flag", second, []string{"--leader-elect=false"}, false},
		{"of its own by a flag", second, []string{"--leader-elect-resource-name=plimsoll"}, false},
		{"the cluster's by a flag", second + "leaderElection: {resourceName: plimsoll}\n", []string{"--leader-elect-resource-name=kube-scheduler"}, true},
		{"in the place of the cluster's own", instead, nil, false},
		{"in the place of the cluster's own, by default", nameOff, nil, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			out, code := setUpWith(t, test.configuration, test.flags...)
			if (code != 0) != test.refused || strings.Contains(out, refused) != test.refused || strings.Contains(out, toDo) != test.refused {
				t.Errorf("exit status %d, want that the start is refused: %t; it printed:\n%s", code, test.refused, out)
			}
		})
	}
}

func TestTheLeaseIsOneOfAllFaults(t *testing.T) {
	out, code := setUpWith(t, profile("  - name: NodeLoad\n    args: {window: 1h, stalePolicy: Guess}\n"))
	if code == 0 || !strings.Contains(out, "leaderElection.resourceName: ") || !strings.Contains(out, "args.stalePolicy: ") {
		t.Errorf("exit status %d: %s", code, out)
	}
}

// heldLock is a lock that somebody holds.
type heldLock struct {
	resourcelock.Interface
	holder string
	err    error
}

func (l *heldLock) Get(context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	return &resourcelock.LeaderElectionRecord{HolderIdentity: l.holder}, nil, l.err
}
func (*heldLock) Identity() string { return "ours" }
func (*heldLock) Describe() string { return "kube-system/kube-scheduler" }

func TestWhoHoldsTheLeaseIsSaid(t *testing.T) {
	const every = 2 * time.Second // as the election asks
	for name, test := range map[string]struct {
		again time.Duration
		want  string // how often it is said, by steps
	}{
		"the cluster's lease: again each minute": {time.Minute, "once stock, 3 times stock, none, once other, none, once other, none, once other"},
		"a lease of our own: when it is news":    {0, "once stock, none, none, once other, none, once other, none, none"},
	} {
		t.Run(name, func(t *testing.T) {
			var said []string
			ctx := klog.NewContext(t.Context(), funcr.New(func(_, args string) { said = append(said, args) }, funcr.Options{}))
			held, now := &heldLock{holder: "stock"}, testingclock.NewFakePassiveClock(time.Unix(0, 0))
			lock := &announcedLock{Interface: held, clock: now, again: test.again, remedy: "stop it"}
			ask := func(times int) {
				for range times {
					_, _, _ = lock.Get(ctx)
					now.SetTime(now.Now().Add(every))
				}
			}
			var steps []string
			step := func(times int, holder string) {
				held.holder, said = holder, nil
				ask(times)
				count := map[int]string{0: "none", 1: "once " + holder, 3: "3 times " + holder}[len(said)]
				if count == "" || len(said) > 0 && !slices.ContainsFunc(said, func(s string) bool {
					return strings.Contains(s, `"holder"="`+holder+`"`) && strings.Contains(s, `"lease"="kube-system/kube-scheduler"`) && strings.Contains(s, `"remedy"="stop it"`)
				}) {
					t.Errorf("said of %s: %q", holder, said)
				}
				steps = append(steps, count)
			}
			step(1, "stock")
			step(90, "stock") // three minutes
			step(90, "ours")  // we lead
			step(1, "other")
			step(90, "") // it gave it up
			step(1, "other")
			held.err = errors.New("no answer")
			step(31, "other")
			held.err = nil
			step(1, "other")
			if got := strings.Join(steps, ", "); got != test.want {
				t.Errorf("said %s, want %s", got, test.want)
			}
		})
	}
}

// A scheduler in the place of the cluster's own, which is still there.
func TestTheCommandSaysForWhomItWaits(t *testing.T) {
	holder, seconds := "the-node_1234", int32(3600)
	api := http.NewServeMux()
	api.HandleFunc("GET /apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-scheduler", func(w http.ResponseWriter, _ *http.Request) {
		now := metav1.NowMicro()
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(coordinationv1.Lease{
			TypeMeta:   metav1.TypeMeta{APIVersion: "coordination.k8s.io/v1", Kind: "Lease"},
			ObjectMeta: metav1.ObjectMeta{Name: "kube-scheduler", Namespace: "kube-system"},
			Spec:       coordinationv1.LeaseSpec{HolderIdentity: &holder, RenewTime: &now, LeaseDurationSeconds: &seconds},
		})
	})
	file := filepath.Join(t.TempDir(), "config.yaml")
	configuration := header + "profiles: [{}]\ndelayCacheUntilActive: true\nclientConnection:\n  kubeconfig: " + kubeconfigOf(t, api) + "\n"
	if err := os.WriteFile(file, []byte(configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "--config="+file, "--secure-port=0")
	cmd.Env = append(os.Environ(), runAsScheduler+"=1")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Wait() }()
	defer cancel()
	var printed strings.Builder
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		printed.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), "Another process holds the lease") {
			for _, want := range []string{`lease="kube-system/kube-scheduler"`, `holder="the-node_1234"`, "needs a lease of its own"} {
				if !strings.Contains(lines.Text(), want) {
					t.Errorf("no %s in: %s", want, lines.Text())
				}
			}
			return
		}
	}
	t.Errorf("it does not say for whom it waits:\n%s", printed.String())
}
