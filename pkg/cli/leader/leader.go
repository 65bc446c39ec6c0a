// Package leader asks the scheduler replica that leads: what it knows of the cluster,
// and what it decided.
package leader

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/pflag"
	coordinationv1 "k8s.io/api/coordination/v1"
	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/cluster"
)

const (
	defaultNamespace, defaultLease = "plimsoll-system", "plimsoll"
	// portName is the name of the container's port, and defaultPort its number where
	// no port has that name.
	portName, defaultPort = "decisions", 10260
	// selector selects the replicas, as the chart and the manifests label them.
	selector = "app.kubernetes.io/name=plimsoll,app.kubernetes.io/component=scheduler"
)

// Flags say which scheduler to ask.
type Flags struct {
	lease, url string
}

// AddFlags adds them.
func AddFlags(set *pflag.FlagSet) *Flags {
	f := &Flags{}
	set.StringVar(&f.lease, "lease", "",
		"The lease of the scheduler, as NAMESPACE/NAME (leaderElection in its configuration). By default "+defaultNamespace+"/"+defaultLease+", or the only lease called "+defaultLease)
	set.StringVar(&f.url, "scheduler-url", "",
		"Where the scheduler's port for decisions can be reached, such as https://127.0.0.1:10260, instead of through the API server. Its certificate is not verified on a loopback address")
	return f
}

// namedLease returns the lease of --lease.
func (f *Flags) namedLease() (namespace, name string, err error) {
	namespace, name, ok := strings.Cut(f.lease, "/")
	if !ok || namespace == "" || name == "" || strings.Contains(name, "/") {
		return "", "", fmt.Errorf("--lease %q: must be NAMESPACE/NAME, such as %s/%s", f.lease, defaultNamespace, defaultLease)
	}
	return namespace, name, nil
}

// find returns the lease.
func (f *Flags) find(ctx context.Context, client kubernetes.Interface) (*coordinationv1.Lease, error) {
	namespace, name := defaultNamespace, defaultLease
	if f.lease != "" {
		var err error
		if namespace, name, err = f.namedLease(); err != nil {
			return nil, err
		}
	}
	lease, err := client.CoordinationV1().Leases(namespace).Get(ctx, name, metav1.GetOptions{})
	switch {
	case err == nil:
		return lease, nil
	case apierrors.IsForbidden(err):
		return nil, denied(err, namespace, cluster.Rule{Group: "coordination.k8s.io", Resources: "leases", Verbs: "get"})
	case !apierrors.IsNotFound(err) || f.lease != "":
		return nil, fmt.Errorf("find the leader: %w", err)
	}
	return search(ctx, client)
}

// search looks for the only lease of the default name in any namespace.
func search(ctx context.Context, client kubernetes.Interface) (*coordinationv1.Lease, error) {
	list, err := client.CoordinationV1().Leases(metav1.NamespaceAll).List(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + defaultLease})
	switch {
	case apierrors.IsForbidden(err):
		return nil, fmt.Errorf("there is no lease %s/%s, and you may not look for it in other namespaces: say where it is by --lease NAMESPACE/NAME", defaultNamespace, defaultLease)
	case err != nil:
		return nil, fmt.Errorf("find the leader: %w", err)
	case len(list.Items) == 0:
		return nil, fmt.Errorf("there is no lease called %s in any namespace: Plimsoll is not installed, or has not started yet, or has another lease (then say --lease NAMESPACE/NAME)", defaultLease)
	case len(list.Items) > 1:
		var names []string
		for i := range list.Items {
			names = append(names, list.Items[i].Namespace+"/"+list.Items[i].Name)
		}
		return nil, fmt.Errorf("there are several leases called %s: say which by --lease, one of %s", defaultLease, strings.Join(names, ", "))
	}
	return &list.Items[0], nil
}

// pod returns the pod that holds the lease, and its port.
func pod(ctx context.Context, client kubernetes.Interface, lease *coordinationv1.Lease) (*v1.Pod, int, error) {
	name := lease.Namespace + "/" + lease.Name
	holder := holderOf(lease)
	host, _, _ := strings.Cut(holder, "_") // the host's name, and something random
	if host == "" {
		return nil, 0, fmt.Errorf("nobody holds the lease %s: no replica of the scheduler runs; see kubectl -n %s get pods -l %s", name, lease.Namespace, selector)
	}
	held, err := client.CoreV1().Pods(lease.Namespace).Get(ctx, host, metav1.GetOptions{})
	switch {
	case err == nil:
		return held, portOf(held), nil
	case apierrors.IsForbidden(err):
		return nil, 0, denied(err, lease.Namespace, cluster.Rule{Resources: "pods", Verbs: "get"})
	case !apierrors.IsNotFound(err):
		return nil, 0, fmt.Errorf("find the leader: %w", err)
	}
	list, err := client.CoreV1().Pods(lease.Namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, 0, fmt.Errorf("find the leader: %w", err)
	}
	for i := range list.Items { // one on its host's network is called as its host
		if p := &list.Items[i]; p.Spec.HostNetwork && p.Spec.NodeName == host {
			return p, portOf(p), nil
		}
	}
	return nil, 0, fmt.Errorf("the lease %s is held by %q, and no pod in its namespace is that: it is gone (another replica takes over within seconds), or runs outside of the cluster (then say --scheduler-url)", name, holder)
}

func portOf(p *v1.Pod) int {
	for i := range p.Spec.Containers {
		for _, port := range p.Spec.Containers[i].Ports {
			if port.Name == portName {
				return int(port.ContainerPort)
			}
		}
	}
	return defaultPort
}

// denied says which rule somebody lacks in the namespace.
func denied(err error, namespace string, lacks cluster.Rule) error {
	return fmt.Errorf("%w\nThe rule to add to a Role in the namespace %s (the Role plimsoll:viewer has all that is needed):\n%s", err, namespace, lacks)
}
