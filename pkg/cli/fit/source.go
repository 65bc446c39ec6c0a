package fit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"

	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/cluster"
	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/leader"
	engine "github.com/plimsoll-scheduler/plimsoll/pkg/fit"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/metricsserver"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input/warning"
)

// source is where the cluster is copied from: a live one, or a snapshot.
type source struct {
	name string
	// kube, leader and metrics are nil for a snapshot; leader also if the configuration
	// is a file.
	kube     kubernetes.Interface
	leader   *leader.Client
	metrics  *metricsserver.Source
	snapshot *engine.Cluster
	// objects are what the pod refers to, and all of their kinds.
	objects   []runtime.Object
	namespace string
}

// source returns it.
func (o *options) source(ctx context.Context, stderr io.Writer) (*source, error) {
	s := &source{}
	if o.snapshot != "" {
		var warnings warning.List
		defer func() { warnings.Print(stderr) }()
		read, err := input.ReadCluster(o.snapshot, &warnings)
		if err != nil {
			return nil, fmt.Errorf("--snapshot: %w", err)
		}
		s.name, s.snapshot = o.snapshot, &engine.Cluster{Nodes: read.Nodes, Pods: read.Pods, Readings: read.Readings, PodReadings: read.PodReadings, Now: read.Now}
		s.namespace = v1.NamespaceDefault
		return s, nil
	}
	config, err := o.cluster.REST()
	if err != nil {
		return nil, err
	}
	s.name = config.Host
	if s.namespace, err = o.cluster.Namespace(); err != nil {
		return nil, err
	}
	if s.kube, err = kubernetes.NewForConfig(config); err != nil {
		return nil, err
	}
	if s.metrics, err = metricsserver.New(config); err != nil {
		return nil, err
	}
	if o.config == "" {
		s.leader, err = o.leader.Connect(ctx, o.cluster)
	}
	return s, err
}

func (s *source) close() {
	if s.leader != nil {
		s.leader.Close()
	}
}

// podNamed returns a pod of the cluster.
func (s *source) podNamed(ctx context.Context, name string) (*v1.Pod, error) {
	if s.snapshot == nil {
		pod, err := s.kube.CoreV1().Pods(s.namespace).Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil, fmt.Errorf("there is no such pod in the namespace %s (for another one say -n)", s.namespace)
		}
		return pod, cluster.Lacking(err, s.namespace, cluster.Rule{Resources: "pods", Verbs: "get, list"})
	}
	for _, pod := range s.snapshot.Pods {
		if pod.Name == name {
			return pod, nil
		}
	}
	return nil, fmt.Errorf("there is no pod of that name in the snapshot %s", s.name)
}

// copy returns the cluster as it is now.
func (s *source) copy(ctx context.Context) (*engine.Cluster, error) {
	if s.snapshot != nil {
		return s.snapshot, nil
	}
	nodes, err := s.kube.CoreV1().Nodes().List(ctx, metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		return nil, copyError(err)
	}
	pods, err := s.kube.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		return nil, copyError(err)
	}
	c := &engine.Cluster{Now: time.Now(), Objects: s.objects}
	for i := range nodes.Items {
		c.Nodes = append(c.Nodes, &nodes.Items[i])
	}
	for i := range pods.Items {
		c.Pods = append(c.Pods, &pods.Items[i])
	}
	c.Readings, err = s.metrics.Poll(ctx)
	switch {
	case errors.Is(err, load.ErrNotServed): // as the scheduler, by requests alone
		return c, nil
	case err != nil:
		return nil, copyError(err)
	}
	if c.PodReadings, err = s.metrics.ListPods(ctx); err != nil {
		return nil, copyError(err)
	}
	return c, nil
}

// copyError says which rights it takes, if they are lacking.
func copyError(err error) error {
	return cluster.Lacking(fmt.Errorf("copy the cluster: %w", err), metav1.NamespaceAll,
		cluster.Rule{Resources: "nodes, pods", Verbs: "get, list"}, cluster.Rule{Group: "metrics.k8s.io", Resources: "nodes, pods", Verbs: "list"})
}
