package integration

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/dashboard"
)

// A user with the viewer roles: what the page shows comes through a forwarded port, it
// follows the lease to another replica, and the command ends well with Ctrl-C. (How the
// page looks is for test/browser.)
func TestDashboardFollowsTheLeader(t *testing.T) {
	t.Parallel()
	p := newPool(t, node{name: "hot", gpus: 8, uses: "9"})
	s := startScheduler(t, "plimsoll.yaml", nil)
	c := asUser(p, s)
	waits := withGPUs(p.pod("waits", "plimsoll"), "1")
	p.create(waits)
	p.rejected(waits)

	page, stop := c.dashboard()
	c.waitState(page, func(state *dashboard.State) bool {
		return strings.HasSuffix(state.Leader, "/"+p.podName("scheduler")) && len(state.Nodes) > 0 && len(state.Waiting) == 1 &&
			state.Waiting[0].Pod == "default/"+waits.Name && strings.Contains(state.Waiting[0].Reason, "1 node(s) over the cpu load line")
	})
	c.takeOver("other")
	c.waitState(page, func(state *dashboard.State) bool {
		return strings.HasSuffix(state.Leader, "/"+p.podName("other")) && state.Error == "" && len(state.Nodes) > 0
	})
	p.must(s.Stop()) // what was known stays, with its age
	c.waitState(page, func(state *dashboard.State) bool {
		return state.Error != "" && len(state.Nodes) > 0 && state.AgeSeconds > 0
	})
	if err := stop(); err != nil {
		t.Errorf("interrupted, it ends with %v", err)
	}
}

// dashboard starts the command and returns the URL that it prints. stop interrupts it, and
// returns its exit status if that is not 0.
func (c *cli) dashboard() (page string, stop func() error) {
	c.t.Helper()
	program, err := buildCLI()
	c.must(err)
	cmd := exec.CommandContext(c.t.Context(), program, "dashboard", "--kubeconfig", c.kubeconfig, "--lease", c.namespace+"/plimsoll", "--every", "1s")
	out, err := cmd.StdoutPipe()
	c.must(err)
	var errOut strings.Builder
	cmd.Stderr = &errOut
	c.must(cmd.Start())
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if page = strings.TrimSpace(lines.Text()); strings.HasPrefix(page, "http://127.0.0.1:") {
			return page, func() error {
				c.must(cmd.Process.Signal(syscall.SIGINT))
				return cmd.Wait()
			}
		}
	}
	c.t.Fatalf("the dashboard prints no URL: %v: %s", cmd.Wait(), errOut.String())
	return "", nil
}

// waitState waits until the page is told what satisfies the condition.
func (c *cli) waitState(page string, condition func(*dashboard.State) bool) {
	c.t.Helper()
	origin, token, _ := strings.Cut(page, "/#token=")
	c.wait("the dashboard", func(ctx context.Context) (bool, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, origin+"/api/state", http.NoBody)
		if err != nil {
			return false, err
		}
		request.Header.Set("Authorization", "Bearer "+token)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return false, err
		}
		defer response.Body.Close()
		state := &dashboard.State{}
		if err := json.NewDecoder(response.Body).Decode(state); err != nil {
			return false, err
		}
		return condition(state), fmt.Errorf("status %d: the leader is %q, error %q, %d nodes, waiting %+v", response.StatusCode, state.Leader, state.Error, len(state.Nodes), state.Waiting)
	})
}

// takeOver has another pod hold the lease.
func (c *cli) takeOver(name string) {
	c.t.Helper()
	ctx, client := c.t.Context(), c.local.Clientset
	pod := c.pod(name, "")
	pod.Namespace, pod.Spec.NodeName = c.namespace, c.nodeName("host")
	_, err := client.CoreV1().Pods(c.namespace).Create(ctx, pod, metav1.CreateOptions{})
	c.must(err)
	c.wait("the other pod to run", func(ctx context.Context) (bool, error) {
		got, err := client.CoreV1().Pods(c.namespace).Get(ctx, pod.Name, metav1.GetOptions{})
		return err == nil && got.Status.Phase == v1.PodRunning, err
	})
	lease, err := client.CoordinationV1().Leases(c.namespace).Get(ctx, "plimsoll", metav1.GetOptions{})
	c.must(err)
	holder := pod.Name + "_4567"
	lease.Spec.HolderIdentity = &holder
	_, err = client.CoordinationV1().Leases(c.namespace).Update(ctx, lease, metav1.UpdateOptions{})
	c.must(err)
}
