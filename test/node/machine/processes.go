package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// stopTimeout is how long a program has to end by SIGTERM.
const stopTimeout = 10 * time.Second

// processes are the programs that run. The first process of a machine inherits all
// whose parents have ended, and has to wait for them as for its own.
type processes struct {
	*config
	mu      sync.Mutex
	running map[string]*process
}

type process struct {
	pid   int
	ended chan struct{}
}

func newProcesses(c *config) *processes {
	p := &processes{config: c, running: map[string]*process{}}
	died := make(chan os.Signal, 1)
	signal.Notify(died, syscall.SIGCHLD)
	go func() {
		for range died {
			p.reap()
		}
	}()
	return p
}

// outcome says how a process ended.
func outcome(status syscall.WaitStatus) string {
	if status.Signaled() {
		return status.Signal().String()
	}
	return fmt.Sprint("status ", status.ExitStatus())
}

// reap waits for all that have ended.
func (p *processes) reap() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if err != nil || pid <= 0 {
			return
		}
		for name, one := range p.running {
			if one.pid == pid {
				fmt.Fprintf(os.Stderr, "machine %s: %s has ended: %s\n", p.Name, name, outcome(status))
				delete(p.running, name)
				close(one.ended)
			}
		}
	}
}

func (p *processes) do(command, name string) error {
	if _, known := p.Programs[name]; !known {
		return fmt.Errorf("%s %s: no such program", command, name)
	}
	switch command {
	case "start":
		return p.start(name)
	case "stop":
		return p.end(name, syscall.SIGTERM)
	case "kill":
		return p.end(name, syscall.SIGKILL)
	}
	return fmt.Errorf("%s: no such command", command)
}

func (p *processes) start(name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running[name] != nil {
		return fmt.Errorf("%s runs", name)
	}
	log, err := os.OpenFile(p.in(name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer func() { _ = null.Close() }()
	command := p.Programs[name].Command
	pid, err := syscall.ForkExec(command[0], command, &syscall.ProcAttr{
		Env:   []string{"PATH=" + p.Path, "HOME=/root"},
		Files: []uintptr{null.Fd(), log.Fd(), log.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return fmt.Errorf("start %s: %w", command[0], err)
	}
	p.running[name] = &process{pid: pid, ended: make(chan struct{})}
	return nil
}

func (p *processes) end(name string, by syscall.Signal) error {
	p.mu.Lock()
	one := p.running[name]
	p.mu.Unlock()
	if one == nil {
		return fmt.Errorf("%s does not run", name)
	}
	for _, by := range []syscall.Signal{by, syscall.SIGKILL} {
		if err := syscall.Kill(one.pid, by); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("end %s: %w", name, err)
		}
		select {
		case <-one.ended:
			return nil
		case <-time.After(stopTimeout):
		}
	}
	return fmt.Errorf("%s does not end", name)
}
