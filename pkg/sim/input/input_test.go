package input_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	resourcehelper "k8s.io/component-helpers/resource"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input/warning"
)

// write writes a file and returns its path.
func write(t *testing.T, dir, name, content string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func small() input.Model {
	m := input.Calm()
	m.Workloads = 10
	return m
}

func TestListsAreNamedAfterTheirFiles(t *testing.T) {
	s, err := input.Openb("testdata/nodes/gzip.csv", "testdata/pods/plain.csv", "testdata/series/named.csv.gz", small(), 1, &warning.List{})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("the error of a file that is not there is %v, the scenario %v", err, s)
	}
	s, err = input.Openb("testdata/nodes/gzip.csv", "testdata/pods/plain.csv", "testdata/series/plain.csv", small(), 1, &warning.List{})
	if err != nil || s.Name != "plain x plain" {
		t.Errorf("the scenario %v, error %v; want the name %q", s, err, "plain x plain")
	}
}

func TestListsCanBeFilledSeveralTimes(t *testing.T) {
	var warnings warning.List
	nodes, err := input.ReadNodes("testdata/nodes/plain.csv", &warnings)
	if err != nil {
		t.Fatal(err)
	}
	pods, err := input.ReadPods("testdata/pods/plain.csv", nodes, &warnings)
	if err != nil {
		t.Fatal(err)
	}
	order := func(seed uint64) string {
		s, err := pods.Fill(nodes, input.Filling{Ask: 1}, seed)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(s.Nodes[0].Name, s.Nodes[1].Name, s.Nodes[2].Name)
	}
	first, orders := order(1), map[string]bool{}
	for seed := range uint64(20) {
		orders[order(seed)] = true
	}
	if len(orders) < 2 || order(1) != first {
		t.Errorf("twenty seeds order the nodes as %v, seed 1 as %s and %s", orders, first, order(1))
	}
}

func TestModelFillsTheDevicesAndThenPodsComeAsTheyGo(t *testing.T) {
	m := input.Calm()
	s, err := input.Synthetic(m, 3)
	if err != nil {
		t.Fatal(err)
	}
	var total, asked int64
	for _, node := range s.Nodes {
		devices := node.Status.Allocatable["nvidia.com/gpu"]
		total += devices.Value()
	}
	var live, alive float64 // device-hours in the measured part, and of lives
	first := 0
	for i := range s.Pods {
		p := &s.Pods[i]
		requests := resourcehelper.PodRequests(p.Object, resourcehelper.PodResourcesOptions{})
		devices := requests["nvidia.com/gpu"]
		if p.Arrival < m.FillTime {
			first++
			asked += devices.Value()
		}
		end := min(p.Arrival+p.Lifetime, s.End)
		live += float64(devices.Value()) * max(0, end-max(p.Arrival, m.FillTime)).Hours()
		alive += (p.Lifetime - max(0, m.FillTime-p.Arrival)).Hours()
		if p.StartDelay < m.StartMin || p.StartDelay > m.StartMax {
			t.Fatalf("pod %s starts after %v", p.Object.Name, p.StartDelay)
		}
	}
	if want := 0.8 * float64(total); float64(asked) < want || float64(asked) > want+8 {
		t.Errorf("the first pods ask for %d of %d devices, want 80 %%", asked, total)
	}
	if level := live / m.ChurnTime.Hours() / float64(total); math.Abs(level-0.8) > 0.08 {
		t.Errorf("then pods ask for %.0f %% of the devices, want about 80", 100*level)
	}
	if life := alive / float64(len(s.Pods)); math.Abs(life-6) > 0.5 {
		t.Errorf("pods live %.2f hours, want about 6", life)
	}
	if churn := len(s.Pods) - first; math.Abs(float64(churn)/(float64(first)*20/6)-1) > 0.1 {
		t.Errorf("%d pods come after the first %d, want about 20/6 of those", churn, first)
	}
}

// The use is request x ratio x ((1 - v) + v x min(3, series/mean)).
func TestUseFollowsTheFormula(t *testing.T) {
	dir := t.TempDir()
	m := small()
	m.UseSigma, m.BurstMin, m.BurstMax = 0, 0.5, 0.5
	s, err := input.Openb("testdata/nodes/plain.csv", write(t, dir, "pods.csv", "name,cpu_milli,memory_mib,num_gpu\np,4000,1024,1\n"),
		write(t, dir, "series.csv", "1,1,1,13\n"), m, 1, &warning.List{})
	if err != nil {
		t.Fatal(err)
	}
	use := s.Pods[0].Use
	var got []float64
	for _, v := range use.CPU {
		got = append(got, use.Base+use.Scale*v)
	}
	steady := 4 * 0.55 * (0.5 + 0.5*0.25) // the mean is 4
	peak := 4 * 0.55 * (0.5 + 0.5*3)      // 13/4 is cut
	for i, want := range []float64{steady, steady, steady, peak} {
		if math.Abs(got[i]-want) > 1e-12 {
			t.Errorf("use at step %d is %v cores, want %v", i, got[i], want)
		}
	}
	if use.Step != 5*time.Minute || use.Offset < 0 || use.Offset >= 20*time.Minute {
		t.Errorf("step %v, offset %v", use.Step, use.Offset)
	}
}

func TestWorkloadsVaryAsTheModelSays(t *testing.T) {
	m := input.Hot()
	m.Workloads, m.Zipf = 4000, 0
	s, err := input.Synthetic(m, 1)
	if err != nil {
		t.Fatal(err)
	}
	var ratios []float64
	seen := map[string]bool{}
	for i := range s.Pods {
		p := &s.Pods[i]
		owner := p.Object.OwnerReferences[0].Name
		if seen[owner] {
			continue
		}
		seen[owner] = true
		requests := resourcehelper.PodRequests(p.Object, resourcehelper.PodResourcesOptions{})
		all := p.Use.Base + p.Use.Scale
		ratios = append(ratios, all/requests.Cpu().AsApproximateFloat64())
		if v := p.Use.Scale / all; v < 0.2 || v > 0.6 {
			t.Fatalf("burstiness %v", v)
		}
	}
	slices.Sort(ratios)
	quantile := func(q float64) float64 { return ratios[int(q*float64(len(ratios)))] }
	if median := quantile(0.5); math.Abs(median-0.74) > 0.08 {
		t.Errorf("the median use ratio is %.3f, want about 0.74", median)
	}
	if high := quantile(0.8413); math.Abs(math.Log(high/0.74)-0.9) > 0.12 {
		t.Errorf("one sigma above the median the use ratio is %.2f, want about %.2f", high, 0.74*math.Exp(0.9))
	}
	if top := ratios[len(ratios)-1]; math.Abs(top-4) > 1e-9 {
		t.Errorf("the largest use ratio is %v, want 4: it is cut there", top)
	}
}

func TestPodsLookLikeThoseOfDeployments(t *testing.T) {
	s, err := input.Synthetic(small(), 1)
	if err != nil {
		t.Fatal(err)
	}
	sets := map[string]*appsv1.ReplicaSet{}
	for _, set := range s.ReplicaSets {
		sets[string(set.UID)] = set
	}
	for i := range s.Pods {
		pod := s.Pods[i].Object
		owner := metav1.GetControllerOf(pod)
		if owner == nil || owner.Kind != "ReplicaSet" || sets[string(owner.UID)] == nil || pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey] == "" {
			t.Fatalf("pod %s has the owner %v and labels %v", pod.Name, owner, pod.Labels)
		}
		selector, err := metav1.LabelSelectorAsSelector(sets[string(owner.UID)].Spec.Selector)
		if err != nil || selector.Empty() || !selector.Matches(labels.Set(pod.Labels)) {
			t.Fatalf("the ReplicaSet %s does not select its pod %s", owner.Name, pod.Name)
		}
	}
}

func TestSameSeedSameScenario(t *testing.T) {
	text := func(seed uint64) string {
		s, err := input.Synthetic(small(), seed)
		if err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	first, again, other := text(1), text(1), text(2)
	if first != again {
		t.Error("the same seed gives two scenarios")
	}
	if first == other {
		t.Error("two seeds give the same scenario")
	}
}

func TestParametersAreSetByName(t *testing.T) {
	m := input.Calm()
	for name, value := range map[string]string{"use-median": "0.9", "workloads": "42", "life": "90m", "scrape-missing": "0"} {
		if err := m.Set(name, value); err != nil {
			t.Errorf("%s=%s: %v", name, value, err)
		}
	}
	if m.UseMedian != 0.9 || m.Workloads != 42 || m.Life != 90*time.Minute || m.ScrapeMissing != 0 {
		t.Errorf("the model is %+v", m)
	}
	before := m
	for setting, want := range map[string]string{
		"colour=red":       "colour: unknown; known here: workloads, zipf",
		"use-median=many":  "use-median=many: must be a number",
		"use-median=NaN":   "use-median=NaN: must be a number between 0.001 and 100",
		"use-median=-1":    "must be a number between",
		"workloads=1.5":    "workloads=1.5: must be a whole number",
		"workloads=0":      "workloads=0: must be a whole number between 1 and 100000",
		"life=6":           "life=6: must be a duration such as 90s or 4h",
		"start-max=-20s":   "start-max=-20s: must be a duration such as 90s or 4h between 0s and 24h0m0s",
		"scrape-missing=1": "between 0 and 0.99",
	} {
		name, value, _ := strings.Cut(setting, "=")
		if err := m.Set(name, value); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: the error is %v, want %q in it", setting, err, want)
		}
	}
	if m != before {
		t.Errorf("a bad value has changed the model to %+v", m)
	}
	for _, name := range input.Names() {
		if err := m.Set(name, ""); err == nil {
			t.Errorf("%s may be empty", name)
		}
	}
}

func TestParametersThatDoNotGoTogether(t *testing.T) {
	for name, edit := range map[string]func(*input.Model){
		"burst-min=0.7": func(m *input.Model) { m.BurstMin = 0.7 },
		"start-min":     func(m *input.Model) { m.StartMin = time.Hour },
		"workloads":     func(m *input.Model) { *m = input.Model{} },
	} {
		m := input.Calm()
		edit(&m)
		if _, err := input.Synthetic(m, 1); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
}

func TestReportNamesEachParameter(t *testing.T) {
	m := input.Hot()
	s, err := input.Synthetic(m, 1)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for _, p := range s.Parameters {
		values[p.Name] = p.Value
		if p.Meaning == "" {
			t.Errorf("parameter %s has no meaning", p.Name)
		}
	}
	for _, name := range input.Names() {
		if values[name] == "" {
			t.Errorf("parameter %s is not described", name)
		}
	}
	if values["use-median"] != "0.74" || values["life"] != "6h0m0s" {
		t.Errorf("use-median is %q, life %q", values["use-median"], values["life"])
	}
}
