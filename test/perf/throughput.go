package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// result is what one run measured (throughput.Result, which this program does
// not import so that it need not be linked with an API server).
type result struct {
	Pods       int     `json:"pods"`
	Seconds    float64 `json:"seconds"`
	CPUSeconds float64 `json:"cpuSeconds"`
	// What was done meanwhile, by all that is in the process.
	Filtered       float64 `json:"filtered"` // nodes
	Requests       float64 `json:"requests"`
	AllocatedBytes float64 `json:"allocatedBytes"`
}

// throughput is in pods a second.
func (r result) throughput() float64 { return float64(r.Pods) / r.Seconds }

// cpu is in seconds a pod.
func (r result) cpu() float64 { return r.CPUSeconds / float64(r.Pods) }

// pairing is what was measured of a contender, and of stock, which ran beside it.
type pairing struct {
	Contender result `json:"contender"`
	Stock     result `json:"stock"`
}

// ratio is a measure of the contender divided by that of stock.
func (p pairing) ratio(measure func(result) float64) float64 {
	return measure(p.Contender) / measure(p.Stock)
}

// measurements are the runs by workload and contender.
type measurements map[string]map[string][]pairing

func (m measurements) add(r oneRun, got pairing) {
	if m[r.workload] == nil {
		m[r.workload] = map[string][]pairing{}
	}
	m[r.workload][r.contender.Name] = append(m[r.workload][r.contender.Name], got)
}

// of returns a measure of each run.
func (m measurements) of(workload, name string, measure func(pairing) float64) []float64 {
	var values []float64
	for _, p := range m[workload][name] {
		values = append(values, measure(p))
	}
	return values
}

// measureThroughput runs the contenders on the workloads, each at the same time as
// stock: what else is going on on the machine, and in its caches, meets both alike.
// It makes no run that would not be over by the end, to judge by those before.
func measureThroughput(ctx context.Context, opts *options, work string, end time.Time) (measurements, error) {
	program := filepath.Join(work, "throughput.test")
	fmt.Println("building the benchmark (first time: some minutes)")
	build := exec.CommandContext(ctx, "go", "test", "-trimpath", "-c", "-o", program, "./throughput")
	build.Dir = filepath.Join(opts.root, "test", "perf")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build: %w\n%s", err, out)
	}
	runs := runsOf(opts)
	if len(runs) == 0 {
		return nil, fmt.Errorf("-only: %q matches no run: they are named WORKLOAD/PROFILE, as in Mixed/%s", opts.only, recommended)
	}
	measured, begin := measurements{}, time.Now()
	for i, r := range runs {
		if i > 0 {
			each := time.Since(begin) / time.Duration(i)
			if time.Now().Add(each).After(end) {
				fmt.Printf("%d of %d runs are left out, which take about %v each: -within says when to end\n", len(runs)-i, len(runs), each.Round(time.Second))
				break
			}
		}
		got, err := r.measure(ctx, opts, program, i)
		if err != nil {
			return nil, fmt.Errorf("%s, %s pods: %w", r.contender.Name, strings.ToLower(r.workload), err)
		}
		measured.add(r, got)
		fmt.Printf("%2d of %d: %-9s %-34s %5.2f ms of CPU a pod, %.2f of stock's; %.2f of its pods/s\n", i+1, len(runs),
			r.workload, r.contender.Name, 1000*got.Contender.cpu(), got.ratio(result.cpu), got.ratio(result.throughput))
	}
	return measured, nil
}

// oneRun is a contender on a workload.
type oneRun struct {
	workload  string
	contender contender
}

// runsOf returns the runs in their order: a round after the other of those that a goal
// is for, so that they are spread over the time, and then the others, once.
func runsOf(opts *options) []oneRun {
	var ofGoals, others []oneRun
	for _, workload := range workloads() {
		for _, c := range contenders(opts.root) {
			r := oneRun{workload, c}
			switch {
			case opts.only != nil && !opts.only.MatchString(workload+"/"+c.Name):
			case opts.only != nil, slices.ContainsFunc(goals(), func(g goal) bool { return g.workload == workload && g.of == c.Name }):
				ofGoals = append(ofGoals, r)
			default:
				others = append(others, r)
			}
		}
	}
	return append(slices.Repeat(ofGoals, opts.rounds), others...)
}

// runTimeout bounds a run.
const runTimeout = 15 * time.Minute

// measure makes the run. Who is done first goes on with what the benchmark does
// afterwards, until the other is done as well.
func (r oneRun) measure(ctx context.Context, opts *options, program string, number int) (got pairing, err error) {
	ctx, cancel := context.WithTimeout(ctx, runTimeout)
	defer cancel()
	of := func(c contender, name string) *process {
		p := &process{workload: r.workload, contender: c, nodes: opts.nodes, program: program, root: opts.root}
		if opts.profiles != "" {
			p.profile = filepath.Join(opts.profiles, fmt.Sprintf("%s-%s-%d.prof", r.workload, strings.ReplaceAll(name, " ", "-"), number))
		}
		return p
	}
	pair := []*process{of(r.contender, r.contender.Name), of(contenders(opts.root)[0], "stock-beside-"+r.contender.Name)}
	defer func() {
		for _, p := range pair {
			p.end()
		}
	}()
	for _, p := range pair {
		if err := p.start(ctx); err != nil {
			return got, err
		}
	}
	if got.Contender, err = pair[0].result(ctx); err != nil {
		return got, err
	}
	got.Stock, err = pair[1].result(ctx)
	return got, err
}

// process is a run of the benchmark, in a process of its own.
type process struct {
	workload  string
	contender contender
	nodes     int
	program   string
	root      string
	profile   string // where a CPU profile is written to; "" for none

	dir      string
	log      *os.File
	cmd      *exec.Cmd
	ended    chan struct{}
	measured chan outcome // what it has measured, which may be long before the other has
}

// outcome is a result, or why there is none.
type outcome struct {
	result result
	err    error
}

// drainTimeout bounds reading what a process that has ended may have left.
const drainTimeout = 5 * time.Second

func (p *process) start(ctx context.Context) error {
	var err error
	if p.dir, err = os.MkdirTemp("", "plimsoll-bench-"); err != nil {
		return err
	}
	if p.log, err = os.Create(filepath.Join(p.dir, "log")); err != nil {
		return err
	}
	results, report, err := os.Pipe()
	if err != nil {
		return err
	}
	args := append([]string{
		"-test.run=^$", fmt.Sprintf("-test.bench=BenchmarkThroughput/%s/%dNodes", p.workload, p.nodes), fmt.Sprint("-nodes=", p.nodes), "-test.benchtime=1x", "-test.timeout=0",
		"-data-items-dir=" + p.dir, "-result=/dev/fd/3",
	}, p.contender.args...)
	if p.profile != "" {
		args = append(args, "-profile-file="+p.profile)
	}
	p.cmd = exec.CommandContext(ctx, p.program, args...)
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr, p.cmd.ExtraFiles = p.dir, p.log, p.log, []*os.File{report}
	modules, err := moduleCache(ctx)
	if err != nil {
		return err
	}
	p.cmd.Env = append(os.Environ(), "TMPDIR="+p.dir, "ARTIFACTS="+p.dir,
		// By these the API server finds its sources, of which it reads a certificate: built
		// with -trimpath it knows only in which module they are.
		"TEST_SRCDIR="+modules, "TEST_WORKSPACE=.",
		"PATH="+filepath.Join(p.root, "bin", "tools")+string(os.PathListSeparator)+os.Getenv("PATH"))
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // with etcd, which it starts
	p.cmd.Cancel = p.kill
	err = p.cmd.Start()
	_ = report.Close() // ours; it has its own
	if err != nil {
		p.cmd = nil
		return errors.Join(err, results.Close())
	}
	p.ended, p.measured = make(chan struct{}), make(chan outcome, 1)
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait()                                          // how it ended says nothing: we end it
		_ = results.SetReadDeadline(time.Now().Add(drainTimeout)) // etcd may hold the other end
	}()
	go func() {
		var o outcome
		o.err = json.NewDecoder(results).Decode(&o.result)
		p.measured <- o
		_ = results.Close() // it was for reading
	}()
	return nil
}

// moduleCache returns the folder that modules are in.
func moduleCache(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMODCACHE").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOMODCACHE: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// result waits for what it has measured.
func (p *process) result(ctx context.Context) (result, error) {
	o := <-p.measured // ctx ends the process
	if o.err != nil {
		if cause := context.Cause(ctx); cause != nil {
			o.err = cause
		}
		return o.result, fmt.Errorf("%s ended without a result: %w; the end of its log:\n%s", p.contender.Name, o.err, tail(p.log))
	}
	return o.result, nil
}

func (p *process) kill() error { return syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) }

// end ends the process, and removes what it left: what it would do after it has measured
// takes as long again, and with Trimaran ten minutes, in which it waits for goroutines
// that do not end.
func (p *process) end() {
	if p.cmd != nil {
		_ = p.kill() // it may have ended by itself
		<-p.ended
	}
	if p.log != nil {
		_ = p.log.Close() // it was for reading, by now
	}
	if p.dir != "" {
		_ = os.RemoveAll(p.dir) // at worst it stays in the folder for such things
	}
}

// tail returns the end of what was written to the file.
func tail(file *os.File) string {
	const size = 4000
	if end, err := file.Seek(0, io.SeekEnd); err != nil || end < size {
		_, _ = file.Seek(0, io.SeekStart)
	} else {
		_, _ = file.Seek(-size, io.SeekEnd)
	}
	text, err := io.ReadAll(file)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
