package config

import (
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
)

// Names of the plugins, as used in a KubeSchedulerConfiguration.
const (
	NodeLoad  = "NodeLoad"
	DeviceFit = "DeviceFit"
)

// The resources whose use a source reports. Thresholds, weights, factors and
// defaults are keyed by them.
const (
	CPU    = "cpu"
	Memory = "memory"
)

// SourceType says where measured use comes from.
type SourceType string

const (
	// MetricsServer reads NodeMetrics and PodMetrics from the metrics.k8s.io API.
	MetricsServer SourceType = "MetricsServer"
	// PrometheusServer asks a Prometheus server for what nodes use, and for what
	// pods use if it is told how; else that is read as by MetricsServer.
	PrometheusServer SourceType = "Prometheus"
)

// StalePolicy says how NodeLoad treats a node without a fresh sample.
type StalePolicy string

const (
	// UseRequests scores the node by the requests of its pods and never
	// rejects it for load.
	UseRequests StalePolicy = "UseRequests"
	// Ignore gives the node a neutral score and never rejects it for load.
	Ignore StalePolicy = "Ignore"
	// Reject rejects the node until a fresh sample arrives.
	Reject StalePolicy = "Reject"
)

// UnsatisfiablePolicy says what becomes of a pod when a node is over the line.
type UnsatisfiablePolicy string

const (
	// DoNotSchedule rejects the node.
	DoNotSchedule UnsatisfiablePolicy = "DoNotSchedule"
	// ScheduleAnyway ranks the node below every node under the line.
	ScheduleAnyway UnsatisfiablePolicy = "ScheduleAnyway"
)

// Override says whether pods may override an argument by an annotation.
type Override string

const (
	// AllowOverride has the annotation count.
	AllowOverride Override = "Allow"
	// TightenOverride has it count only where it is stricter than the argument.
	TightenOverride Override = "Tighten"
	// IgnoreOverride has it not count.
	IgnoreOverride Override = "Ignore"
)

// Statistic names what condenses a node's history into one number.
type Statistic string

// The statistics: the newest sample, and over the window the mean,
// percentiles, and the largest sample.
const (
	Latest  Statistic = "Latest"
	Average Statistic = "Average"
	P50     Statistic = "P50"
	P90     Statistic = "P90"
	P95     Statistic = "P95"
	P99     Statistic = "P99"
	Peak    Statistic = "Peak"
)

// Strategy says how DeviceFit ranks the nodes for a pod that needs devices.
type Strategy string

const (
	// LeastFragmentation prefers the node where the pod leaves the most of the
	// free devices of use to the pods that the cluster typically runs.
	LeastFragmentation Strategy = "LeastFragmentation"
	// MostAllocated prefers the node whose devices are the most in use.
	MostAllocated Strategy = "MostAllocated"
	// LeastAllocated prefers the node whose devices are the least in use.
	LeastAllocated Strategy = "LeastAllocated"
)

// NodeLoadArgs are the arguments of the NodeLoad plugin.
type NodeLoadArgs struct {
	// Source, Expiration, Window, Estimate and Overrides.Estimate configure the load
	// model. All profiles of a process share one model, so they must be the same in
	// each.
	Source Source `json:"source"`
	// Expiration is the age from which a sample is stale. At least
	// source.interval + source.timeout, at most 24h.
	Expiration time.Duration `json:"expiration"`
	// Window is the length of the history that statistics are made of. 0 keeps
	// the newest sample only; else it is 2 to 500 times source.interval, and at
	// least the window of source.prometheus.
	Window   time.Duration `json:"window"`
	Estimate Estimate      `json:"estimate"`

	StalePolicy StalePolicy `json:"stalePolicy"`
	Filter      Filter      `json:"filter"`
	Score       Score       `json:"score"`
	// Bands are other thresholds for pods by priority. The first that a pod is
	// in applies.
	Bands []Band `json:"bands"`
	// Overrides says what the authors of pods may override.
	Overrides Overrides `json:"overrides"`
}

// Source configures where measured use is read, and how often.
type Source struct {
	Type SourceType `json:"type"`
	// Interval is from one poll, which reads all nodes in one call, to the next. 1s to
	// 10m.
	Interval time.Duration `json:"interval"`
	// Timeout is that of one poll. At least 1ms, at most Interval.
	Timeout time.Duration `json:"timeout"`
	// Prometheus is given with type PrometheusServer, and only then.
	Prometheus *Prometheus `json:"prometheus"`
}

// Filter configures which nodes NodeLoad rejects.
type Filter struct {
	WhenUnsatisfiable UnsatisfiablePolicy `json:"whenUnsatisfiable"`
	// Statistic is what of the node's history is compared with the thresholds.
	Statistic Statistic `json:"statistic"`
	// Thresholds are percent of allocatable by resource, 0 to 100. A node whose
	// predicted use is above is over the line. 0 turns the resource off. A
	// resource that is not named keeps its default.
	Thresholds map[string]int64 `json:"thresholds"`
	// MaxWait is how long a pod waits because all nodes that could take it are
	// over the line; after that it is scheduled as with ScheduleAnyway. 0 to 24h,
	// 0 is for as long as it takes. It is not for pods in a band, nor for those
	// whose annotation says DoNotSchedule.
	MaxWait time.Duration `json:"maxWait"`
}

// ScoreStrategy says how NodeLoad ranks nodes.
type ScoreStrategy string

const (
	// LeastExpectedLoss prefers the node where the fewest devices and pods are
	// expected to be short of CPU or memory because of the pod.
	LeastExpectedLoss ScoreStrategy = "LeastExpectedLoss"
	// MostHeadroom prefers the node that is the furthest below its line.
	MostHeadroom ScoreStrategy = "MostHeadroom"
)

// Score configures how NodeLoad ranks nodes.
type Score struct {
	// Strategy defaults to LeastExpectedLoss, or to MostHeadroom if arguments are given
	// that are for that alone.
	Strategy ScoreStrategy `json:"strategy"`
	// Statistic is what of the node's history nodes are ranked by.
	Statistic Statistic `json:"statistic"`
	// Weights by resource, 0 to 100, at least one above 0: how much each counts,
	// compared with the others. A resource that is not named keeps its default.
	Weights map[string]int64 `json:"weights"`
	// WorstResourceWeight is for MostHeadroom: an extra weight for the resource that
	// scores lowest on the node, 0 to 100.
	WorstResourceWeight int64 `json:"worstResourceWeight"`
	// RiskAversion is for MostHeadroom: how many standard deviations of its history
	// are added to a node's predicted use, 0 to 10.
	RiskAversion float64 `json:"riskAversion"`
}

// Band is thresholds for the pods of a range of priorities.
type Band struct {
	// MinPriority and MaxPriority bound the range, both included. One that is
	// not given does not.
	MinPriority *int64 `json:"minPriority"`
	MaxPriority *int64 `json:"maxPriority"`
	// Thresholds are as those of Filter, whose values hold for a resource that
	// is not named. At least one is.
	Thresholds map[string]int64 `json:"thresholds"`
}

// Estimate configures how much a pod counts before its use is measured.
type Estimate struct {
	// Factors are percent of the request that a pod is expected to use, by resource, 0
	// to 1000.
	Factors map[string]int64 `json:"factors"`
	// Defaults stand in for the request of each container that has none.
	Defaults map[string]resource.Quantity `json:"defaults"`
	// WarmUp is how long a pod runs before a sample is taken to show its use.
	// 0 to 1h.
	WarmUp time.Duration `json:"warmUp"`
	// Learn has the real use of a workload's running pods be the estimate for
	// its next one.
	Learn bool `json:"learn"`
}

// Overrides says which annotations of pods count. Whoever may create a pod may
// annotate it; so what annotations may do to others' pods is for who configures the
// scheduler to say. An annotation that does not count is reported by an event on
// the pod. (Nodes' annotations always count: who may change nodes may do more.)
type Overrides struct {
	// WhenUnsatisfiable is for WhenUnsatisfiableAnnotation. With TightenOverride
	// DoNotSchedule counts, and ScheduleAnyway does not, unless that is what
	// filter.whenUnsatisfiable says as well.
	WhenUnsatisfiable Override         `json:"whenUnsatisfiable"`
	Estimate          EstimateOverride `json:"estimate"`
}

// EstimateOverride is for EstimateAnnotation.
type EstimateOverride struct {
	// Allow has the annotation count.
	Allow bool `json:"allow"`
	// MinPercent is the least that an annotated pod counts as, by resource, in
	// percent of what it would count as without the annotation: by what was learned
	// of its workload, or else its requests. 0 to 100. 0 has the annotation count
	// as it is, also if it says 0; with 100 it can only raise the estimate. A
	// resource that is not named keeps its default.
	MinPercent map[string]int64 `json:"minPercent"`
}

// DeviceFitArgs are the arguments of the DeviceFit plugin.
type DeviceFitArgs struct {
	// Resources are names or patterns (path.Match syntax, where * stays within
	// one side of the slash, and a lone * matches all) of the extended resources
	// and device classes that are devices. A class goes by the name of its
	// resource, deviceclass.resource.kubernetes.io/NAME. A pattern that begins with
	// "!" excludes what it matches, wherever it stands in the list.
	//
	// What a lone * alone matches is a device unless it is taken for a counter,
	// such as the uses of /dev/kvm (see docs/configuration.md). What another pattern
	// matches is a device in any case.
	Resources []string `json:"resources"`
	Strategy  Strategy `json:"strategy"`
	// Weights by device resource, 0 to 100, say how much each counts in the
	// strategy. A resource that is not named counts 1.
	Weights map[string]int64 `json:"weights"`
	// HeadroomPerDevice is how much live headroom, by resource, a pod without
	// devices must leave on a node for each of its free devices, such as {cpu: "2"};
	// else the node is rejected. Pods of DaemonSets and critical ones are exempt. A
	// resource that is not named, or 0, asks for none.
	HeadroomPerDevice map[string]resource.Quantity `json:"headroomPerDevice"`
	// AvoidDeviceNodes has pods without devices prefer nodes without free devices.
	AvoidDeviceNodes bool `json:"avoidDeviceNodes"`
}
