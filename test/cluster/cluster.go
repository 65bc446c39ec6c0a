package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	metricsclient "k8s.io/metrics/pkg/client/clientset/versioned"
)

const (
	// startTimeout bounds one attempt to start. An idle machine with two cores
	// needs about 5 s; a test run with several clusters at once a lot longer.
	startTimeout = 3 * time.Minute
	// startAttempts is how often Start tries anew when a foreign program takes
	// a port between its reservation and its use.
	startAttempts = 3
	// configFile is kwokctl's configuration, in each cluster's directory.
	configFile = "kwokctl.json"
	// stagesFile is the lives of nodes and pods, beside it.
	stagesFile = "stages.yaml"
	// usageFile is what pods use.
	usageFile = "usage.yaml"
)

// Options says what to start. The zero value is a cluster with all defaults.
type Options struct {
	// ToolsDir has the programs of the control plane. Empty means bin/tools of
	// the checkout that the working directory is in, or what it has for an older
	// minor of Kubernetes if this is built for that.
	ToolsDir string

	// MetricResolution is how often metrics-server scrapes the nodes. Zero
	// means 15 s; metrics-server accepts nothing below 10 s.
	MetricResolution time.Duration

	// FeatureGates are set for every Kubernetes component.
	FeatureGates map[string]bool

	// APIs are further API groups and versions for the API server to serve, such
	// as scheduling.k8s.io/v1beta1.
	APIs []string

	// PodPorts is the address, HOST:PORT, that all ports of all pods lead to when they
	// are forwarded. Empty means that none can be.
	PodPorts string

	// Audit are the users whose requests the API server logs: see Cluster.Requests.
	Audit []string

	// RealNodes lets nodes join that a kubelet runs, beside the simulated ones: kwok
	// leaves those alone that are not annotated as simulated, the API server shows
	// kubelets who it is, and its certificate has the address of the Service kubernetes.
	RealNodes bool

	// Log receives progress, one line a step. Nil means none.
	Log io.Writer

	// Keep leaves the cluster running after Close, and after its owner has
	// ended, once Start has succeeded.
	Keep bool
}

// Cluster is a running control plane. Its methods may be called concurrently,
// except that a component must not be stopped and started at the same time.
type Cluster struct {
	// Name is unique among the clusters of this machine.
	Name string
	// Dir has every file of the cluster, and goes with it.
	Dir string
	// Kubeconfig is the path of the administrator's kubeconfig.
	Kubeconfig string
	// Clientset acts as the administrator, without rate limits.
	Clientset kubernetes.Interface
	// Metrics reads what metrics-server serves, likewise.
	Metrics metricsclient.Interface

	config  *rest.Config
	opts    Options
	tools   tools
	janitor *janitor

	close    sync.Once
	closeErr error
}

// Start starts a cluster and waits until it is ready: every component is
// healthy, pods can be created in the default namespace, and metrics-server
// answers through the API server. The caller must Close it.
func Start(ctx context.Context, opts Options) (*Cluster, error) {
	if opts.Log == nil {
		opts.Log = io.Discard
	}
	if opts.MetricResolution == 0 {
		opts.MetricResolution = 15 * time.Second
	}
	if opts.MetricResolution < 10*time.Second {
		return nil, fmt.Errorf("start cluster: MetricResolution is %v, but metrics-server needs at least 10s", opts.MetricResolution)
	}
	tools, err := findTools(ctx, opts.ToolsDir)
	if err != nil {
		return nil, fmt.Errorf("start cluster: %w", err)
	}
	for attempt := 1; ; attempt++ {
		c, err := start(ctx, opts, tools)
		if err == nil {
			return c, nil
		}
		if attempt == startAttempts || ctx.Err() != nil || !errors.Is(err, errPortTaken) {
			return nil, fmt.Errorf("start cluster: %w", err)
		}
		fmt.Fprintf(opts.Log, "cluster: attempt %d: %v\n", attempt, err)
	}
}

// start makes one attempt, and leaves nothing behind if it fails.
func start(ctx context.Context, opts Options, tools tools) (*Cluster, error) {
	ports, err := reservePorts()
	if err != nil {
		return nil, err
	}
	// The janitor inherits the reservation and holds it until it has cleaned up.
	defer ports.release()

	dir, err := os.MkdirTemp("", "plimsoll-cluster-")
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.Abs(dir); err != nil { // TMPDIR may be relative
		return nil, err
	}
	janitor, err := startJanitor(dir, ports.reservation)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	c := &Cluster{
		Name:       filepath.Base(dir),
		Dir:        dir,
		Kubeconfig: filepath.Join(dir, "kubeconfig"),
		opts:       opts,
		tools:      tools,
		janitor:    janitor,
	}
	begin := time.Now()
	c.logf("starting in %s", dir)
	if err := c.create(ctx, ports); err != nil {
		return nil, errors.Join(c.explain(err), janitor.clean())
	}
	c.logf("ready after %.1fs, KUBECONFIG=%s", time.Since(begin).Seconds(), c.Kubeconfig)
	if opts.Keep {
		janitor.dismiss()
	}
	return c, nil
}

func (c *Cluster) create(ctx context.Context, ports *ports) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()

	for _, tool := range []string{"kwokctl", "kubectl"} {
		if _, err := c.Link(c.tools.path(tool)); err != nil {
			return err
		}
	}
	if len(c.opts.Audit) > 0 {
		if err := writeAudit(filepath.Join(c.Dir, auditFile), c.opts.Audit); err != nil {
			return err
		}
	}
	configPath := filepath.Join(c.Dir, configFile)
	if err := writeConfig(configPath, c.Dir, c.tools, ports, c.opts); err != nil {
		return err
	}
	stagesPath := filepath.Join(c.Dir, stagesFile)
	if err := writeStages(stagesPath, c.tools.kwokStages); err != nil {
		return err
	}
	usagePath := filepath.Join(c.Dir, usageFile)
	if err := writeUsage(usagePath, c.tools.kwokMetrics); err != nil {
		return err
	}
	args := []string{"--config", configPath, "--config", stagesPath, "--config", usagePath}
	if c.opts.PodPorts != "" {
		forwardPath := filepath.Join(c.Dir, forwardFile)
		if err := writeForward(forwardPath, c.opts.PodPorts); err != nil {
			return err
		}
		args = append(args, "--config", forwardPath)
	}
	if err := c.kwokctl(ctx, append(args, "create", "cluster", "--kubeconfig", c.Kubeconfig)...); err != nil {
		return err
	}
	if err := c.connect(); err != nil {
		return err
	}
	return c.waitReady(ctx)
}

// connect makes the clients from the kubeconfig that kwokctl wrote.
func (c *Cluster) connect() error {
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig)
	if err != nil {
		return err
	}
	config.QPS = -1 // no limit: a test creates a thousand nodes at once
	c.config = config
	if c.Clientset, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	c.Metrics, err = metricsclient.NewForConfig(config)
	return err
}

func (c *Cluster) waitReady(ctx context.Context) error {
	components, err := c.components()
	if err != nil {
		return err
	}
	for _, component := range components {
		// metrics-server, for one, exits when it is up before the API server.
		if err := c.keepUpUntilHealthy(ctx, component); err != nil {
			return err
		}
	}
	return WaitFor(ctx, "the default service account", func(ctx context.Context) (bool, error) {
		_, err := c.Clientset.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
		return err == nil, err
	})
}

// RESTConfig is a copy of the administrator's client configuration.
func (c *Cluster) RESTConfig() *rest.Config {
	return rest.CopyConfig(c.config)
}

// Close kills every process of the cluster, removes all of its files and
// returns when both are gone. With Options.Keep it does nothing: see Remove.
// Further calls do nothing and return the same error.
func (c *Cluster) Close() error {
	c.close.Do(func() {
		if c.opts.Keep {
			return
		}
		if err := c.janitor.clean(); err != nil {
			c.closeErr = fmt.Errorf("close cluster %s: %w", c.Name, err)
			return
		}
		c.logf("stopped and removed")
	})
	return c.closeErr
}

// Remove is Close for a cluster that was kept, also in another process. dir is
// the cluster's Dir.
func Remove(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, configFile)); err != nil {
		return fmt.Errorf("%s is not the directory of a cluster: %w", dir, err)
	}
	if out, err := janitorCommand(dir).CombinedOutput(); err != nil {
		return fmt.Errorf("remove cluster %s: %w: %s", dir, err, out)
	}
	return nil
}

func (c *Cluster) logf(format string, args ...any) {
	fmt.Fprintf(c.opts.Log, "cluster %s: %s\n", c.Name, fmt.Sprintf(format, args...))
}
