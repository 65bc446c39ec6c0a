package throughput

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime/pprof"
	"sync"
	"syscall"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	fwk "k8s.io/kube-scheduler/framework"
)

// StopwatchName is the name of the plugin that Stopwatch is in each profile.
const StopwatchName = "Stopwatch"

// Result is what one run measured, from the first pod that was bound to the
// last.
type Result struct {
	Pods int `json:"pods"`
	// Seconds is the time that it took, and CPUSeconds what the process used
	// meanwhile: scheduler, API server and the clients that create the pods, but
	// not etcd.
	Seconds    float64 `json:"seconds"`
	CPUSeconds float64 `json:"cpuSeconds"`
	Work
}

// Stopwatch measures a run. scheduler_perf's own measure of throughput is a mean
// of samples, one a second, which is coarse for a run of some ten seconds, and
// it has none of CPU time.
type Stopwatch struct {
	// Pods is how many pods a run binds. The Result is then written to the file
	// Result, as JSON; "" is standard output.
	Pods   int
	Result string
	// Profile is where a CPU profile of what is measured is written to; "" for
	// none.
	Profile string

	mu        sync.Mutex
	bound     int
	start     time.Time
	startCPU  float64
	startWork Work
	profiling *os.File
}

var _ fwk.PostBindPlugin = &Stopwatch{}

// New is the plugin's factory.
func (s *Stopwatch) New(context.Context, runtime.Object, fwk.Handle) (fwk.Plugin, error) {
	return s, nil
}

// Name implements fwk.Plugin.
func (s *Stopwatch) Name() string { return StopwatchName }

// PostBind implements fwk.PostBindPlugin.
func (s *Stopwatch) PostBind(context.Context, fwk.CycleState, *v1.Pod, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bound++
	var err error
	switch s.bound {
	case 1:
		err = s.begin()
	case s.Pods:
		err = s.end()
	}
	if err != nil {
		panic(fmt.Errorf("measure the run: %w", err)) // there is no result without
	}
}

func (s *Stopwatch) begin() error {
	if s.Profile != "" {
		file, err := os.Create(s.Profile)
		if err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(file); err != nil {
			return err
		}
		s.profiling = file
	}
	var err error
	if s.startWork, err = workDone(); err != nil {
		return err
	}
	s.start, s.startCPU = time.Now(), cpuSeconds()
	return nil
}

func (s *Stopwatch) end() error {
	result := Result{Pods: s.bound - 1, Seconds: time.Since(s.start).Seconds(), CPUSeconds: cpuSeconds() - s.startCPU}
	if s.profiling != nil {
		pprof.StopCPUProfile()
		if err := s.profiling.Close(); err != nil {
			return err
		}
	}
	work, err := workDone()
	if err != nil {
		return err
	}
	result.Work = work.since(s.startWork)
	text, err := json.Marshal(result)
	if err != nil {
		return err
	}
	if s.Result == "" {
		_, err = fmt.Printf("%s\n", text)
		return err
	}
	return os.WriteFile(s.Result, text, 0o600)
}

// cpuSeconds returns the CPU time that the process has used.
func cpuSeconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err) // only for arguments that are not valid
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
}
