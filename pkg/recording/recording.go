// Package recording is the format of what was measured of a cluster over time: when
// its pods came, started and ended, where they ran, and what they and their nodes used.
//
// A recording is a text of lines, each a JSON object: a header, then nodes and pods in
// any order. What is not known is not there, or null in a series of values: never 0.
package recording

import (
	"fmt"
	"math"
	"time"
)

// File is what a recording is called in a snapshot. It is compressed by gzip.
const File = "use.jsonl.gz"

// Format is what the header's field of that name says.
const Format = "plimsoll.io/recording/v1"

// maxSteps bounds the length of a recording, in steps: a year of 5 minutes.
const maxSteps = 110_000

// Recording is what was measured.
type Recording struct {
	Header
	Nodes []Node
	Pods  []Pod
}

// Header says what time it is of.
type Header struct {
	Format string `json:"format"`
	// From and To are the bounds of the recording, a whole number of steps apart.
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// StepSeconds is the time between two values of a series, in seconds, from 1.
	StepSeconds int64 `json:"stepSeconds"`
	// Notes say what could not be recorded, and why.
	Notes []string `json:"notes,omitempty"`
}

// Step is the time between two values of a series.
func (h *Header) Step() time.Duration { return time.Duration(h.StepSeconds) * time.Second }

// Steps is the number of values of a whole series.
func (h *Header) Steps() int { return int(h.To.Sub(h.From) / h.Step()) }

func (h *Header) validate() error {
	switch {
	case h.Format != Format:
		return fmt.Errorf("format is %q: must be %q, in the first line", h.Format, Format)
	case h.StepSeconds < 1 || h.StepSeconds > 24*60*60:
		return fmt.Errorf("stepSeconds is %d: must be from 1 to 86400", h.StepSeconds)
	case !h.To.After(h.From):
		return fmt.Errorf("to is %s: must be after from, %s", h.To.Format(time.RFC3339), h.From.Format(time.RFC3339))
	case h.To.Sub(h.From)/h.Step() > maxSteps:
		return fmt.Errorf("there are %d steps of %v from %s to %s: must be at most %d", h.To.Sub(h.From)/h.Step(), h.Step(), h.From.Format(time.RFC3339), h.To.Format(time.RFC3339), maxSteps)
	case h.To.Sub(h.From)%h.Step() != 0:
		return fmt.Errorf("from %s to %s is no whole number of steps of %v", h.From.Format(time.RFC3339), h.To.Format(time.RFC3339), h.Step())
	}
	return nil
}

// Node is what was measured of a node.
type Node struct {
	Name string `json:"node"`
	Use
}

// Use is what something used: CPU in cores, memory in bytes. Each value is of the step
// that begins with it: CPU is the mean over it, memory what was in use at its end.
type Use struct {
	CPU    Series `json:"cpu"`
	Memory Series `json:"memory"`
}

// Pod is what is known of a pod.
type Pod struct {
	Namespace string `json:"namespace"`
	Name      string `json:"pod"`
	UID       string `json:"uid,omitempty"`
	// Node is where it ran, as far as it is known.
	Node string `json:"on,omitempty"`
	// Owner is its controller.
	Owner *Owner `json:"owner,omitempty"`
	// Requests are what its containers request together, by resource; nil if that is not
	// known, empty if it is nothing.
	Requests map[string]string `json:"requests,omitempty"`
	Priority *int32            `json:"priority,omitempty"`
	// Created, Scheduled, Started and Ended are when it was made, got its node, had its
	// containers run, and was gone or had ended. What is not known, or was not yet, is nil.
	Created   *time.Time `json:"created,omitempty"`
	Scheduled *time.Time `json:"scheduled,omitempty"`
	Started   *time.Time `json:"started,omitempty"`
	Ended     *time.Time `json:"ended,omitempty"`
	// Completed: it ended by itself, as pods of Jobs do.
	Completed bool `json:"completed,omitempty"`
	Use
}

// Owner is the controller of a pod.
type Owner struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
}

// Series is values over time, a part of the recording's steps.
type Series struct {
	// First is the step of the first value.
	First int `json:"first,omitempty"`
	// Values are NaN where nothing was measured.
	Values Values `json:"values,omitempty"`
}

// Values are numbers, from 0. NaN, null in JSON, is one that is not known.
type Values []float64

// At returns the value of a step, NaN if there is none.
func (s *Series) At(step int) float64 {
	if step < s.First || step >= s.First+len(s.Values) {
		return math.NaN()
	}
	return s.Values[step-s.First]
}

// Set sets the value of a step, unless that has one already.
func (s *Series) Set(step int, value float64) {
	if len(s.Values) == 0 {
		s.First = step
	}
	if before := s.First - step; before > 0 {
		s.First, s.Values = step, append(unknown(before), s.Values...)
	}
	if after := step + 1 - s.First - len(s.Values); after > 0 {
		s.Values = append(s.Values, unknown(after)...)
	}
	if math.IsNaN(s.Values[step-s.First]) {
		s.Values[step-s.First] = value
	}
}

func unknown(count int) Values {
	values := make(Values, count)
	for i := range values {
		values[i] = math.NaN()
	}
	return values
}

// Known returns how many values are known.
func (s *Series) Known() (count int) {
	for _, value := range s.Values {
		if !math.IsNaN(value) {
			count++
		}
	}
	return count
}

func (s *Series) validate(name string, steps int) error {
	if s.First < 0 || s.First+len(s.Values) > steps {
		return fmt.Errorf("%s has %d values from step %d on: must be within the recording's %d steps", name, len(s.Values), s.First, steps)
	}
	for i, value := range s.Values {
		if !math.IsNaN(value) && (value < 0 || value > mostValue) {
			return fmt.Errorf("%s.values[%d] is %g: must be from 0 to %g, or null", name, i, value, float64(mostValue))
		}
	}
	return nil
}

// mostValue bounds values, so that sums of them are numbers.
const mostValue = 1 << 60

func (u *Use) validate(steps int) error {
	if err := u.CPU.validate("cpu", steps); err != nil {
		return err
	}
	return u.Memory.validate("memory", steps)
}
