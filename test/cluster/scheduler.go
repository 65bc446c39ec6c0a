package cluster

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"sigs.k8s.io/yaml"
)

// SchedulerOptions says how to run a scheduler beside the control plane.
type SchedulerOptions struct {
	// Program is the scheduler's executable.
	Program string
	// Config is the path of its KubeSchedulerConfiguration. It is run with a
	// copy that names Kubeconfig.
	Config string
	// Change, if not nil, changes the copy before that.
	Change func(config map[string]any)
	// Kubeconfig is how it finds the API server, and who it is there. Empty
	// means the administrator's.
	Kubeconfig string
	// Args are further arguments.
	Args []string
	// Awaits is the path whose check has to pass before StartScheduler returns. Empty
	// means /readyz.
	Awaits string
}

// Scheduler is a scheduler that runs as a process of its own. It ends with its
// cluster at the latest.
type Scheduler struct {
	// LogFile is the path of what it prints.
	LogFile string

	address, decisions string // of its servers
	cmd                *exec.Cmd
	ended              chan struct{}
}

// StartScheduler starts a scheduler and waits until it is ready (see
// SchedulerOptions.Awaits), which a standby replica is, too. It does not wait for
// it to become the leader.
func (c *Cluster) StartScheduler(ctx context.Context, opts SchedulerOptions) (*Scheduler, error) {
	for attempt := 1; ; attempt++ {
		s, err := c.startScheduler(ctx, opts)
		if attempt == startAttempts || !errors.Is(err, errPortTaken) {
			return s, err
		}
		c.logf("attempt %d to start a scheduler: %v", attempt, errPortTaken)
	}
}

// startScheduler makes one attempt.
func (c *Cluster) startScheduler(ctx context.Context, opts SchedulerOptions) (*Scheduler, error) {
	opts.Kubeconfig = cmp.Or(opts.Kubeconfig, c.Kubeconfig)
	program, err := c.Link(opts.Program)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(c.Dir, "scheduler-")
	if err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "config.yaml")
	if err := writeSchedulerConfig(config, opts); err != nil {
		return nil, fmt.Errorf("scheduler configuration %s: %w", opts.Config, err)
	}
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	s := &Scheduler{
		LogFile:   filepath.Join(dir, "log"),
		address:   fmt.Sprintf("127.0.0.1:%d", ports[0]),
		decisions: fmt.Sprintf("127.0.0.1:%d", ports[1]),
		ended:     make(chan struct{}),
	}
	args := append([]string{
		"--config=" + config,
		"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", ports[0]), fmt.Sprintf("--decisions-secure-port=%d", ports[1]),
		"--authentication-kubeconfig=" + opts.Kubeconfig, "--authorization-kubeconfig=" + opts.Kubeconfig,
		"--authorization-always-allow-paths=/healthz,/livez,/readyz,/metrics",
	}, opts.Args...)
	if err := s.start(program, args, opts.Kubeconfig); err != nil {
		return nil, err
	}
	err = WaitFor(ctx, "the scheduler to be ready", func(ctx context.Context) (bool, error) {
		if !s.Running() {
			return true, nil // told below: there is nothing to wait for
		}
		_, err := s.get(ctx, cmp.Or(opts.Awaits, "/readyz"))
		return err == nil, err
	})
	if err == nil && !s.Running() {
		err = fmt.Errorf("the scheduler has ended: %s", s.cmd.ProcessState)
	}
	if err != nil {
		s.Kill()
		log, _ := s.Log()
		if strings.Contains(log, "address already in use") {
			err = fmt.Errorf("%w: %w", errPortTaken, err)
		}
		return nil, fmt.Errorf("%w; its log:\n%s", err, log)
	}
	return s, nil
}

// writeSchedulerConfig writes the configuration with the kubeconfig in it:
// kube-scheduler ignores its flag for that when it has a configuration file.
func writeSchedulerConfig(path string, opts SchedulerOptions) error {
	content, err := os.ReadFile(opts.Config)
	if err != nil {
		return err
	}
	config := map[string]any{}
	if err := yaml.Unmarshal(content, &config); err != nil {
		return err
	}
	if opts.Change != nil {
		opts.Change(config)
	}
	config["clientConnection"] = map[string]any{"kubeconfig": opts.Kubeconfig, "qps": 1000, "burst": 1000}
	if content, err = yaml.Marshal(config); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o600)
}

// freePorts returns ports that no server has: above those of clusters and below
// those that Linux gives to outgoing connections.
func freePorts(count int) ([]int, error) {
	var ports []int
	var held []net.Listener // until all are found, so that they differ
	defer func() {
		for _, listener := range held {
			_ = listener.Close()
		}
	}()
	for range 1000 {
		port := lastPort + rand.IntN(firstEphemeralPort-lastPort)
		listener, err := listen(port)
		if err != nil {
			continue
		}
		held = append(held, listener)
		if ports = append(ports, port); len(ports) == count {
			return ports, nil
		}
	}
	return nil, fmt.Errorf("no %d free ports from %d to %d", count, lastPort, firstEphemeralPort)
}

func (s *Scheduler) start(program string, args []string, kubeconfig string) error {
	log, err := os.Create(s.LogFile)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	s.cmd = exec.Command(program, args...)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.Env = append(os.Environ(), "KUBE_CONFIG="+kubeconfig) // where Trimaran looks
	// Its own session, so that Ctrl-C reaches it only through us, and it can
	// outlive us in a cluster that is kept.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("start the scheduler: %w", err)
	}
	go func() {
		_ = s.cmd.Wait() // how it ended is in its ProcessState
		close(s.ended)
	}()
	return nil
}

// Running reports whether the scheduler has not ended.
func (s *Scheduler) Running() bool {
	select {
	case <-s.ended:
		return false
	default:
		return true
	}
}

// Stop ends the scheduler as Kubernetes ends a pod, and returns when it has
// ended.
func (s *Scheduler) Stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-s.ended:
		return nil
	case <-time.After(30 * time.Second):
		s.Kill()
		return errors.New("the scheduler did not end within 30 s of SIGTERM")
	}
}

// Kill ends the scheduler without giving it a chance to do anything.
func (s *Scheduler) Kill() {
	_ = s.cmd.Process.Kill() // it may have ended already
	<-s.ended
}

// ExitCode returns that of the scheduler, which has ended; -1 if a signal ended it.
func (s *Scheduler) ExitCode() int { return s.cmd.ProcessState.ExitCode() }

// Log returns what the scheduler has printed so far.
func (s *Scheduler) Log() (string, error) {
	content, err := os.ReadFile(s.LogFile)
	return string(content), err
}

// Metrics returns the scheduler's metrics in Prometheus' text format.
func (s *Scheduler) Metrics(ctx context.Context) (string, error) { return s.get(ctx, "/metrics") }

// Decisions asks the scheduler to explain its decisions, as the holder of the
// token (empty is nobody), with the given query ("" for all in short). It
// returns the HTTP status and the body.
func (s *Scheduler) Decisions(ctx context.Context, token, query string) (status int, body []byte, err error) {
	return s.Ask(ctx, token, "/plimsoll/decisions"+query)
}

// Ask is Decisions for any path on the port for decisions.
func (s *Scheduler) Ask(ctx context.Context, token, path string) (status int, body []byte, err error) {
	return ask(ctx, token, "https://"+s.decisions+path)
}

// DecisionsAddress returns the address, HOST:PORT, of the port for decisions.
func (s *Scheduler) DecisionsAddress() string { return s.decisions }

// Ready asks whether the scheduler is ready, at kube-scheduler's own port and at
// that of decisions, which tells each check.
func (s *Scheduler) Ready(ctx context.Context) (ready bool, checks string, err error) {
	status, _, err := ask(ctx, "", "https://"+s.address+"/readyz")
	if err != nil {
		return false, "", err
	}
	_, body, err := ask(ctx, "", "https://"+s.decisions+"/readyz?verbose")
	return status == http.StatusOK, string(body), err
}

func ask(ctx context.Context, token, url string) (status int, body []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, nil, err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	body, err = io.ReadAll(response.Body)
	return response.StatusCode, body, err
}

func (s *Scheduler) get(ctx context.Context, path string) (string, error) {
	body, err := get(ctx, "https://"+s.address+path)
	return string(body), err
}
