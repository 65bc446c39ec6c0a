package cluster

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// janitorScript waits until its standard input ends and then removes the
// cluster, unless it has read "keep" before.
//
// Every program of a cluster is started by a path in the cluster's directory,
// so its command line begins with that, which is how the script tells the
// processes to kill. It looks again until it finds none, because kwokctl may
// have started another one while it was being killed.
const janitorScript = `
trap '' INT TERM HUP
read -r word
[ "$word" = keep ] && exit 0

kill_all() {
	found=1
	for process in /proc/[0-9]*; do
		command=
		IFS= read -r command <"$process/cmdline"
		case $command in
		"$CLUSTER_DIR"/*) kill -9 "${process#/proc/}" && found=0 ;;
		esac
	done
	return $found
} 2>/dev/null

tries=0
while kill_all; do
	tries=$((tries + 1))
	[ $tries -le 100 ] || { echo "processes of $CLUSTER_DIR do not end" >&2; exit 1; }
	sleep 0.1
done
rm -rf "$CLUSTER_DIR"
`

// janitor is the process that cleans up after a cluster when its owner, this
// process, asks for it or ends in whatever way.
type janitor struct {
	dir     string
	process *os.Process
	pipe    io.WriteCloser // its other end is the process's standard input

	done chan struct{} // closed when the janitor has ended
	err  error         // how it ended; to be read after that
}

// startJanitor starts a janitor for the directory. It holds the inherited
// file open until it ends.
func startJanitor(dir string, inherit *os.File) (*janitor, error) {
	cmd := janitorCommand(dir)
	cmd.ExtraFiles = []*os.File{inherit}
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start janitor: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start janitor: %w", err)
	}
	j := &janitor{dir: dir, process: cmd.Process, pipe: pipe, done: make(chan struct{})}
	// The goroutine also keeps the pipe from being closed as garbage when the
	// owner forgets the Cluster.
	go func() {
		j.err = cmd.Wait()
		_ = j.pipe.Close()
		close(j.done)
	}()
	return j, nil
}

func janitorCommand(dir string) *exec.Cmd {
	cmd := exec.Command("/bin/sh", "-c", janitorScript)
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), "CLUSTER_DIR="+dir)
	// Its own session: no Ctrl-C, and no kill of the owner's process group.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd
}

// clean removes the cluster and returns when it is gone.
func (j *janitor) clean() error {
	_ = j.pipe.Close()
	<-j.done
	if j.err == nil {
		return nil
	}
	// Somebody has killed the janitor: let another one, at the end of its
	// input from the beginning, do the work.
	out, err := janitorCommand(j.dir).CombinedOutput()
	if err != nil {
		return fmt.Errorf("clean up %s: %w: %s", j.dir, err, out)
	}
	return nil
}

// dismiss ends the janitor and leaves the cluster running.
func (j *janitor) dismiss() {
	_, _ = io.WriteString(j.pipe, "keep\n")
	_ = j.pipe.Close()
	<-j.done // with an error or without one, the cluster is still there
}
