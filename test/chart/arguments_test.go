package chart

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
)

// The chart refuses the arguments that the scheduler would not start with, and takes
// the others. The cases are those of both, and all that the fuzz tests of the
// arguments have come upon.
func TestArgumentsAreCheckedAsTheSchedulerDoes(t *testing.T) {
	for _, plugin := range []struct {
		name, value string
		decode      func(runtime.Object, *field.Path) field.ErrorList
		cases       []string
	}{
		{
			name: config.NodeLoad, value: "nodeLoad",
			decode: func(args runtime.Object, fld *field.Path) field.ErrorList {
				_, errs := config.DecodeNodeLoad(args, fld)
				return errs
			},
			cases: nodeLoadCases,
		},
		{
			name: config.DeviceFit, value: "deviceFit",
			decode: func(args runtime.Object, fld *field.Path) field.ErrorList {
				_, errs := config.DecodeDeviceFit(args, fld)
				return errs
			},
			cases: deviceFitCases,
		},
	} {
		cases := append(corpus(t, "Fuzz"+plugin.name+"Args"), plugin.cases...)
		refused, taken := 0, 0
		for _, args := range cases {
			var given map[string]any
			if json.Unmarshal([]byte(args), &given) != nil || hasNull(given) || given == nil {
				continue // no values file can say that, and to Helm null removes a value
			}
			// As the chart passes them on: 85.0 is 85, and nothing is there twice.
			passed, err := json.Marshal(given)
			if err != nil {
				t.Fatal(err)
			}
			errs := plugin.decode(&runtime.Unknown{Raw: passed}, field.NewPath(plugin.value))
			if len(errs) == 1 && tooLarge.MatchString(errs[0].Error()) {
				continue // left to the scheduler: no pattern compares numbers
			}
			// The plugin's own defaults for what is not given, instead of the chart's.
			chart := loadChart(t)
			chart.Values[plugin.value] = map[string]any{}
			_, err = rendering{chart: chart}.try(t, map[string]any{plugin.value: given})
			if (err != nil) != (len(errs) > 0) {
				t.Errorf("%s: the scheduler says %v, and the chart %v", args, errs.ToAggregate(), err)
			}
			if err != nil {
				refused++
			} else {
				taken++
			}
		}
		if refused < 10 || taken < 10 {
			t.Errorf("%s: only %d cases are refused and %d taken", plugin.name, refused, taken)
		}
	}
}

// tooLarge matches the fault of a quantity that does not fit into 64 bits.
var tooLarge = regexp.MustCompile(`"[0-9]+[A-Z]i?": must be a quantity`)

func hasNull(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case map[string]any:
		for _, inner := range v {
			if hasNull(inner) {
				return true
			}
		}
	case []any:
		for _, inner := range v {
			if hasNull(inner) {
				return true
			}
		}
	}
	return false
}

// corpus returns what a fuzz test of pkg/apis/config begins with.
func corpus(t *testing.T, test string) []string {
	t.Helper()
	return corpusIn(t, "pkg/apis/config/testdata/fuzz", test)
}

func corpusIn(t *testing.T, dir, test string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, dir, test, "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no corpus of %s: %v", test, err)
	}
	var inputs []string
	for _, file := range files {
		inputs = append(inputs, corpusEntry(t, file))
	}
	return inputs
}

// corpusEntry returns the text in a file that is a line of version and string("...").
func corpusEntry(t *testing.T, file string) string {
	t.Helper()
	read, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, literal, _ := strings.Cut(strings.TrimSpace(string(read)), "\n")
	literal, _ = strings.CutPrefix(strings.TrimSpace(literal), "string(")
	input, err := strconv.Unquote(strings.TrimSuffix(literal, ")"))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return input
}

const server = `"type": "Prometheus", "prometheus": {"address": "https://prometheus:9090"`

var nodeLoadCases = []string{
	`{}`,
	`{"source": {"interval": "30s"}}`,
	`{"source": {"interval": "30s"}, "window": "1m"}`,
	`{"source": {"interval": "9s"}}`,
	`{"source": {"interval": "10s"}}`,
	`{"source": {"interval": "10m", "timeout": "10m"}, "expiration": "20m", "window": "20m"}`,
	`{"source": {"interval": "10m1s", "timeout": "10m"}, "expiration": "24h", "window": "0s"}`,
	`{"source": {"timeout": "15s"}}`,
	`{"source": {"timeout": "15.001s"}}`,
	`{"source": {"timeout": "1ms"}}`,
	`{"source": {"timeout": "999us"}}`,
	`{"source": {"timeout": "0"}}`,
	`{"source": {"timeout": "-1s"}}`,
	`{"expiration": "25s"}`,
	`{"expiration": "24s999ms"}`,
	`{"expiration": "24h"}`,
	`{"expiration": "24h1ns"}`,
	`{"window": "0"}`,
	`{"window": "0s"}`,
	`{"window": "30s"}`,
	`{"window": "29s"}`,
	`{"window": "125m"}`,
	`{"window": "126m"}`,
	`{"window": "1.5h"}`,
	`{"window": "soon"}`,
	`{"window": 300}`,
	`{"estimate": {"warmUp": "1h"}}`,
	`{"estimate": {"warmUp": "1h1s"}}`,
	`{"filter": {"maxWait": "24h"}}`,
	`{"filter": {"maxWait": "24h1s"}}`,
	`{"filter": {"thresholds": {"cpu": 0, "memory": 100}}}`,
	`{"filter": {"thresholds": {"cpu": 101}}}`,
	`{"filter": {"thresholds": {"cpu": -1}}}`,
	`{"filter": {"thresholds": {"cpu": 50.5}}}`,
	`{"filter": {"thresholds": {"cpu": "50"}}}`,
	`{"filter": {"statistic": "P98"}}`,
	`{"filter": {"statistic": "P99", "whenUnsatisfiable": "ScheduleAnyway"}}`,
	`{"filter": {"whenUnsatisfiable": "Whatever"}}`,
	`{"stalePolicy": "Reject"}`,
	`{"stalePolicy": "reject"}`,
	`{"score": {"strategy": "MostHeadroom", "riskAversion": 10, "worstResourceWeight": 100}}`,
	`{"score": {"strategy": "LeastExpectedLoss", "riskAversion": 1}}`,
	`{"score": {"strategy": "LeastExpectedLoss", "worstResourceWeight": 1, "riskAversion": 0}}`,
	`{"score": {"riskAversion": 10.1}}`,
	`{"score": {"riskAversion": -0.1}}`,
	`{"score": {"worstResourceWeight": 101}}`,
	`{"score": {"weights": {"cpu": 0}}}`,
	`{"score": {"weights": {"cpu": 0, "memory": 0}}}`,
	`{"bands": []}`,
	`{"bands": [{}]}`,
	`{"bands": [{"thresholds": {}}]}`,
	`{"bands": [{"thresholds": {"cpu": 50}}]}`,
	`{"bands": [{"minPriority": -2147483648, "maxPriority": 2147483647, "thresholds": {"cpu": 50}}]}`,
	`{"bands": [{"maxPriority": 2147483648, "thresholds": {"cpu": 50}}]}`,
	`{"bands": [{"minPriority": 1, "maxPriority": 0, "thresholds": {"cpu": 50}}]}`,
	`{"estimate": {"factors": {"cpu": 1000, "memory": 0}, "learn": false}}`,
	`{"estimate": {"factors": {"cpu": 1001}}}`,
	`{"estimate": {"defaults": {"cpu": "0.5", "memory": "1e9"}}}`,
	`{"estimate": {"defaults": {"cpu": 2, "memory": 1048576}}}`,
	`{"estimate": {"defaults": {"cpu": -2}}}`,
	`{"estimate": {"defaults": {"cpu": "two"}}}`,
	`{"estimate": {"defaults": {"cpu": "1e100"}}}`,
	`{"estimate": {"learn": "yes"}}`,
	`{"overrides": {"whenUnsatisfiable": "Tighten", "estimate": {"allow": false, "minPercent": {"cpu": 100}}}}`,
	`{"overrides": {"estimate": {"minPercent": {"memory": 101}}}}`,
	`{"overrides": {"schedule": "Allow"}}`,
	`{"source": {"type": "Prometheus"}}`,
	`{"source": {"type": "Graphite"}}`,
	`{"source": {` + server + `}}}`,
	`{"source": {"type": "MetricsServer", "prometheus": {}}}`,
	`{"source": {` + server + `, "window": "91s"}}}`,
	`{"source": {` + server + `, "window": "90s"}}}`,
	`{"source": {` + server + `, "window": "999ms"}}}`,
	`{"source": {` + server + `}}, "window": "59s"}`,
	`{"source": {` + server + `}}, "window": "0s"}`,
	`{"source": {` + server + `, "certFile": "/c"}}}`,
	`{"source": {` + server + `, "certFile": "/c", "keyFile": "/k", "caFile": "/ca", "serverName": "p", "insecureSkipVerify": true}}}`,
	`{"source": {"type": "Prometheus", "prometheus": {"address": "http://p:9090/prefix", "bearerTokenFile": "/t"}}}`,
	`{"source": {"type": "Prometheus", "prometheus": {"address": "http://p:9090", "insecureSkipVerify": true}}}`,
	`{"source": {"type": "Prometheus", "prometheus": {"address": "http://user:secret@p:9090"}}}`,
	`{"source": {"type": "Prometheus", "prometheus": {"address": "http://p:9090?x=y"}}}`,
	`{"source": {"type": "Prometheus", "prometheus": {"address": "p:9090"}}}`,
	`{"source": {"type": "Prometheus", "prometheus": {"address": ""}}}`,
	`{"source": {` + server + `, "nodeLabel": "node"}}}`,
	`{"source": {` + server + `, "nodeLabel": "1node"}}}`,
	`{"source": {` + server + `, "queries": {"cpu": "x"}}}}`,
	`{"source": {` + server + `, "queries": {"cpu": " "}}}}`,
	`{"source": {` + server + `, "podQueries": {}}}}`,
	`{"source": {` + server + `, "podLabel": "name"}}}`,
	`{"source": {` + server + `, "podQueries": {}, "podLabel": "name"}}}`,
	`{"source": {` + server + `, "podQueries": {}, "podLabel": "namespace"}}}`,
}

var deviceFitCases = []string{
	`{}`,
	`{"resources": ["*"]}`,
	`{"resources": ["nvidia.com/*", "amd.com/gpu", "*.example.com/f?"]}`,
	`{"resources": ["deviceclass.resource.kubernetes.io/*"]}`,
	`{"resources": ["!deviceclass.resource.kubernetes.io/nic", "*"]}`,
	`{"resources": ["kubernetes.io/gpu"]}`,
	`{"resources": ["a.kubernetes.io/gpu"]}`,
	`{"resources": ["gpu"]}`,
	`{"resources": ["a/b/c"]}`,
	`{"resources": ["/b"]}`,
	`{"resources": ["a b/c"]}`,
	`{"resources": ["!a/b"]}`,
	`{"resources": ["!*", "a/b"]}`,
	`{"resources": ["!*/*", "a/b"]}`,
	`{"resources": ["!a/b", "a/b"]}`,
	`{"resources": ["!a/b", "*"]}`,
	`{"resources": ["!!a/b", "*"]}`,
	`{"resources": []}`,
	`{"resources": "*"}`,
	`{"strategy": "MostAllocated"}`,
	`{"strategy": "Most"}`,
	`{"weights": {"nvidia.com/gpu": 100, "deviceclass.resource.kubernetes.io/gpu": 0}}`,
	`{"weights": {"nvidia.com/gpu": 101}}`,
	`{"weights": {"nvidia.com/*": 1}}`,
	`{"weights": {"!nvidia.com/gpu": 1}}`,
	`{"weights": {"gpu": 1}}`,
	`{"weights": {"kubernetes.io/gpu": 1}}`,
	`{"headroomPerDevice": {"cpu": "2", "memory": "1Gi"}}`,
	`{"headroomPerDevice": {"cpu": "-2"}}`,
	`{"headroomPerDevice": {"gpu": "2"}}`,
	`{"avoidDeviceNodes": false}`,
	`{"avoidDeviceNodes": "no"}`,
}
