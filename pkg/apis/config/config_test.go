package config

import (
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func raw(json string) runtime.Object { return &runtime.Unknown{Raw: []byte(json)} }

func TestDefaultsAreValid(t *testing.T) {
	for _, obj := range []runtime.Object{nil, raw(""), raw("{}"), raw("null")} {
		if _, errs := DecodeNodeLoad(obj, field.NewPath("args")); len(errs) > 0 {
			t.Errorf("NodeLoad: %v", errs.ToAggregate())
		}
		if _, errs := DecodeDeviceFit(obj, field.NewPath("args")); len(errs) > 0 {
			t.Errorf("DeviceFit: %v", errs.ToAggregate())
		}
	}
}

func TestGivenValuesReplaceDefaultsAndTheOthersStay(t *testing.T) {
	got, errs := DecodeNodeLoad(raw(`{
		"source": {"interval": "30s"},
		"stalePolicy": "Reject",
		"filter": {"thresholds": {"cpu": 60}},
		"score": {"weights": {"memory": 0}, "riskAversion": 0.5},
		"bands": [{"minPriority": 1000000, "thresholds": {"cpu": 90}}],
		"estimate": {"defaults": {"memory": "1Gi", "cpu": 2}, "warmUp": "0s"},
		"overrides": {"estimate": {"minPercent": {"cpu": 50}}},
		"expiration": null
	}`), field.NewPath("args"))
	if len(errs) > 0 {
		t.Fatal(errs.ToAggregate())
	}
	if got.Source.Interval != 30*time.Second || got.Source.Timeout != 10*time.Second || got.Expiration != 90*time.Second {
		t.Errorf("source %+v, expiration %v", got.Source, got.Expiration)
	}
	if got.StalePolicy != Reject || got.Filter.Thresholds[CPU] != 60 || got.Filter.Thresholds[Memory] != 85 {
		t.Errorf("stalePolicy %v, thresholds %v", got.StalePolicy, got.Filter.Thresholds)
	}
	if o := got.Overrides; o.WhenUnsatisfiable != AllowOverride || !o.Estimate.Allow || o.Estimate.MinPercent[CPU] != 50 || o.Estimate.MinPercent[Memory] != 25 {
		t.Errorf("overrides %+v", o)
	}
	if got.Score.RiskAversion != 0.5 || len(got.Bands) != 1 || *got.Bands[0].MinPriority != 1000000 || got.Bands[0].MaxPriority != nil {
		t.Errorf("riskAversion %v, bands %+v", got.Score.RiskAversion, got.Bands)
	}
	if got.Score.Weights[CPU] != 1 || got.Score.Weights[Memory] != 0 || got.Estimate.WarmUp != 0 {
		t.Errorf("weights %v, warmUp %v", got.Score.Weights, got.Estimate.WarmUp)
	}
	cpu, memory := got.Estimate.Defaults[CPU], got.Estimate.Defaults[Memory]
	if !cpu.Equal(resource.MustParse("2")) || !memory.Equal(resource.MustParse("1Gi")) {
		t.Errorf("defaults %v", got.Estimate.Defaults)
	}
}

func TestFaults(t *testing.T) {
	nodeLoad := func(obj runtime.Object, fld *field.Path) field.ErrorList {
		_, errs := DecodeNodeLoad(obj, fld)
		return errs
	}
	deviceFit := func(obj runtime.Object, fld *field.Path) field.ErrorList {
		_, errs := DecodeDeviceFit(obj, fld)
		return errs
	}
	for _, test := range []struct {
		decode func(runtime.Object, *field.Path) field.ErrorList
		args   string
		want   []string // the beginnings of the messages, sorted
	}{
		{nodeLoad, `{"filter": {"thresholds": {"cpu": 140}}}`, []string{"args.filter.thresholds[cpu]: Invalid value: 140: must be between 0 and 100"}},
		{nodeLoad, `{"filter": {"thresholds": {"cpu": -1, "gpu": 1}}}`, []string{
			"args.filter.thresholds[cpu]: Invalid value: -1: must be between 0 and 100",
			"args.filter.thresholds[gpu]: Invalid value: 1: no source reports this resource; must be one of cpu, memory",
		}},
		{nodeLoad, `{"filter": {"thresholds": {"cpu": 70.5}}}`, []string{`args.filter.thresholds[cpu]: Invalid value: "70.5": must be an integer`}},
		{nodeLoad, `{"filter": {"thresholds": {"cpu": 1e30}}}`, []string{`args.filter.thresholds[cpu]: Invalid value: "1e30": must be an integer`}},
		{nodeLoad, `{"filter": {"thresholds": [75]}}`, []string{"args.filter.thresholds: Invalid value: [75]: must be an object"}},
		{nodeLoad, `{"filter": {"whenUnsatisfiable": "Sometimes"}}`, []string{`args.filter.whenUnsatisfiable: Unsupported value: "Sometimes"`}},
		{nodeLoad, `{"score": {"weights": {"cpu": 0, "memory": 0}}}`, []string{"args.score.weights: Invalid value"}},
		{nodeLoad, `{"score": {"worstResourceWeight": 101}}`, []string{"args.score.worstResourceWeight: Invalid value: 101: must be between 0 and 100"}},
		{nodeLoad, `{"source": {"interval": "-1s"}}`, []string{`args.source.interval: Invalid value: "-1s": must be between 1s and 10m0s`}},
		{nodeLoad, `{"filter": {"maxWait": "-1s"}}`, []string{`args.filter.maxWait: Invalid value: "-1s": must be between 0s and 24h0m0s`}},
		{nodeLoad, `{"filter": {"maxWait": "25h"}}`, []string{`args.filter.maxWait: Invalid value: "25h0m0s": must be between 0s and 24h0m0s`}},
		{nodeLoad, `{"filter": {"maxWait": 60}}`, []string{`args.filter.maxWait: Invalid value: "60": must be a duration such as "15s"`}},
		{nodeLoad, `{"source": {"interval": 15}}`, []string{`args.source.interval: Invalid value: "15": must be a duration such as "15s"`}},
		{nodeLoad, `{"source": {"interval": "11m"}}`, []string{`args.source.interval: Invalid value: "11m0s": must be between 1s and 10m0s`}},
		{nodeLoad, `{"source": {"timeout": "0s"}}`, []string{`args.source.timeout: Invalid value: "0s"`}},
		{nodeLoad, `{"source": {"type": "Graphite"}}`, []string{`args.source.type: Unsupported value: "Graphite": supported values: "MetricsServer", "Prometheus"`}},
		{nodeLoad, `{"source": {"type": "Prometheus"}}`, []string{"args.source.prometheus.address: Required value: the URL of the Prometheus server"}},
		{nodeLoad, `{"source": {"prometheus": {}}}`, []string{"args.source.prometheus: Forbidden: is for type: Prometheus, and the type is MetricsServer"}},
		{nodeLoad, `{"source": {"type": "Prometheus", "prometheus": {"address": "prometheus:9090", "nodeLabel": "a-b", "window": "2m", "url": 1,
				"queries": {"cpu": " ", "gpu": "1", "memory": 1}, "certFile": "c"}}}`, []string{
			`args.source.prometheus.address: Invalid value: "prometheus:9090": must be an http or https URL, such as https://prometheus.monitoring:9090`,
			"args.source.prometheus.keyFile: Required value: goes with certFile",
			`args.source.prometheus.nodeLabel: Invalid value: "a-b": must be the name of a label`,
			"args.source.prometheus.queries[cpu]: Required value: a PromQL expression",
			`args.source.prometheus.queries[gpu]: Invalid value: "1": no source reports this resource`,
			`args.source.prometheus.queries[memory]: Invalid value: "1": must be a string`,
			"args.source.prometheus.url: Forbidden: unknown field; known here: address, bearerTokenFile, caFile",
			`args.source.prometheus.window: Invalid value: "2m0s": must not exceed expiration, which is 1m30s`,
		}},
		{nodeLoad, `{"source": {"type": "Prometheus", "prometheus": {"address": "HTTP://p:9090", "caFile": "c", "keyFile": "k", "insecureSkipVerify": true, "serverName": "s"}}}`, []string{
			"args.source.prometheus.caFile: Forbidden: is for TLS, and the address begins with http://",
			"args.source.prometheus.certFile: Required value: goes with keyFile",
			"args.source.prometheus.insecureSkipVerify: Forbidden: is for TLS",
			"args.source.prometheus.keyFile: Forbidden: is for TLS",
			"args.source.prometheus.serverName: Forbidden: is for TLS",
		}},
		{nodeLoad, `{"source": {"type": "Prometheus", "prometheus": {"address": "http://p:9090", "namespaceLabel": "a b", "podLabel": "1",
				"podQueries": {"cpu": "", "gpu": "1", "memory": ["1"]}}}}`, []string{
			`args.source.prometheus.namespaceLabel: Invalid value: "a b": must be the name of a label`,
			`args.source.prometheus.podLabel: Invalid value: "1": must be the name of a label`,
			"args.source.prometheus.podQueries[cpu]: Required value: a PromQL expression; leave the field out for the default",
			`args.source.prometheus.podQueries[gpu]: Invalid value: "1": no source reports this resource`,
			`args.source.prometheus.podQueries[memory]: Invalid value: ["1"]: must be a string`,
		}},
		{nodeLoad, `{"source": {"type": "Prometheus", "prometheus": {"address": "http://p:9090", "podQueries": ["cpu"]}}}`, []string{
			`args.source.prometheus.podQueries: Invalid value: ["cpu"]: must be an object`,
		}},
		{nodeLoad, `{"source": {"type": "Prometheus", "prometheus": {"address": "http://p:9090", "podQueries": {}, "podLabel": "namespace"}}}`, []string{
			`args.source.prometheus.podLabel: Invalid value: "namespace": must be another label than namespaceLabel`,
		}},
		{nodeLoad, `{"source": {"type": "Prometheus", "prometheus": {"address": "http://p:9090", "podLabel": "pod_name", "namespaceLabel": "1"}}}`, []string{
			"args.source.prometheus.namespaceLabel: Forbidden: is for podQueries; without them pods are read from metrics-server",
			"args.source.prometheus.podLabel: Forbidden: is for podQueries; without them pods are read from metrics-server",
		}},
		{nodeLoad, `{"source": {"type": "Prometheus", "prometheus": {"address": "https://me:secret@p:9090"}}}`, []string{
			"args.source.prometheus.address: Forbidden: must be without user and password",
		}},
		{nodeLoad, `{"source": {"type": "Prometheus", "prometheus": {"address": "https://p:9090?x=y"}}}`, []string{
			`args.source.prometheus.address: Invalid value: "https://p:9090?x=y": must be without ? and #`,
		}},
		{nodeLoad, `{"filter": {"statistic": "Mean"}, "score": {"statistic": 5, "riskAversion": -0.5}}`, []string{
			`args.filter.statistic: Unsupported value: "Mean": supported values: "Latest", "Average", "P50", "P90", "P95", "P99", "Peak"`,
			"args.score.riskAversion: Invalid value: -0.5: must be between 0 and 10",
			`args.score.statistic: Invalid value: "5": must be a string`,
		}},
		{nodeLoad, `{"score": {"strategy": "LeastExpectedLoss", "riskAversion": 2}}`, []string{
			"args.score.strategy: Forbidden: worstResourceWeight and riskAversion would be ignored: they are for MostHeadroom, which is the strategy if only they are given",
		}},
		{nodeLoad, `{"score": {"strategy": "LeastExpectedLoss", "worstResourceWeight": 1, "riskAversion": 0}}`, nil},
		{nodeLoad, `{"score": {"strategy": ""}}`, []string{`args.score.strategy: Unsupported value: "": supported values: "LeastExpectedLoss", "MostHeadroom"`}},
		{nodeLoad, `{"score": {"riskAversion": "high"}}`, []string{`args.score.riskAversion: Invalid value: "high": must be a number`}},
		{nodeLoad, `{"bands": [{"minPriority": 5, "maxPriority": 4, "thresholds": {"cpu": 101}}, {}, {"minPriority": 3000000000, "thresholds": {"gpu": 1}, "name": "x"}]}`, []string{
			"args.bands[0].maxPriority: Invalid value: 4: must be at least minPriority",
			"args.bands[0].thresholds[cpu]: Invalid value: 101: must be between 0 and 100",
			"args.bands[1].thresholds: Required value",
			"args.bands[2].minPriority: Invalid value: 3000000000: must be between -2147483648 and 2147483647",
			"args.bands[2].name: Forbidden: unknown field; known here: maxPriority, minPriority, thresholds",
			"args.bands[2].thresholds[gpu]: Invalid value: 1: no source reports this resource",
		}},
		{nodeLoad, `{"overrides": {"whenUnsatisfiable": "Tighten", "estimate": {"allow": true, "minPercent": {"cpu": 0, "memory": 100}}}}`, nil},
		{nodeLoad, `{"overrides": {"whenUnsatisfiable": "Never", "estimate": {"allow": "yes", "minPercent": {"cpu": 101, "gpu": 1, "memory": -1}}, "thresholds": "Allow"}}`, []string{
			`args.overrides.estimate.allow: Invalid value: "yes": must be true or false`,
			"args.overrides.estimate.minPercent[cpu]: Invalid value: 101: must be between 0 and 100",
			"args.overrides.estimate.minPercent[gpu]: Invalid value: 1: no source reports this resource; must be one of cpu, memory",
			"args.overrides.estimate.minPercent[memory]: Invalid value: -1: must be between 0 and 100",
			"args.overrides.thresholds: Forbidden: unknown field; known here: estimate, whenUnsatisfiable",
			`args.overrides.whenUnsatisfiable: Unsupported value: "Never": supported values: "Allow", "Tighten", "Ignore"`,
		}},
		{nodeLoad, `{"overrides": {"estimate": "Ignore"}}`, []string{`args.overrides.estimate: Invalid value: "Ignore": must be an object`}},
		{nodeLoad, `{"stalePolicy": "Guess"}`, []string{`args.stalePolicy: Unsupported value: "Guess"`}},
		{nodeLoad, `{"estimate": {"factors": {"cpu": -5}, "warmUp": "2h", "defaults": {"cpu": "lots", "memory": "-1"}}}`, []string{
			`args.estimate.defaults[cpu]: Invalid value: "lots": must be a quantity`,
			`args.estimate.defaults[memory]: Invalid value: "-1": must not be negative`,
			"args.estimate.factors[cpu]: Invalid value: -5: must be between 0 and 1000",
			`args.estimate.warmUp: Invalid value: "2h0m0s": must be between 0s and 1h0m0s`,
		}},
		{nodeLoad, `{"windows": "5m", "Source": {}}`, []string{
			"args.Source: Forbidden: unknown field; known here: bands, estimate, expiration, filter, overrides, score, source, stalePolicy, window",
			"args.windows: Forbidden: unknown field",
		}},
		{nodeLoad, `[]`, []string{"args: Invalid value: []: must be an object"}},
		{nodeLoad, `{} {}`, []string{`args: Invalid value: "{} {}": must be one JSON value`}},
		{nodeLoad, `{"window": "5m", "bands": [{"thresholds": {"cpu": 1, "cpu": 2, "memory": 3}, "minPriority": 1, "minPriority": 1}], "window": "5m", "windows": "5m"}`, []string{
			`args.bands[0].minPriority: Duplicate value: "minPriority"`,
			`args.bands[0].thresholds.cpu: Duplicate value: "cpu"`,
			`args.window: Duplicate value: "window"`,
		}},
		{nodeLoad, `{"estimate": {"defaults": {"cpu": "1e-2147483648", "memory": 1e1000000}}}`, []string{
			`args.estimate.defaults[cpu]: Invalid value: "1e-2147483648": must be a quantity`,
			`args.estimate.defaults[memory]: Invalid value: "1e1000000": must be a quantity`,
		}},
		{nodeLoad, `{"a`, []string{`args: Invalid value: "{\"a": not JSON`}},
		{deviceFit, `{"weights": {"nvidia.com/gpu": -1, "nvidia.com/*": 1, "cpu": 1, "amd.com/gpu": 101}}`, []string{
			"args.weights[amd.com/gpu]: Invalid value: 101: must be between 0 and 100",
			`args.weights[cpu]: Invalid value: 1: the key must be the name of an extended resource, such as "nvidia.com/gpu"`,
			"args.weights[nvidia.com/*]: Invalid value: 1: the key must be the name",
			"args.weights[nvidia.com/gpu]: Invalid value: -1: must be between 0 and 100",
		}},
		{deviceFit, `{"headroomPerDevice": {"cpu": "-2", "nvidia.com/gpu": 1, "memory": "x"}}`, []string{
			`args.headroomPerDevice[cpu]: Invalid value: "-2": must not be negative`,
			`args.headroomPerDevice[memory]: Invalid value: "x": must be a quantity such as "250m" or "1Gi"`,
			"args.headroomPerDevice[nvidia.com/gpu]: Invalid value: ",
		}},
		{deviceFit, `{"resources": []}`, []string{"args.resources: Required value"}},
		{deviceFit, `{"resources": ["nvidia.com/*", "gpu", "kubernetes.io/x", "a/[", "[a/]b", 7]}`, []string{
			`args.resources[1]: Invalid value: "gpu": must be "*", or a name or pattern`,
			`args.resources[2]: Invalid value: "kubernetes.io/x"`,
			`args.resources[3]: Invalid value: "a/["`,
			`args.resources[4]: Invalid value: "[a/]b"`,
			`args.resources[5]: Invalid value: "7": must be a string`,
		}},
		{deviceFit, `{"resources": ["!virt.example.com/*"]}`, []string{
			`args.resources: Required value: at least one name or pattern that does not begin with "!"`,
		}},
		{deviceFit, `{"resources": ["*", "!virt.example.com/*", "!deviceclass.resource.kubernetes.io/cpu", "!gpu", "!", "!!a.com/b", "!kubernetes.io/x", "! a.com/b", "a.com/!b", "!a/["]}`, []string{
			`args.resources[3]: Invalid value: "!gpu": must be "*", or a name or pattern`,
			`args.resources[4]: Invalid value: "!": must be`,
			`args.resources[5]: Invalid value: "!!a.com/b": must be`,
			`args.resources[6]: Invalid value: "!kubernetes.io/x": must be`,
			`args.resources[7]: Invalid value: "! a.com/b": must be`,
			`args.resources[8]: Invalid value: "a.com/!b": must be`,
			`args.resources[9]: Invalid value: "!a/[": must be`,
		}},
		{deviceFit, `{"resources": ["*", "!*", "!*/*", "acme.com/npu", "!acme.com/npu"]}`, []string{
			`args.resources[1]: Invalid value: "!*": excludes all resources; must exclude some`,
			`args.resources[2]: Invalid value: "!*/*": excludes all resources`,
			`args.resources[4]: Invalid value: "!acme.com/npu": excludes what args.resources[3] names; must be one or the other`,
		}},
		{deviceFit, `{"resources": ["!smarter-devices/*", "acme.com/*", "!acme.com/license"]}`, nil},
		{deviceFit, `{
			"resources": ["deviceclass.resource.kubernetes.io/*", "deviceclass.resource.kubernetes.io/gpu.example.com", "resource.kubernetes.io/gpu"],
			"weights": {"deviceclass.resource.kubernetes.io/gpu.example.com": 2, "deviceclass.resource.kubernetes.io/a/b": 1}
		}`, []string{
			`args.resources[2]: Invalid value: "resource.kubernetes.io/gpu"`,
			`args.weights[deviceclass.resource.kubernetes.io/a/b]: Invalid value: 1: the key must be the name`,
		}},
		{deviceFit, `{"strategy": "Best", "avoidDeviceNodes": 1}`, []string{
			`args.avoidDeviceNodes: Invalid value: "1": must be true or false`,
			`args.strategy: Unsupported value: "Best": supported values: "LeastFragmentation", "MostAllocated", "LeastAllocated"`,
		}},
	} {
		t.Run(test.args, func(t *testing.T) {
			var got []string
			for _, err := range test.decode(raw(test.args), field.NewPath("args")) {
				got = append(got, err.Error())
			}
			slices.Sort(got)
			if !slices.EqualFunc(got, test.want, strings.HasPrefix) {
				t.Errorf("faults:\n  %s\nwant:\n  %s", strings.Join(got, "\n  "), strings.Join(test.want, "\n  "))
			}
		})
	}
}

func TestAnnotations(t *testing.T) {
	thresholds, err := ParseThresholds(`{"cpu": 60}`)
	if err != nil || len(thresholds) != 1 || thresholds[CPU] != 60 {
		t.Errorf("thresholds %v, %v", thresholds, err)
	}
	estimate, err := ParseEstimate(`{"cpu": "3", "memory": "4Gi"}`)
	if cpu := estimate[CPU]; err != nil || cpu.Value() != 3 {
		t.Errorf("estimate %v, %v", estimate, err)
	}
	if policy, err := ParseWhenUnsatisfiable("ScheduleAnyway"); err != nil || policy != ScheduleAnyway {
		t.Errorf("policy %v, %v", policy, err)
	}
	for value, want := range map[string]string{
		`{"cpu": 101}`:  "metadata.annotations[plimsoll.io/thresholds][cpu]: Invalid value: 101: must be between 0 and 100",
		`{"cpu": "60"}`: "metadata.annotations[plimsoll.io/thresholds][cpu]: Invalid value: \"60\": must be an integer",
		`{"gpu": 60}`:   "metadata.annotations[plimsoll.io/thresholds][gpu]: Invalid value: 60: no source reports this resource",
		`60`:            "metadata.annotations[plimsoll.io/thresholds]: Invalid value: \"60\": must be an object",
		`{"cpu": 60`:    "metadata.annotations[plimsoll.io/thresholds]: Invalid value: \"{\\\"cpu\\\": 60\": not JSON",
		`{}`:            "metadata.annotations[plimsoll.io/thresholds]: Invalid value: \"{}\": must name cpu, memory or both",
		``:              "metadata.annotations[plimsoll.io/thresholds]: Invalid value: \"\": must name cpu, memory or both",
		`{"cpu": null}`: "must name cpu, memory or both",
	} {
		if _, err := ParseThresholds(value); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", value, err, want)
		}
	}
	if _, err := ParseEstimate(`{"cpu": "1", "cpu": "9"}`); err == nil || !strings.Contains(err.Error(), `metadata.annotations[plimsoll.io/estimate].cpu: Duplicate value: "cpu"`) {
		t.Error(err)
	}
	if _, err := ParseEstimate(`{"memory": "99999999999999999999999999E"}`); err == nil || !strings.Contains(err.Error(), "must be a quantity") {
		t.Error(err)
	}
	if _, err := ParseEstimate(`{"cpu": "-1"}`); err == nil || !strings.Contains(err.Error(), "must not be negative") {
		t.Error(err)
	}
	if _, err := ParseWhenUnsatisfiable("Whenever"); err == nil || !strings.Contains(err.Error(), `supported values: "DoNotSchedule", "ScheduleAnyway"`) {
		t.Error(err)
	}
}

// Arguments that are for one strategy alone ask for it.
func TestTheStrategyThatArgumentsAskFor(t *testing.T) {
	for text, want := range map[string]ScoreStrategy{
		`{}`:                                     LeastExpectedLoss,
		`{"score": {"riskAversion": 2}}`:         MostHeadroom,
		`{"score": {"worstResourceWeight": 20}}`: MostHeadroom,
		`{"score": {"worstResourceWeight": 1, "riskAversion": 0}}`:            LeastExpectedLoss,
		`{"score": {"strategy": "MostHeadroom"}}`:                             MostHeadroom,
		`{"score": {"strategy": "MostHeadroom", "worstResourceWeight": 100}}`: MostHeadroom,
	} {
		args, errs := DecodeNodeLoad(&runtime.Unknown{Raw: []byte(text)}, field.NewPath("args"))
		if len(errs) > 0 || args.Score.Strategy != want {
			t.Errorf("%s: %s, %v; want %s", text, args.Score.Strategy, errs.ToAggregate(), want)
		}
	}
}
