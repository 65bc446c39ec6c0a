package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
)

// first is the command of the first process in the namespaces.
const first = "boot"

// supervisor runs outside of the namespaces.
type supervisor struct {
	*config
	groups groups
	inside *inside // nil while the machine is off
}

// inside is the first process in the namespaces, as seen from outside.
type inside struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	answers *bufio.Reader
}

func supervise(c *config) (err error) {
	// Ctrl-C is for the owner. When that is gone, so is its end of our input.
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	// The first process is killed when the thread ends that has started it.
	runtime.LockOSThread()

	s := &supervisor{config: c}
	defer func() { err = errors.Join(err, s.off(), s.groups.remove(), os.RemoveAll(c.dir)) }()
	if s.groups, err = makeGroups(c.Name); err != nil {
		return err
	}
	listener, err := net.Listen("unix", c.socket())
	if err != nil {
		return err
	}
	go forward(listener, "tcp", c.APIServer)
	return serve(os.Stdin, os.Stdout, s.do)
}

func (s *supervisor) do(command, argument string) error {
	switch {
	case command == "off":
		return s.off()
	case command == "boot":
		return s.on()
	case s.inside == nil:
		return errors.New("the machine is off")
	}
	return s.inside.ask(command + " " + argument)
}

// on makes the namespaces and the link, and starts the first process.
func (s *supervisor) on() error {
	if s.inside != nil {
		return errors.New("the machine is on")
	}
	cmd := exec.Command("/proc/self/exe", first, s.dir)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC,
		Pdeathsig:  syscall.SIGKILL,
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("make the namespaces: %w", err)
	}
	s.inside = &inside{cmd: cmd, in: in, answers: bufio.NewReader(out)}
	if err := s.link(cmd.Process.Pid); err != nil {
		return errors.Join(err, s.off())
	}
	if err := s.inside.ask("network"); err != nil {
		return errors.Join(err, s.off())
	}
	return os.WriteFile(s.dir+"/pid", fmt.Append(nil, cmd.Process.Pid), 0o600)
}

// link lays the network link between this machine and the namespaces. It goes with them.
func (s *supervisor) link(pid int) error {
	return ip(
		fmt.Sprintf("link add %s type veth peer name eth0 netns %d", s.Link, pid),
		fmt.Sprintf("addr add %s/%d dev %s", s.Gateway, s.Bits, s.Link),
		fmt.Sprintf("link set %s up", s.Link),
		fmt.Sprintf("route add %s via %s dev %s", s.Pods, s.Address, s.Link),
	)
}

// ip runs ip with each of the arguments in turn.
func ip(commands ...string) error {
	for _, arguments := range commands {
		if out, err := exec.Command("ip", strings.Fields(arguments)...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w: %s", arguments, err, strings.TrimSpace(string(out)))
		}
	}
	return nil
}

// off ends all that runs in the namespaces, and returns when it is gone.
func (s *supervisor) off() error {
	if s.inside == nil {
		return nil
	}
	i := s.inside
	s.inside = nil
	if err := i.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	_ = i.cmd.Wait() // it was killed
	return errors.Join(s.groups.empty(), s.unlinked())
}

// unlinked removes the link, which the kernel does as well, a moment after the last process
// of its namespace has ended.
func (s *supervisor) unlinked() error {
	err := ip("link del " + s.Link)
	if _, gone := net.InterfaceByName(s.Link); gone != nil {
		return nil
	}
	return err
}

func (i *inside) ask(command string) error {
	if _, err := fmt.Fprintln(i.in, command); err != nil {
		return fmt.Errorf("the machine's first process has ended: %w", err)
	}
	answer, err := i.answers.ReadString('\n')
	if err != nil {
		return fmt.Errorf("the machine's first process has ended: %w", err)
	}
	if answer = strings.TrimSpace(answer); answer != "ok" {
		return errors.New(answer)
	}
	return nil
}

// forward leads each connection that the listener gets to the address.
func forward(listener net.Listener, network, address string) {
	for {
		from, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			to, err := net.Dial(network, address)
			if err != nil {
				_ = from.Close()
				return
			}
			go pass(to, from)
			pass(from, to)
		}()
	}
}

// pass copies what comes from one connection to the other, and then closes both.
func pass(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	_, _ = to.Close(), from.Close()
}
