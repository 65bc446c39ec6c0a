package integration

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	v1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
	"github.com/plimsoll-scheduler/plimsoll/pkg/status"
)

// token makes a service account and returns its token.
func (p *pool) token(name string) string {
	p.t.Helper()
	accounts := p.local.Clientset.CoreV1().ServiceAccounts("default")
	account := &v1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: p.name + "-" + name}}
	_, err := accounts.Create(p.t.Context(), account, metav1.CreateOptions{})
	p.must(err)
	p.t.Cleanup(func() {
		if err := accounts.Delete(context.WithoutCancel(p.t.Context()), account.Name, metav1.DeleteOptions{}); err != nil {
			p.t.Error(err)
		}
	})
	request, err := accounts.CreateToken(p.t.Context(), account.Name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	p.must(err)
	return request.Status.Token
}

// reader returns the token of a service account that may read decisions, and what else
// the scheduler tells on that port.
func (p *pool) reader() (token string) {
	p.t.Helper()
	const account = "reader"
	token = p.token(account)
	ctx, roles, bindings := p.t.Context(), p.local.Clientset.RbacV1().ClusterRoles(), p.local.Clientset.RbacV1().ClusterRoleBindings()
	role := &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: p.name},
		Rules:      []rbacv1.PolicyRule{{NonResourceURLs: []string{status.Root + "*"}, Verbs: []string{"get"}}},
	}
	_, err := roles.Create(ctx, role, metav1.CreateOptions{})
	p.must(err)
	_, err = bindings.Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: p.name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: "default", Name: p.name + "-" + account}},
	}, metav1.CreateOptions{})
	p.must(err)
	p.t.Cleanup(func() {
		ctx := context.WithoutCancel(p.t.Context())
		if err := roles.Delete(ctx, p.name, metav1.DeleteOptions{}); err != nil {
			p.t.Error(err)
		}
		if err := bindings.Delete(ctx, p.name, metav1.DeleteOptions{}); err != nil {
			p.t.Error(err)
		}
	})
	return token
}

func TestDecisionsAreExplained(t *testing.T) {
	t.Parallel()
	p := newPool(t, node{name: "hot", gpus: 8, uses: "9"}, node{name: "cool", gpus: 8, uses: "2"}, node{name: "warm", gpus: 8, uses: "5"})
	s := startScheduler(t, "plimsoll.yaml", nil)
	stranger, reader := p.token("stranger"), p.reader()

	placed := withGPUs(p.pod("placed", "plimsoll"), "1")
	waiting := withCPU(withGPUs(p.pod("waiting", "plimsoll"), "1"), "7")
	p.create(placed)
	p.nodeOf(placed)
	p.create(waiting)
	p.rejected(waiting)

	for who, token := range map[string]string{"nobody": "", "a stranger": stranger} {
		if code, _, err := s.Decisions(t.Context(), token, ""); err != nil || code != http.StatusForbidden {
			t.Errorf("%s: status %d, %v, want 403", who, code, err)
		}
	}
	if code, _, err := s.Decisions(t.Context(), "nonsense", ""); err != nil || code != http.StatusUnauthorized {
		t.Errorf("a wrong token: status %d, %v, want 401", code, err)
	}
	for query, want := range map[string]int{"?pod=default/nosuch": 404, "?pod=x": 400, "?nosuch=x": 400, "": 200} {
		if code, body, err := s.Decisions(t.Context(), reader, query); err != nil || code != want || !json.Valid(body) {
			t.Errorf("%s: status %d, %v, want %d: %s", query, code, err, want, body)
		}
	}

	got := p.decision(s, reader, placed)
	if len(got.Nodes) != 3 || got.Node != p.nodeName("cool") || got.Nodes[0].Name != got.Node {
		t.Fatalf("%+v", got)
	}
	cool, hot := got.Nodes[0], got.Nodes[2]
	if measured := cool.Load.CPU.Measured; measured < 1.8 || measured > 2.2 || cool.Load.CPU.Estimate != 1 || cool.Load.CPU.Threshold != 7.5 {
		t.Errorf("%+v, want 2 cores measured, 1 estimated, the line at 7.5", cool.Load.CPU)
	}
	if *cool.SampleAgeSeconds > 60 || cool.NodeLoad.Score == nil || cool.DeviceFit.Score == nil {
		t.Errorf("%+v", cool)
	}
	if hot.NodeLoad.Rejected != "node(s) over the cpu load line" || hot.Load.CPU.Predicted < 9.5 {
		t.Errorf("%+v", hot)
	}
	got = p.decision(s, reader, waiting)
	if got.Node != "" || !strings.Contains(got.WaitsFor, "closest is "+p.nodeName("cool")+", whose cpu has to fall by") {
		t.Errorf("waits for %q", got.WaitsFor)
	}
}

// decision returns the explanation of the pod's last decision, which is written
// down soon after it was made.
func (p *pool) decision(s *scheduler, token string, pod *v1.Pod) (decision explain.Decision) {
	p.t.Helper()
	p.wait("the decision on "+pod.Name, func(ctx context.Context) (bool, error) {
		var err error
		decision, err = p.lastDecision(ctx, s, token, pod)
		return err == nil, err
	})
	return decision
}

func (p *pool) lastDecision(ctx context.Context, s *scheduler, token string, pod *v1.Pod) (decision explain.Decision, err error) {
	err = s.ask(ctx, token, explain.Path+"?pod=default/"+pod.Name, &decision)
	return decision, err
}

// Objects override the configuration; what is not valid is told by an event.
func TestAnnotations(t *testing.T) {
	t.Parallel()
	p := newPool(t, node{name: "a", uses: "5"}, node{name: "b", uses: "5"})
	s := startScheduler(t, "plimsoll.yaml", func(config map[string]any) {
		args(config)["source"] = map[string]any{"interval": "5s", "timeout": "5s"}
	})
	annotate := func(node, value string) {
		t.Helper()
		_, err := local.Kubectl(t.Context(), "annotate", "--overwrite", "node", p.nodeName(node), "plimsoll.io/thresholds="+value)
		p.must(err)
	}
	annotate("a", `{"cpu": 40}`)
	annotate("b", `{"cpu": 400}`)
	s.waitPolls()
	pod := p.pod("first", "plimsoll")
	pod.Annotations = map[string]string{"plimsoll.io/estimate": "a lot"}
	p.create(pod)
	if got := p.nodeOf(pod); got != "b" {
		t.Errorf("the pod is on %s, want the node whose own line it stays below", got)
	}
	p.waitEvent("Pod", pod.Name, "metadata.annotations[plimsoll.io/estimate]")
	p.waitEvent("Node", p.nodeName("b"), "metadata.annotations[plimsoll.io/thresholds][cpu]: Invalid value: 400: must be between 0 and 100")

	heavy := p.pod("heavy", "plimsoll")
	heavy.Annotations = map[string]string{"plimsoll.io/estimate": `{"cpu": "4"}`}
	p.create(heavy)
	p.rejected(heavy)
	annotate("a", `{"cpu": 95}`) // the pod is retried at once
	if got := p.nodeOf(heavy); got != "a" {
		t.Errorf("the pod is on %s", got)
	}
	soft := withCPU(p.pod("soft", "plimsoll"), "2")
	soft.Annotations = map[string]string{"plimsoll.io/estimate": `{"cpu": "9"}`, "plimsoll.io/when-unsatisfiable": "ScheduleAnyway"}
	p.create(soft)
	p.nodeOf(soft)
}

// waitEvent waits until an event on the object says so.
func (p *pool) waitEvent(kind, name, message string) {
	p.t.Helper()
	selector := fields.SelectorFromSet(fields.Set{"involvedObject.kind": kind, "involvedObject.name": name}).String()
	p.wait("an event on "+name, func(ctx context.Context) (bool, error) {
		events, err := p.local.Clientset.CoreV1().Events("").List(ctx, metav1.ListOptions{FieldSelector: selector})
		if err != nil {
			return false, err
		}
		for _, event := range events.Items {
			if event.Reason == "InvalidAnnotation" && strings.Contains(event.Message, message) {
				return true, nil
			}
		}
		return false, nil
	})
}
