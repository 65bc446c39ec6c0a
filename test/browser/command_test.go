package browser

import (
	"bufio"
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	v1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/dashboard"
)

// start runs kubectl plimsoll dashboard as a user with this kubeconfig, and returns the
// URL that it prints. It ends with the test.
func start(t *testing.T, kubeconfig, schedulerURL string, flags ...string) (at string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	cmd := dashboard.NewCommand()
	cmd.SetArgs(append(flags, "--kubeconfig", kubeconfig, "--scheduler-url", schedulerURL, "--every", "1s"))
	cmd.SetOut(writer)
	ended := make(chan error, 1)
	go func() {
		err := cmd.ExecuteContext(ctx)
		_ = writer.CloseWithError(err)
		ended <- err
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	lines := bufio.NewScanner(reader)
	for lines.Scan() {
		if at := strings.TrimSpace(lines.Text()); strings.HasPrefix(at, "http://127.0.0.1:") {
			go func() { _, _ = io.Copy(io.Discard, reader) }() // ends with the command
			return at
		}
	}
	t.Fatalf("no URL: %v", lines.Err())
	return ""
}

// viewer makes a service account that may see what the dashboard shows, and returns its
// kubeconfig.
func viewer(t *testing.T) (kubeconfig string) {
	t.Helper()
	const namespace = metav1.NamespaceDefault
	name := strings.ToLower(t.Name())
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx, kube := t.Context(), local.Clientset
	must(kube.CoreV1().ServiceAccounts(namespace).Create(ctx, &v1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}))
	must(kube.RbacV1().ClusterRoles().Create(ctx, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: []rbacv1.PolicyRule{
		{NonResourceURLs: []string{"/plimsoll/*"}, Verbs: []string{"get"}},
		{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get", "list"}},
	}}, metav1.CreateOptions{}))
	must(kube.RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: namespace, Name: name}},
	}, metav1.CreateOptions{}))
	path, err := local.ServiceAccountKubeconfig(ctx, namespace, name)
	must(path, err)
	return path
}

// proxy leads to a scheduler that may go away, and come back elsewhere.
type proxy struct {
	listener net.Listener

	mu    sync.Mutex
	to    string // the address; empty if nobody is there
	conns map[net.Conn]bool
}

func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: listener, conns: map[net.Conn]bool{}}
	p.lead(to)
	t.Cleanup(func() {
		_ = listener.Close()
		p.lead("")
	})
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go p.serve(conn)
		}
	}()
	return p
}

func (p *proxy) url() string { return "https://" + p.listener.Addr().String() }

// lead has the proxy lead to another address, and ends all connections.
func (p *proxy) lead(to string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.to = strings.TrimPrefix(to, "https://")
	for conn := range p.conns {
		_ = conn.Close()
	}
	clear(p.conns)
}

func (p *proxy) serve(from net.Conn) {
	defer from.Close()
	p.mu.Lock()
	to, err := net.Dial("tcp", p.to)
	if err == nil {
		p.conns[from], p.conns[to] = true, true
	}
	p.mu.Unlock()
	if err != nil {
		return
	}
	defer to.Close()
	go func() {
		_, _ = io.Copy(to, from)
		_ = to.Close()
	}()
	_, _ = io.Copy(from, to)
}
