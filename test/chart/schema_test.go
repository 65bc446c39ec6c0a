package chart

import (
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
)

// schema is as much of a JSON schema as the tests go through.
type schema struct {
	Ref                  string             `json:"$ref"`
	Properties           map[string]*schema `json:"properties"`
	AdditionalProperties any                `json:"additionalProperties"`
	Items                *schema            `json:"items"`
	AllOf                []*schema          `json:"allOf"`
	Enum                 []string           `json:"enum"`
	Definitions          map[string]*schema `json:"definitions"`
}

func loadSchema(t *testing.T) *schema {
	t.Helper()
	read := &schema{}
	if err := json.Unmarshal(loadChart(t).Schema, read); err != nil {
		t.Fatal(err)
	}
	return read
}

func (s *schema) resolve(of *schema) *schema {
	for of.Ref != "" || len(of.AllOf) > 0 {
		if of.Ref == "" {
			of = of.AllOf[0]
			continue
		}
		of = s.Definitions[strings.TrimPrefix(of.Ref, "#/definitions/")]
	}
	return of
}

// Every argument of both plugins can be given by a value, and no value is for an
// argument that there is not.
func TestEveryArgumentIsAValue(t *testing.T) {
	s := loadSchema(t)
	s.compare(t, "nodeLoad", s.Properties["nodeLoad"], reflect.TypeFor[config.NodeLoadArgs]())
	s.compare(t, "deviceFit", s.Properties["deviceFit"], reflect.TypeFor[config.DeviceFitArgs]())
}

func (s *schema) compare(t *testing.T, path string, of *schema, argument reflect.Type) {
	t.Helper()
	of = s.resolve(of)
	switch argument.Kind() {
	case reflect.Pointer:
		s.compare(t, path, of, argument.Elem())
	case reflect.Slice:
		s.compare(t, path+"[]", of.Items, argument.Elem())
	case reflect.Struct:
		if argument.Field(0).Tag.Get("json") == "" {
			return // a quantity
		}
		var want []string
		for i := range argument.NumField() {
			name := argument.Field(i).Tag.Get("json")
			want = append(want, name)
			if inner := of.Properties[name]; inner != nil {
				s.compare(t, path+"."+name, inner, argument.Field(i).Type)
			}
		}
		slices.Sort(want)
		if got := slices.Sorted(maps.Keys(of.Properties)); !slices.Equal(got, want) {
			t.Errorf("%s: the schema has %q, and the arguments have %q", path, got, want)
		}
		if of.AdditionalProperties != false {
			t.Errorf("%s: the schema takes what it does not know", path)
		}
	}
}

// What is wrong is refused, and the message has the path.
func TestWrongValuesAreRefused(t *testing.T) {
	for _, test := range []struct{ values, path, why string }{
		{`replicas: -1`, "/replicas", "minimum: got -1, want 0"},
		{`replicas: 1.5`, "/replicas", "want integer"},
		{`replica: 2`, "", "additional properties 'replica' not allowed"},
		{`image: {repository: "registry.example.com/plimsoll:v1"}`, "/image/repository", "does not match pattern"},
		{`image: {digest: "sha256:12"}`, "/image/digest", "does not match pattern"},
		{`image: {name: x}`, "/image", "additional properties 'name' not allowed"},
		{`image: {pullPolicy: Sometimes}`, "/image/pullPolicy", "must be one of"},
		{`imagePullSecrets: [registry]`, "/imagePullSecrets/0", "want object"},
		{`schedulerName: Plimsoll`, "/schedulerName", "does not match pattern"},
		{`schedulerName: ""`, "/schedulerName", "does not match pattern"},
		{`nodeLoad: {filter: {thresholds: {cpu: 140}}}`, "/nodeLoad/filter/thresholds/cpu", "maximum: got 140, want 100"},
		{`nodeLoad: {filter: {threshold: {cpu: 70}}}`, "/nodeLoad/filter", "additional properties 'threshold' not allowed"},
		{`nodeLoad: {filter: {thresholds: {gpu: 70}}}`, "/nodeLoad/filter/thresholds", "additional properties 'gpu' not allowed"},
		{`nodeLoad: {sorce: {}}`, "/nodeLoad", "additional properties 'sorce' not allowed"},
		{`nodeLoad: {window: 15}`, "/nodeLoad/window", "want string"},
		{`nodeLoad: {window: 15 minutes}`, "/nodeLoad/window", "does not match pattern"},
		{`nodeLoad: {window: 1s}`, "nodeLoad.window", "or from 2 to 500 times source.interval, which is 15s"},
		{`nodeLoad: {source: {interval: 1h}}`, "nodeLoad.source.interval", `"1h": must be between 1s and 10m0s`},
		{`nodeLoad: {source: {timeout: 20s}}`, "nodeLoad.source.timeout", "must not exceed source.interval, which is 15s"},
		{`nodeLoad: {expiration: 20s}`, "nodeLoad.expiration", "must be at least source.interval + source.timeout, which is 25s"},
		{`nodeLoad: {estimate: {warmUp: 61m}}`, "nodeLoad.estimate.warmUp", "must be between 0s and 1h0m0s"},
		{`nodeLoad: {filter: {maxWait: 25h}}`, "nodeLoad.filter.maxWait", "must be between 0s and 24h0m0s"},
		{`nodeLoad: {score: {riskAversion: 11}}`, "/nodeLoad/score/riskAversion", "maximum: got 11, want 10"},
		{`nodeLoad: {score: {weights: {cpu: 0, memory: 0}}}`, "nodeLoad.score.weights", "at least one weight must be above 0"},
		{`nodeLoad: {bands: [{minPriority: 5}]}`, "/nodeLoad/bands/0", "missing property 'thresholds'"},
		{`nodeLoad: {bands: [{minPriority: 5, maxPriority: 4, thresholds: {cpu: 1}}]}`, "nodeLoad.bands[0].maxPriority", "must be at least minPriority"},
		{`nodeLoad: {estimate: {defaults: {cpu: "-1"}}}`, "/nodeLoad/estimate/defaults/cpu", "does not match pattern"},
		{`nodeLoad: {overrides: {estimate: {minPercent: {cpu: 101}}}}`, "/nodeLoad/overrides/estimate/minPercent/cpu", "maximum: got 101, want 100"},
		{`nodeLoad: {source: {type: Prometheus}}`, "nodeLoad.source.prometheus.address", "the URL of the Prometheus server"},
		{`nodeLoad: {source: {prometheus: {address: "http://p:9090"}}}`, "nodeLoad.source.prometheus", "is for type: Prometheus"},
		{`nodeLoad: {source: {type: Prometheus, prometheus: {address: "http://p:9090", caFile: /ca}}}`, "nodeLoad.source.prometheus.caFile", "is for TLS"},
		{`deviceFit: {resources: [gpu]}`, "/deviceFit/resources/0", "does not match pattern"},
		{`deviceFit: {resources: []}`, "/deviceFit/resources", "minItems"},
		{`deviceFit: {resources: ["!*"]}`, "deviceFit.resources[0]", "excludes all resources"},
		{`deviceFit: {weights: {nvidia.com/gpu: 101}}`, "/deviceFit/weights/nvidia.com~1gpu", "maximum: got 101, want 100"},
		{`deviceFit: {weights: {"nvidia.com/*": 1}}`, "/deviceFit/weights", "additional properties 'nvidia.com/*' not allowed"},
		{`deviceFit: {weights: {kubernetes.io/gpu: 1}}`, "deviceFit.weights[kubernetes.io/gpu]", "must be the name of an extended resource"},
		{`profile: {plugins: {score: {enable: []}}}`, "/profile/plugins/score", "additional properties 'enable' not allowed"},
		{`profile: {pluginConfig: [{name: NodeLoad, args: {}}]}`, "profile.pluginConfig[0].name", "its arguments go into the value nodeLoad"},
		{`extraProfiles: [{plugins: {}}]`, "/extraProfiles/0", "missing property 'schedulerName'"},
		{`extraProfiles: [{schedulerName: plimsoll}]`, "extraProfiles[0].schedulerName", "each profile needs a name of its own"},
		{`configuration: {profiles: []}`, "configuration.profiles", "goes into the value extraProfiles"},
		{`configuration: {kind: Other}`, "configuration.kind", "is the chart's to say"},
		{`leaderElection: {leaderElect: false}`, "leaderElection.leaderElect", "must be true with more than one replica"},
		{`leaderElection: {resourceName: x}`, "/leaderElection", "additional properties 'resourceName' not allowed"},
		{`featureGates: {GenericWorkload: "yes"}`, "/featureGates/GenericWorkload", "want boolean"},
		{`extraArgs: [v=3]`, "/extraArgs/0", "does not match pattern"},
		{`verbosity: 11`, "/verbosity", "maximum: got 11, want 10"},
		{`securePort: 0`, "/securePort", "minimum: got 0, want 1"},
		{`decisionsPort: 10259`, "decisionsPort", "must be another port than securePort"},
		{`resources: {request: {cpu: 1}}`, "/resources", "additional properties 'request' not allowed"},
		{`podDisruptionBudget: {minAvailable: half}`, "/podDisruptionBudget/minAvailable", "does not match pattern"},
		{`serviceAccount: {create: false}`, "serviceAccount.name", "the ServiceAccount that gets the permissions"},
		{`admission: {podAnnotations: {estimate: Tighten}}`, "/admission/podAnnotations/estimate", "must be one of 'Allow', 'Deny'"},
		{`admission: {podAnnotations: {when-unsatisfiable: Ignore}}`, "/admission/podAnnotations/when-unsatisfiable", "must be one of 'Allow', 'Tighten', 'Deny'"},
		{`admission: {validationActions: [Refuse]}`, "/admission/validationActions/0", "must be one of 'Deny', 'Warn', 'Audit'"},
		{`admission: {validationActions: [Deny, Warn]}`, "/admission/validationActions", "'not' failed"},
		{`serviceMonitor: {enabled: "true"}`, "/serviceMonitor/enabled", "want boolean"},
		{`networkPolicy: {ingress: []}`, "/networkPolicy", "additional properties 'ingress' not allowed"},
	} {
		t.Run(test.values, func(t *testing.T) {
			_, err := rendering{}.try(t, values(t, test.values))
			if err == nil {
				t.Fatal("it is taken")
			}
			if message := err.Error(); !strings.Contains(message, "at '"+test.path+"':") && !strings.Contains(message, test.path+": ") || !strings.Contains(message, test.why) {
				t.Errorf("the message does not have the path %q and %q:\n%s", test.path, test.why, message)
			}
		})
	}
}

// Faults that no schema can tell are told all at once.
func TestAllFaultsAreTold(t *testing.T) {
	_, err := rendering{}.try(t, values(t, `{nodeLoad: {window: 1s, source: {timeout: 20s}}, deviceFit: {resources: ["!a/b"]}, securePort: 10260}`))
	for _, want := range []string{"nodeLoad.window: ", "nodeLoad.source.timeout: ", "deviceFit.resources: ", "decisionsPort: "} {
		if err == nil || !strings.Contains(err.Error(), "\n  "+want) {
			t.Errorf("no line begins with %q: %v", want, err)
		}
	}
}

// Everything outside of what is passed on as it is refuses what it does not know.
func TestUnknownValuesAreRefusedEverywhere(t *testing.T) {
	s := loadSchema(t)
	passedOn := []string{"global", "affinity", "configuration"}
	var check func(path string, of *schema)
	check = func(path string, of *schema) {
		if len(of.Properties) > 0 && of.AdditionalProperties != false && path != ".extraProfiles[]" {
			t.Errorf("%s takes what it does not know", path)
		}
		for name, inner := range of.Properties {
			check(path+"."+name, inner)
			if at := path + "." + name; path == "" && reflect.DeepEqual(inner, &schema{}) && !slices.Contains(passedOn, name) && !scalar(t, name) {
				t.Errorf("%s is passed on as it is, and not listed here", at)
			}
		}
		if of.Items != nil {
			check(path+"[]", of.Items)
		}
	}
	check("", s)
	for name := range loadChart(t).Values {
		if s.Properties[name] == nil {
			t.Errorf("values.yaml has %s, and the schema has not", name)
		}
	}
	for name := range s.Properties {
		if _, ok := loadChart(t).Values[name]; !ok && name != "global" {
			t.Errorf("the schema has %s, and values.yaml has not", name)
		}
	}
}

// scalar reports whether the value of the name is no object by default.
func scalar(t *testing.T, name string) bool {
	switch loadChart(t).Values[name].(type) {
	case map[string]any, []any:
		return false
	}
	return true
}

// Each value has a comment before it in values.yaml.
func TestValuesAreDocumented(t *testing.T) {
	read, err := os.ReadFile(chartDir + "/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	// Those that say themselves what they are, and those that the one before is told of
	// with.
	plain := []string{
		"affinity", "nodeSelector", "priorityClassName", "resources", "podAnnotations", "commonLabels", "extraVolumes", "extraVolumeMounts",
		"decisionsPort", "image", "podDisruptionBudget", "serviceAccount", "rbac", "serviceMonitor", "prometheusRule", "dashboard", "networkPolicy", "admission",
	}
	before := ""
	for line := range strings.Lines(string(read)) {
		name, _, isValue := strings.Cut(line, ":")
		if isValue && name != "" && !strings.ContainsAny(name[:1], " #-") && !strings.HasPrefix(before, "# ") && !slices.Contains(plain, name) {
			t.Errorf("%s has no comment", name)
		}
		before = line
	}
}
