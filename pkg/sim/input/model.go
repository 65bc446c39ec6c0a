// Package input makes scenarios to simulate: from the public openb and PlanetLab
// traces, from a generator that needs no files, and from a snapshot of a cluster.
//
// No public trace tells what pods with devices really use, so that part is a
// model in each of them: see Model.
package input

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim"
)

// Model says which pods come and what they use.
//
// Pods are replicas of workloads, as Deployments and Jobs make them. A workload
// has a shape (what its pods request), a use ratio (a lognormal distribution) and
// a burstiness v (evenly spread between two bounds). Workload i is as popular as
// 1/i^Zipf. A pod's real CPU use at time t is
//
//	request x ratio x ((1 - v) + v x min(SeriesMax, series(t)/mean(series)))
//
// with a series and a place to begin in it for each pod, and nothing until its
// start. First pods arrive, evenly spread over FillTime, until they ask for the
// part Fill of all devices; then pods come (a Poisson process) as fast as pods
// go, for ChurnTime, which is what is measured. Lives are exponentially
// distributed; those of the first pods begin at the end of FillTime.
type Model struct {
	Workloads int
	Zipf      float64

	UseMedian, UseSigma, UseMax float64
	BurstMin, BurstMax          float64
	SeriesMax                   float64
	// Memory in use is constant: request x ratio, lognormal by workload as well.
	MemoryMedian, MemorySigma, MemoryMax float64

	StartMin, StartMax  time.Duration
	Fill                float64
	FillTime, ChurnTime time.Duration
	Life                time.Duration
	ScrapeInterval      time.Duration
	ScrapeDelay         time.Duration
	ScrapeMissing       float64
	// Nodes is of the generator only.
	Nodes int
}

// Calm is the model of a cluster whose pods use about half of what they request.
func Calm() Model {
	metrics := sim.DefaultMetricsServer()
	return Model{
		Workloads: 300, Zipf: 0.7,
		UseMedian: 0.55, UseSigma: 0.9, UseMax: 4,
		BurstMin: 0.2, BurstMax: 0.6, SeriesMax: 3,
		MemoryMedian: 0.5, MemorySigma: 0.4, MemoryMax: 1.5,
		StartMin: 20 * time.Second, StartMax: 300 * time.Second,
		Fill: 0.8, FillTime: 4 * time.Hour, ChurnTime: 20 * time.Hour, Life: 6 * time.Hour,
		ScrapeInterval: metrics.Interval, ScrapeDelay: metrics.Delay, ScrapeMissing: metrics.Missing,
		Nodes: 200,
	}
}

// Hot is the model of a cluster whose pods use about three quarters of what they
// request.
func Hot() Model {
	m := Calm()
	m.UseMedian = 0.74
	return m
}

// parameter is a field of Model that can be set by name.
type parameter struct {
	name, meaning string
	value         any // *int, *float64 or *time.Duration
	least, most   float64
}

func (m *Model) parameters() []parameter {
	day := (24 * time.Hour).Seconds()
	return []parameter{
		{"workloads", "workloads that pods are replicas of", &m.Workloads, 1, 100_000},
		{"zipf", "exponent of the popularity of workloads: the i-th has 1/i^zipf of that of the first", &m.Zipf, 0, 5},
		{"use-median", "median over workloads of the CPU use of a pod, as a part of its request", &m.UseMedian, 0.001, 100},
		{"use-sigma", "spread of the logarithm of that", &m.UseSigma, 0, 5},
		{"use-max", "largest value of that", &m.UseMax, 0.001, 100},
		{"burst-min", "smallest part of a workload's use that follows the series; the rest is constant", &m.BurstMin, 0, 1},
		{"burst-max", "largest part of a workload's use that follows the series", &m.BurstMax, 0, 1},
		{"series-max", "times its mean that a series may reach; it is cut there", &m.SeriesMax, 1, 1000},
		{"memory-median", "median over workloads of the memory use of a pod, as a part of its request", &m.MemoryMedian, 0.001, 100},
		{"memory-sigma", "spread of the logarithm of that", &m.MemorySigma, 0, 5},
		{"memory-max", "largest value of that", &m.MemoryMax, 0.001, 100},
		{"start-min", "shortest time from the binding of a pod until it runs", &m.StartMin, 0, day},
		{"start-max", "longest time from the binding of a pod until it runs", &m.StartMax, 0, day},
		{"fill", "part of the devices that pods are to have", &m.Fill, 0.01, 2},
		{"fill-time", "time over which the first pods arrive", &m.FillTime, 1, 100 * day},
		{"churn-time", "time after that, in which pods come and go; this is what is measured", &m.ChurnTime, 1, 100 * day},
		{"life", "mean life of a pod", &m.Life, 1, 1000 * day},
		{"scrape-interval", "time between two samples of a node by metrics-server", &m.ScrapeInterval, 1, 3600},
		{"scrape-delay", "time from the end of a sample until it can be read", &m.ScrapeDelay, 0, 3600},
		{"scrape-missing", "part of the samples that is missing", &m.ScrapeMissing, 0, 0.99},
		{"nodes", "nodes that are generated; of no use with nodes from a file", &m.Nodes, 1, 100_000},
	}
}

// Names returns the names of all parameters.
func Names() []string {
	var m Model
	var names []string
	for _, p := range m.parameters() {
		names = append(names, p.name)
	}
	return names
}

// Set sets a parameter by its name.
func (m *Model) Set(name, value string) error {
	for _, p := range m.parameters() {
		if p.name == name {
			return p.set(value)
		}
	}
	return fmt.Errorf("%s: unknown; known here: %s", name, strings.Join(Names(), ", "))
}

func (p *parameter) set(value string) error {
	var number float64
	var err error
	kind := "a number"
	switch field := p.value.(type) {
	case *time.Duration:
		kind = "a duration such as 90s or 4h"
		var d time.Duration
		if d, err = time.ParseDuration(value); err == nil {
			number = d.Seconds()
			if p.contains(number) {
				*field = d
			}
		}
	case *int:
		kind = "a whole number"
		var n int
		if n, err = strconv.Atoi(value); err == nil {
			number = float64(n)
			if p.contains(number) {
				*field = n
			}
		}
	case *float64:
		if number, err = strconv.ParseFloat(value, 64); err == nil && p.contains(number) {
			*field = number
		}
	}
	if err != nil {
		return fmt.Errorf("%s=%s: must be %s", p.name, value, kind)
	}
	if !p.contains(number) {
		return fmt.Errorf("%s=%s: must be %s between %s and %s", p.name, value, kind, p.format(p.least), p.format(p.most))
	}
	return nil
}

func (p *parameter) contains(number float64) bool { return number >= p.least && number <= p.most }

func (p *parameter) format(number float64) string {
	if _, ok := p.value.(*time.Duration); ok {
		return time.Duration(number * float64(time.Second)).String()
	}
	return strconv.FormatFloat(number, 'g', -1, 64)
}

// validate reports values that are out of range or do not go together.
func (m *Model) validate() error {
	for _, p := range m.parameters() {
		if number := p.number(); !p.contains(number) {
			return fmt.Errorf("%s=%s: must be between %s and %s", p.name, p.format(number), p.format(p.least), p.format(p.most))
		}
	}
	switch {
	case m.BurstMin > m.BurstMax:
		return fmt.Errorf("burst-min=%g: must not be above burst-max=%g", m.BurstMin, m.BurstMax)
	case m.StartMin > m.StartMax:
		return fmt.Errorf("start-min=%v: must not be above start-max=%v", m.StartMin, m.StartMax)
	}
	return nil
}

func (p *parameter) number() float64 {
	switch field := p.value.(type) {
	case *time.Duration:
		return field.Seconds()
	case *int:
		return float64(*field)
	case *float64:
		return *field
	}
	return math.NaN()
}

// describe returns the parameters for a report.
func (m *Model) describe() []sim.Parameter {
	var described []sim.Parameter
	for _, p := range m.parameters() {
		described = append(described, sim.Parameter{Name: p.name, Value: p.format(p.number()), Meaning: p.meaning})
	}
	return described
}
