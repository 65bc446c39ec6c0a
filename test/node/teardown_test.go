package node

import (
	"bufio"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/plimsoll-scheduler/plimsoll/test/cluster"
)

// owner is the environment variable that makes a process of this test own a node, and
// wait to be killed.
const owner = "PLIMSOLL_TEST_NODE_OWNER"

// Nothing of a node stays when its owner ends, in whatever way.
func TestNothingIsLeftBehind(t *testing.T) {
	if os.Getenv(owner) != "" {
		own(t)
		return
	}
	for _, by := range []syscall.Signal{syscall.SIGKILL, syscall.SIGINT} {
		t.Run(by.String(), func(t *testing.T) {
			cmd := exec.Command("/proc/self/exe", "-test.run", "^TestNothingIsLeftBehind$")
			cmd.Env = append(os.Environ(), owner+"=yes")
			cmd.Stderr = os.Stderr
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(out)
			var dirs, links string
			for lines.Scan() && !strings.HasPrefix(lines.Text(), "owns ") {
			}
			if _, err := parseOwned(lines.Text(), &dirs, &links); err != nil {
				t.Fatalf("%q: %v", lines.Text(), err)
			}
			left := func() error { return leftOf(strings.Split(dirs, ","), strings.Split(links, ",")) }
			if left() == nil {
				t.Fatal("there is nothing that could be left behind")
			}
			if err := cmd.Process.Signal(by); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait() // it was killed
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			if err := cluster.WaitFor(ctx, "nothing to be left", func(context.Context) (bool, error) {
				err := left()
				return err == nil, err
			}); err != nil {
				t.Error(err)
			}
		})
	}
}

// own owns two nodes, tells what they have on this machine, and waits.
func own(t *testing.T) {
	c, err := cluster.Start(t.Context(), cluster.Options{RealNodes: true})
	if err != nil {
		t.Fatal(err)
	}
	var dirs, links []string
	for _, name := range []string{"real-0", "real-1"} {
		n, err := Start(t.Context(), c, Options{Name: name, Images: []string{pauseArchive(t)}})
		if err != nil {
			t.Fatal(err)
		}
		dirs, links = append(dirs, n.Dir), append(links, n.network.link)
	}
	_, _ = os.Stdout.WriteString("owns " + strings.Join(dirs, ",") + " " + strings.Join(links, ",") + "\n")
	select {}
}

func parseOwned(line string, dirs, links *string) (int, error) {
	fields := strings.Fields(line)
	if len(fields) != 3 {
		return 0, errors.New("it ended before it had nodes")
	}
	*dirs, *links = fields[1], fields[2]
	return 2, nil
}

// leftOf returns what there is of the nodes: files, links, control groups, processes, mounts.
func leftOf(dirs, links []string) error {
	var errs []error
	for i, dir := range dirs {
		if _, err := os.Stat(dir); err == nil {
			errs = append(errs, errors.New(dir+" is there"))
		}
		if _, err := net.InterfaceByName(links[i]); err == nil {
			errs = append(errs, errors.New("the link "+links[i]+" is there"))
		}
		for _, pattern := range []string{"/sys/fs/cgroup/", "/sys/fs/cgroup/*/"} {
			groups, err := filepath.Glob(pattern + filepath.Base(dir))
			if err != nil || len(groups) > 0 {
				errs = append(errs, errors.New("control groups are there: "+strings.Join(groups, ", ")))
			}
		}
		processes, err := filepath.Glob("/proc/[0-9]*/cmdline")
		errs = append(errs, err)
		for _, process := range processes {
			if command, err := os.ReadFile(process); err == nil && strings.Contains(string(command), dir) {
				errs = append(errs, errors.New("a process is there: "+strings.ReplaceAll(string(command), "\x00", " ")))
			}
		}
		mounts, err := os.ReadFile("/proc/self/mounts")
		if errs = append(errs, err); strings.Contains(string(mounts), dir) {
			errs = append(errs, errors.New("mounts of "+dir+" are there"))
		}
	}
	return errors.Join(errs...)
}
