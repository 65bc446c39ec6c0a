package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// The components of a cluster, for StopComponent and StartComponent.
const (
	Etcd                  = "etcd"
	KubeAPIServer         = "kube-apiserver"
	KubeControllerManager = "kube-controller-manager"
	KubeScheduler         = "kube-scheduler"
	Kwok                  = "kwok-controller"
	MetricsServer         = "metrics-server"
)

const (
	// maxStarts bounds how often a component may die before it is healthy.
	maxStarts = 5
	// healthTimeout bounds one health request.
	healthTimeout = 5 * time.Second
	// deathTimeout bounds how long a killed process takes to be gone.
	deathTimeout = 10 * time.Second
)

// component is how kwokctl describes a component in the cluster's kwok.yaml.
type component struct {
	Name    string
	Binary  string
	Args    []string
	WorkDir string
	// Metric is where the component serves its metrics, and its health.
	Metric struct {
		Scheme, Host string
	}
}

// url is where the component serves a path beside its metrics.
func (c component) url(path string) string { return c.Metric.Scheme + "://" + c.Metric.Host + path }

func (c component) pidPath() string {
	return filepath.Join(c.WorkDir, "pids", c.Name+".pid")
}

func (c component) logPath() string {
	return filepath.Join(c.WorkDir, "logs", c.Name+".log")
}

// alive reports whether the process in the pid file runs. The process must be
// the component's: the system may give the pid of a dead process to another.
// A process that has ended but was not waited for has no command line.
func (c component) alive() (pid int, ok bool) {
	data, err := os.ReadFile(c.pidPath())
	if err != nil {
		return 0, false
	}
	if pid, err = strconv.Atoi(string(data)); err != nil {
		return 0, false
	}
	command, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return pid, err == nil && strings.HasPrefix(string(command), c.Binary+"\x00")
}

// launch starts the process as kwokctl does, but only this one: "kwokctl start
// cluster" would also start what a test has stopped on purpose.
func (c component) launch() error {
	log, err := os.OpenFile(c.logPath(), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	defer log.Close()

	cmd := exec.Command(c.Binary, c.Args...)
	cmd.Dir = c.WorkDir
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // no Ctrl-C
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() { _ = cmd.Wait() }() // no zombies
	return os.WriteFile(c.pidPath(), []byte(strconv.Itoa(cmd.Process.Pid)), 0o640)
}

// components reads what kwokctl has set up, in the order of their start.
func (c *Cluster) components() ([]component, error) {
	file, err := os.Open(filepath.Join(c.Dir, "clusters", c.Name, "kwok.yaml"))
	if err != nil {
		return nil, fmt.Errorf("read components: %w", err)
	}
	defer file.Close()

	// The first of the file's documents is the configuration of kwokctl.
	var config struct{ Components []component }
	if err := yaml.NewYAMLOrJSONDecoder(file, 4096).Decode(&config); err != nil {
		return nil, fmt.Errorf("read components: %w", err)
	}
	return config.Components, nil
}

func (c *Cluster) component(name string) (component, error) {
	components, err := c.components()
	if err != nil {
		return component{}, err
	}
	names := make([]string, 0, len(components))
	for _, component := range components {
		if component.Name == name {
			return component, nil
		}
		names = append(names, component.Name)
	}
	return component{}, fmt.Errorf("no component %q, only %s", name, strings.Join(names, ", "))
}

// StopComponent kills a component, as a crash would, and waits until it is
// dead. It is no error if the component is already dead. A scheduler or a
// controller manager that is killed keeps its lease: the next one begins to
// work when that has expired, after up to 15 s.
func (c *Cluster) StopComponent(name string) error {
	component, err := c.component(name)
	if err != nil {
		return fmt.Errorf("stop component: %w", err)
	}
	pid, ok := component.alive()
	if !ok {
		return nil
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("stop %s: kill %d: %w", name, pid, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), deathTimeout)
	defer cancel()
	return WaitFor(ctx, name+" to die", func(context.Context) (bool, error) {
		_, ok := component.alive()
		return !ok, nil
	})
}

// StartComponent starts a component that was stopped or has died, and waits
// until it is healthy. Other components that are down stay down.
func (c *Cluster) StartComponent(ctx context.Context, name string) error {
	component, err := c.component(name)
	if err != nil {
		return fmt.Errorf("start component: %w", err)
	}
	return c.keepUpUntilHealthy(ctx, component)
}

// keepUpUntilHealthy starts the component, again if it dies, until it is healthy.
func (c *Cluster) keepUpUntilHealthy(ctx context.Context, component component) error {
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)

	starts := 0
	return WaitFor(ctx, component.Name+" to be healthy", func(ctx context.Context) (bool, error) {
		if _, ok := component.alive(); ok {
			err := c.checkHealth(ctx, component)
			return err == nil, err
		}
		if starts++; starts > maxStarts {
			giveUp(fmt.Errorf("it died %d times", maxStarts))
			return false, nil
		}
		c.logf("%s is down: starting it", component.Name)
		return false, component.launch()
	})
}

// checkHealth asks a component whether it is alive. metrics-server is asked
// through the API server, so that its APIService is known to be available, too.
func (c *Cluster) checkHealth(ctx context.Context, component component) error {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	if component.Name == MetricsServer {
		_, err := c.Metrics.MetricsV1beta1().NodeMetricses().List(ctx, metav1.ListOptions{})
		return err
	}
	path := "/livez"
	switch component.Name {
	case KubeAPIServer:
		path = "/readyz"
	case KubeControllerManager, Kwok:
		path = "/healthz"
	}
	_, err := get(ctx, component.url(path))
	return err
}

// get returns what the server answers, if that is OK. Who it is does not matter.
func get(ctx context.Context, url string) ([]byte, error) {
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
		DisableKeepAlives: true,
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, response.Status)
	}
	return io.ReadAll(response.Body)
}
