package node

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll-scheduler/plimsoll/test/cluster"
)

// readyTimeout is how long a node may take to be ready. An idle machine with two
// processors takes about 5 s.
const readyTimeout = 2 * time.Minute

// Options says what node to start.
type Options struct {
	// Name is that of the Node object.
	Name string
	// Labels are the node's, besides those that the kubelet sets.
	Labels map[string]string
	// Images are OCI archives, as "make image" makes them. Containers run images of these
	// only: nothing is pulled. PauseImage must be one.
	Images []string
	// KubeletConfig replaces fields of the KubeletConfiguration, KubeletArgs are further
	// arguments of the kubelet.
	KubeletConfig map[string]any
	KubeletArgs   []string
	// ToolsDir has the programs of a node. Empty means bin/node of the checkout that the
	// working directory is in.
	ToolsDir string
	// Log receives what goes wrong in the background. Nil means os.Stderr.
	Log io.Writer
}

// Node is a real node. Its methods must not be called concurrently.
type Node struct {
	// Name is that of the Node object.
	Name string
	// Dir has all files of the node: the logs of its programs (kubelet.log,
	// containerd.log), and var-lib, which is its /var/lib.
	Dir string

	cluster *cluster.Cluster
	options Options
	network *network
	service string // the address of the Service kubernetes

	mu       sync.Mutex // one command at a time
	cmd      *exec.Cmd
	commands io.WriteCloser
	answers  *bufio.Reader
}

// Start starts a node, and returns when it is ready. The caller must Close it, before the
// cluster.
func Start(ctx context.Context, c *cluster.Cluster, options Options) (*Node, error) {
	n, err := prepare(ctx, c, options)
	if err == nil {
		err = n.start(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("start node %s: %w", options.Name, err)
	}
	return n, nil
}

func prepare(ctx context.Context, c *cluster.Cluster, options Options) (n *Node, err error) {
	if options.Log == nil {
		options.Log = os.Stderr
	}
	if options.ToolsDir == "" {
		if options.ToolsDir, err = defaultToolsDir(); err != nil {
			return nil, err
		}
	}
	if err := Missing(options.ToolsDir); err != nil {
		return nil, err
	}
	n = &Node{Name: options.Name, cluster: c, options: options}
	if n.network, err = chooseNetwork(); err != nil {
		return nil, err
	}
	service, err := c.Clientset.CoreV1().Services(metav1.NamespaceDefault).Get(ctx, "kubernetes", metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	n.service = service.Spec.ClusterIP
	if n.Dir, err = os.MkdirTemp("", "plimsoll-node-"); err != nil {
		return nil, err
	}
	if err := n.write(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(n.Dir))
	}
	return n, nil
}

// defaultToolsDir walks up from the working directory.
func defaultToolsDir() (string, error) {
	wd, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := wd; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "test", "node", "go.mod")); err == nil {
			return filepath.Join(dir, "bin", "node"), nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no test/node/go.mod in or above %s: run this in a checkout of Plimsoll", wd)
		}
	}
}

// group is the name of the node's control group, and its host name: no other node on
// this machine has it, of whatever cluster.
func (n *Node) group() string { return filepath.Base(n.Dir) }

func (n *Node) start(ctx context.Context) error {
	n.cmd = exec.Command(n.tool("machine"), "run", n.Dir)
	n.cmd.Stderr = n.options.Log
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // no Ctrl-C
	var err error
	if n.commands, err = n.cmd.StdinPipe(); err != nil {
		return err
	}
	answers, err := n.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	n.answers = bufio.NewReader(answers)
	if err := n.cmd.Start(); err != nil {
		return errors.Join(err, os.RemoveAll(n.Dir))
	}
	if err := n.boot(ctx); err != nil {
		return errors.Join(n.explain(err), n.Close())
	}
	return nil
}

// boot turns the machine on, and starts what a node runs.
func (n *Node) boot(ctx context.Context) error {
	if err := n.do("boot"); err != nil {
		return err
	}
	if err := n.StartProgram(ctx, Containerd); err != nil {
		return err
	}
	for _, image := range n.options.Images {
		if _, err := n.Exec(ctx, n.tool("ctr"), "--namespace", "k8s.io", "images", "import", image); err != nil {
			return err
		}
	}
	return n.StartProgram(ctx, Kubelet)
}

// do has the machine do something.
func (n *Node) do(command ...string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	line := strings.Join(command, " ")
	if _, err := fmt.Fprintln(n.commands, line); err != nil {
		return fmt.Errorf("%s: the machine of node %s has ended: %w", line, n.Name, err)
	}
	answer, err := n.answers.ReadString('\n')
	if err != nil {
		return fmt.Errorf("%s: the machine of node %s has ended: %w", line, n.Name, err)
	}
	if answer = strings.TrimSpace(answer); answer != "ok" {
		return fmt.Errorf("%s: %s", line, answer)
	}
	return nil
}

// explain adds the end of the logs to an error.
func (n *Node) explain(err error) error {
	for _, program := range []string{Containerd, Kubelet} {
		log, readErr := os.ReadFile(n.in(program + ".log"))
		if readErr != nil {
			continue
		}
		lines := bytes.Split(bytes.TrimSpace(log), []byte("\n"))
		lines = lines[max(0, len(lines)-10):]
		err = fmt.Errorf("%w\nthe end of what %s said:\n%s", err, program, bytes.Join(lines, []byte("\n")))
	}
	return err
}

// StopProgram ends Kubelet or Containerd, as an upgrade does. Containers go on.
func (n *Node) StopProgram(name string) error { return n.do("stop", name) }

// KillProgram ends Kubelet or Containerd as a crash would. Containers go on.
func (n *Node) KillProgram(name string) error { return n.do("kill", name) }

// StartProgram starts Kubelet or Containerd, and returns when that answers: the one when
// the node is ready that it says.
func (n *Node) StartProgram(ctx context.Context, name string) error {
	started := time.Now().Truncate(time.Second)
	if err := n.do("start", name); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if name == Containerd {
		return cluster.WaitFor(ctx, "containerd on "+n.Name, func(ctx context.Context) (bool, error) {
			_, err := n.Exec(ctx, n.tool("ctr"), "version")
			return err == nil, err
		})
	}
	return cluster.WaitFor(ctx, "node "+n.Name+" to be ready", func(ctx context.Context) (bool, error) { return n.ready(ctx, started) })
}

// Configure restarts the kubelet with these fields of its KubeletConfiguration, besides
// those of the Options, and returns when the node is ready. Containers go on.
func (n *Node) Configure(ctx context.Context, fields map[string]any) error {
	config, err := n.kubeletConfig(fields)
	if err != nil {
		return err
	}
	if err := n.StopProgram(Kubelet); err != nil {
		return err
	}
	if err := os.WriteFile(n.in(kubeletConfigFile), config, 0o600); err != nil {
		return err
	}
	return n.StartProgram(ctx, Kubelet)
}

// ready reports whether the node has said so since then, and nothing keeps pods from it.
func (n *Node) ready(ctx context.Context, since time.Time) (bool, error) {
	node, err := n.cluster.Clientset.CoreV1().Nodes().Get(ctx, n.Name, metav1.GetOptions{})
	if err != nil {
		return false, err
	}
	for _, taint := range node.Spec.Taints {
		if taint.Key == corev1.TaintNodeNotReady || taint.Key == corev1.TaintNodeUnreachable {
			return false, fmt.Errorf("it has the taint %s", taint.ToString())
		}
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			ready := condition.Status == corev1.ConditionTrue && !condition.LastHeartbeatTime.Time.Before(since)
			return ready, fmt.Errorf("ready: %s as of %v: %s", condition.Status, condition.LastHeartbeatTime, condition.Message)
		}
	}
	return false, fmt.Errorf("it has no %s condition", corev1.NodeReady)
}

// Reboot takes the power from the node, and gives it again: all of its processes are
// gone, and it has another boot id. It returns when the node is ready.
func (n *Node) Reboot(ctx context.Context) error {
	if err := n.do("off"); err != nil {
		return err
	}
	return n.boot(ctx)
}

// Leave turns the node off and deletes its Node object, as when a machine is removed.
func (n *Node) Leave(ctx context.Context) error {
	if err := n.do("off"); err != nil {
		return err
	}
	err := n.cluster.Clientset.CoreV1().Nodes().Delete(ctx, n.Name, metav1.DeleteOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// Join turns on a node that has left, with nothing on its disk, and returns when it is
// ready.
func (n *Node) Join(ctx context.Context) error {
	for _, dir := range []string{"var-lib", "var-log"} {
		if err := os.RemoveAll(n.in(dir)); err != nil {
			return err
		}
	}
	return n.boot(ctx)
}

// Exec runs a command on the node and returns what it prints. The error has what it
// prints to standard error.
func (n *Node) Exec(ctx context.Context, command ...string) (string, error) {
	pid, err := os.ReadFile(n.in("pid"))
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "nsenter", append([]string{"--target", string(pid), "--mount", "--pid", "--net", "--uts", "--ipc"}, command...)...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s on %s: %w: %s", strings.Join(command, " "), n.Name, err, strings.TrimSpace(errOut.String()))
	}
	return out.String(), nil
}

// Close ends all that runs on the node, removes all that it has on this machine, and
// returns when that is gone. The Node object stays.
func (n *Node) Close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	_ = n.commands.Close() // after which it ends by itself
	if err := n.cmd.Wait(); err != nil {
		return fmt.Errorf("close node %s: %w", n.Name, err)
	}
	return nil
}
