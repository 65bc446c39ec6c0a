package churn_test

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/churn"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/policy"
)

// day is a scenario of 24 hours, measured from noon.
func day(t *testing.T, edit func(*input.Model)) *sim.Scenario {
	t.Helper()
	model := input.Calm()
	model.Nodes, model.Workloads = 40, 30
	if edit != nil {
		edit(&model)
	}
	s, err := input.Synthetic(model, 1)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func with(t *testing.T, s *sim.Scenario, names ...string) *sim.Scenario {
	t.Helper()
	events, err := churn.Parse(names)
	if err != nil {
		t.Fatal(err)
	}
	return churn.Apply(s, events, 1)
}

func ownerOf(p *sim.Pod) *metav1.OwnerReference { return metav1.GetControllerOfNoCopy(p.Object) }

// kindOf is what the pod is reported as.
func kindOf(p *sim.Pod) sim.Kind {
	if p.Kind != "" {
		return p.Kind
	}
	return sim.KindOf(p.Object)
}

// app is what all pods of a workload are labelled with.
func app(p *sim.Pod) string { return p.Object.Labels["app"] }

// during returns from when to when the pod is there if it does not wait.
func during(s *sim.Scenario, p *sim.Pod) (from, to time.Duration) {
	to = s.End
	if p.Lifetime > 0 {
		to = min(to, p.Arrival+p.StartDelay+p.Lifetime)
	}
	if p.Until > 0 {
		to = min(to, p.Until)
	}
	return p.Arrival, to
}

// byApp returns the pods of a kind by their workloads.
func byApp(s *sim.Scenario, kind sim.Kind) map[string][]*sim.Pod {
	all := map[string][]*sim.Pod{}
	for i := range s.Pods {
		if p := &s.Pods[i]; kindOf(p) == kind {
			all[app(p)] = append(all[app(p)], p)
		}
	}
	return all
}

// presentAt returns those of the pods that are there at a time of the scenario.
func presentAt(s *sim.Scenario, pods []*sim.Pod, at time.Duration) (present []*sim.Pod) {
	for _, p := range pods {
		if from, to := during(s, p); from <= at && at < to {
			present = append(present, p)
		}
	}
	return present
}

// replicas returns how many pods there are on average in the measured part.
func replicas(s *sim.Scenario) float64 {
	sum := 0.0
	for i := range s.Pods {
		from, to := during(s, &s.Pods[i])
		sum += max(0, to-max(from, s.MeasureFrom)).Hours()
	}
	return sum / (s.End - s.MeasureFrom).Hours()
}

func TestNames(t *testing.T) {
	all, err := churn.Parse([]string{churn.All})
	if err != nil || len(all) != len(churn.Names()) {
		t.Errorf("all are %v, %v", all, err)
	}
	got, err := churn.Parse([]string{"cronjobs", "rollouts", "cronjobs"})
	if err != nil || !slices.Equal(got, []churn.Event{churn.Rollouts, churn.CronJobs}) {
		t.Errorf("%v, %v: want each once, in their own order", got, err)
	}
	if _, err := churn.Parse([]string{"cronjob"}); err == nil || !strings.Contains(err.Error(), `"cronjob": unknown; known here: rollouts, `) {
		t.Errorf("the error is %v", err)
	}
	s := day(t, nil)
	if with(t, s) != s {
		t.Error("without events it is another scenario")
	}
}

func TestSameSeedGivesTheSameChurnAndLeavesTheScenarioAsItIs(t *testing.T) {
	text := func(s *sim.Scenario) string {
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	s := day(t, nil)
	before := text(s)
	first := text(with(t, s, churn.All))
	if text(s) != before {
		t.Error("the scenario was changed")
	}
	if text(with(t, s, churn.All)) != first {
		t.Error("two with the same seed differ")
	}
	events, _ := churn.Parse([]string{churn.All})
	if text(churn.Apply(s, events, 2)) == first {
		t.Error("two seeds give the same")
	}
}

// Whatever happens to workloads, there are about as many pods on average as before.
func TestChurnKeepsTheLoad(t *testing.T) {
	for _, edit := range []func(*input.Model){nil, func(m *input.Model) { m.Workloads = 300 }} {
		s := day(t, edit)
		before := replicas(s)
		for _, name := range append(churn.Names(), churn.All) {
			if got := replicas(with(t, s, name)); got < 0.85*before || got > 1.15*before {
				t.Errorf("%s: %.1f pods on average, %.1f before", name, got, before)
			}
		}
	}
}

// All that is made of a scenario can be played.
func TestChurnIsPlayed(t *testing.T) {
	all, err := policy.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	stock, err := policy.Select(all, []string{policy.Stock}, "")
	if err != nil {
		t.Fatal(err)
	}
	s := with(t, day(t, func(m *input.Model) { m.Nodes, m.Workloads = 8, 24 }), churn.All)
	result, err := sim.Run(t.Context(), s, stock, sim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if p := &result.Policies[0]; p.PodsScheduled+p.PodsUnscheduled != len(s.Pods) || p.PodsScheduled < len(s.Pods)*9/10 {
		t.Errorf("of %d pods %d were scheduled, %d not", len(s.Pods), p.PodsScheduled, p.PodsUnscheduled)
	}
	if !strings.HasSuffix(result.Scenario.Name, "with "+strings.Join(churn.Names(), ", ")) {
		t.Errorf("the scenario is called %q", result.Scenario.Name)
	}
}

func TestRolloutsReplaceAllPodsByThoseOfANewReplicaSet(t *testing.T) {
	s := with(t, day(t, nil), "rollouts")
	sets := map[types.UID]*appsv1.ReplicaSet{}
	for _, set := range s.ReplicaSets {
		sets[set.UID] = set
	}
	rollouts := 0
	for name, pods := range byApp(s, sim.Service) {
		begins := map[string]time.Duration{} // of revisions
		for _, p := range pods {
			owner := ownerOf(p)
			hash := p.Object.Labels[appsv1.DefaultDeploymentUniqueLabelKey]
			if set := sets[owner.UID]; set == nil || set.Name != owner.Name || set.Spec.Selector.MatchLabels[appsv1.DefaultDeploymentUniqueLabelKey] != hash {
				t.Fatalf("%s: the ReplicaSet of %s is %+v", name, p.Object.Name, set)
			}
			if owner.Name != name+"-"+hash {
				t.Fatalf("%s: a ReplicaSet is called %s, the hash is %s", name, owner.Name, hash)
			}
			if begin, known := begins[owner.Name]; !known || p.Arrival < begin {
				begins[owner.Name] = p.Arrival
			}
		}
		for revision, begin := range begins {
			if begin < s.MeasureFrom {
				continue
			}
			rollouts++
			// Eight minutes, the longest start, and until the pod is ready.
			for _, p := range presentAt(s, pods, begin+14*time.Minute) {
				if ownerOf(p).Name != revision && p.Arrival <= begin {
					t.Errorf("%s: %s is there 14 minutes after the rollout of %s", name, p.Object.Name, revision)
				}
			}
		}
	}
	if rollouts < 80 {
		t.Errorf("%d rollouts of 30 workloads within 20 hours, want one each six hours", rollouts)
	}
}

func TestAutoscaledWorkloadsGoFromTwoToManyAndBack(t *testing.T) {
	before := day(t, nil)
	s := with(t, before, "autoscaling")
	requested := map[string]int64{}
	for i := range before.Pods {
		p := &before.Pods[i]
		requested[app(p)] = p.Object.Spec.Containers[0].Resources.Requests.Cpu().MilliValue()
	}
	all := byApp(s, sim.Autoscaled)
	if len(all) < 3 {
		t.Fatalf("%d of 30 workloads are autoscaled", len(all))
	}
	for name, pods := range all {
		most, calm, steps := 0, 0, 0
		for at := s.MeasureFrom; at < s.End; at += time.Minute {
			n := len(presentAt(s, pods, at))
			most = max(most, n)
			steps++
			if n == 2 {
				calm++
			}
			if n < 2 {
				t.Fatalf("%s: %d replicas at %v, want at least 2", name, n, at)
			}
		}
		if most < 6 || float64(calm)/float64(steps) < 0.6 {
			t.Errorf("%s: at most %d replicas, 2 in %d of %d minutes", name, most, calm, steps)
		}
		for _, p := range pods {
			if got := p.Object.Spec.Containers[0].Resources.Requests.Cpu().MilliValue(); got != requested[name]/10 {
				t.Fatalf("%s: %s requests %dm CPU, want a tenth of %dm", name, p.Object.Name, got, requested[name])
			}
		}
	}
}

func TestRunsOfCronJobsAreJobsOfTheirOwn(t *testing.T) {
	s := with(t, day(t, nil), "cronjobs")
	all := byApp(s, sim.CronJob)
	if len(all) != 5 {
		t.Errorf("%d of 30 workloads are CronJobs, want one in six", len(all))
	}
	for name, pods := range all {
		arrivals := map[string]time.Duration{}
		for _, p := range pods {
			if sim.KindOf(p.Object) != sim.CronJob {
				t.Fatalf("%s is not named as the run of a CronJob", ownerOf(p).Name)
			}
			job := ownerOf(p).Name
			if at, known := arrivals[job]; known && at != p.Arrival {
				t.Errorf("pods of %s come at %v and %v", job, at, p.Arrival)
			}
			arrivals[job] = p.Arrival
			if !strings.HasPrefix(job, name+"-") {
				t.Errorf("a run of %s is called %s", name, job)
			}
		}
		if len(arrivals) < 2 {
			t.Errorf("%s runs %d times in a day", name, len(arrivals))
		}
	}
}

func TestJobsComeAtNightOnADayWithAPeriod(t *testing.T) {
	for event, always := range map[string]bool{"jobs": false, "daily": true} {
		s := with(t, day(t, nil), event)
		jobs := map[types.UID]int{}
		measured, byDay := 0, 0
		for _, pods := range byApp(s, sim.Job) {
			for _, p := range pods {
				jobs[ownerOf(p).UID]++
				if p.Arrival >= s.MeasureFrom {
					measured++
					if hour := sim.Start().Add(p.Arrival).Hour(); hour >= 6 && hour < 20 {
						byDay++
					}
				}
			}
		}
		if measured < 20 || (byDay == 0) != always {
			t.Errorf("%s: %d of %d pods come by day", event, byDay, measured)
		}
		for uid, pods := range jobs {
			if pods > 4 {
				t.Errorf("%s: Job %s has %d pods", event, uid, pods)
			}
		}
	}
}

func TestWorkloadsAreScaledToZeroAtNight(t *testing.T) {
	before := day(t, nil)
	s := with(t, before, "nights")
	empty := 0
	for name, pods := range byApp(s, sim.Service) {
		at := func(hours int) int {
			return len(presentAt(s, pods, time.Duration(hours)*time.Hour-8*time.Hour))
		}
		if at(23) > 0 || pods[0].Until == 0 {
			continue
		}
		empty++
		if at(18) == 0 || at(18) != at(24+7) || at(24+5) != 0 {
			t.Errorf("%s: %d replicas at 18:00, %d at 5:00, %d at 7:00", name, at(18), at(24+5), at(24+7))
		}
	}
	if empty != 5 {
		t.Errorf("%d of 30 workloads are scaled to zero, want one in six", empty)
	}
}

func TestServicesUseMoreAtNoon(t *testing.T) {
	before := day(t, nil)
	noon, midnight := 4*time.Hour, 16*time.Hour
	ratio := func(s *sim.Scenario) float64 {
		var day, night float64
		for _, pods := range byApp(s, sim.Service) {
			for _, p := range pods {
				day += p.Use.MeanCPU(noon-time.Hour, noon+time.Hour)
				night += p.Use.MeanCPU(midnight-time.Hour, midnight+time.Hour)
			}
		}
		return day / night
	}
	if got := ratio(before); got < 0.85 || got > 1.15 {
		t.Fatalf("without a period services use %.2f times as much at noon as at midnight", got)
	}
	if got := ratio(with(t, before, "daily")); got < 2 || got > 2.7 {
		t.Errorf("services use %.2f times as much at noon as at midnight, want 1.4/0.6", got)
	}
}

// correlation returns that of what two pods use.
func correlation(a, b *sim.Pod) float64 {
	var n, sumA, sumB, squareA, squareB, product float64
	for at := time.Duration(0); at < 24*time.Hour; at += time.Minute {
		x, y := a.Use.CPUAt(at), b.Use.CPUAt(at)
		n++
		sumA, sumB, squareA, squareB, product = sumA+x, sumB+y, squareA+x*x, squareB+y*y, product+x*y
	}
	return (n*product - sumA*sumB) / math.Sqrt((n*squareA-sumA*sumA)*(n*squareB-sumB*sumB))
}

func TestReplicasUseAlike(t *testing.T) {
	before := day(t, nil)
	mean := func(s *sim.Scenario) float64 {
		var sum, n float64
		for _, pods := range byApp(s, sim.Service) {
			for i := 2; i < min(10, len(pods)); i++ {
				sum += correlation(pods[i-1], pods[i])
				n++
			}
		}
		return sum / n
	}
	if got := mean(before); math.Abs(got) > 0.15 {
		t.Fatalf("without it replicas correlate by %.2f", got)
	}
	if got := mean(with(t, before, "correlation")); got < 0.6 {
		t.Errorf("replicas correlate by %.2f, want much", got)
	}
	total := func(s *sim.Scenario) (sum float64) {
		for i := range s.Pods {
			sum += s.Pods[i].Use.MeanCPU(0, 24*time.Hour)
		}
		return sum
	}
	if got, want := total(with(t, before, "correlation")), total(before); math.Abs(got/want-1) > 0.02 {
		t.Errorf("pods use %.1f cores, and %.1f without it", got, want)
	}
}

func TestMemoryGrows(t *testing.T) {
	before := day(t, nil)
	s := with(t, before, "memory-growth")
	for i := range s.Pods {
		memory, use := float64(before.Pods[i].Use.Memory), &s.Pods[i].Use
		for age, part := range map[time.Duration]float64{0: 0.5, 2 * time.Hour: 1, 4 * time.Hour: 1.5, 24 * time.Hour: 1.5} {
			if got := float64(use.MemoryAt(age)) / memory; math.Abs(got-part) > 0.01 {
				t.Fatalf("after %v a pod has %.2f of its memory, want %v", age, got, part)
			}
		}
	}
}

// What becomes of one workload does not depend on what becomes of others.
func TestEventsDoNotDependOnEachOther(t *testing.T) {
	s := day(t, nil)
	text := func(scenario *sim.Scenario) map[string]string {
		texts := map[string]string{}
		for name, pods := range byApp(scenario, sim.CronJob) {
			b, err := json.Marshal(pods)
			if err != nil {
				t.Fatal(err)
			}
			texts[name] = string(b)
		}
		return texts
	}
	alone, beside := text(with(t, s, "cronjobs", "autoscaling")), text(with(t, s, churn.All))
	for name := range alone {
		if alone[name] != beside[name] {
			t.Errorf("CronJob %s is another beside other events", name)
		}
	}
}

func TestWhatIsNoServiceRemainsAsItIs(t *testing.T) {
	s := day(t, nil)
	owned := s.Pods[0].Object
	s.Pods = s.Pods[:0:0]
	for _, edit := range []func(*sim.Pod){
		func(p *sim.Pod) { p.Object.OwnerReferences = nil },
		func(p *sim.Pod) { p.Object.OwnerReferences[0].Kind = "Job" },
		func(p *sim.Pod) { p.Object.Spec.NodeName = s.Nodes[0].Name },
	} {
		p := sim.Pod{Object: owned.DeepCopy(), Use: sim.Use{Base: 1, Memory: 1}}
		edit(&p)
		s.Pods = append(s.Pods, p)
	}
	got := with(t, s, churn.All)
	if len(got.Pods) != len(s.Pods) {
		t.Fatalf("%d pods of %d", len(got.Pods), len(s.Pods))
	}
	for i := range got.Pods {
		if got.Pods[i].Object != s.Pods[i].Object || got.Pods[i].Use.Growth != 0 {
			t.Errorf("pod %d was changed: %+v", i, got.Pods[i])
		}
	}
}

func TestWorkloadsWithoutRevisionsAreRolledOutUnderTheirController(t *testing.T) {
	s := day(t, nil)
	for i := range s.Pods {
		owner := *ownerOf(&s.Pods[i])
		owner.Kind = "StatefulSet"
		s.Pods[i].Object.OwnerReferences = []metav1.OwnerReference{owner}
	}
	controllers := func(s *sim.Scenario) int {
		uids := map[types.UID]bool{}
		for i := range s.Pods {
			uids[ownerOf(&s.Pods[i]).UID] = true
		}
		return len(uids)
	}
	got := with(t, s, "rollouts")
	if len(got.Pods) <= len(s.Pods) || controllers(got) != controllers(s) {
		t.Errorf("%d pods of %d controllers, before %d of %d", len(got.Pods), controllers(got), len(s.Pods), controllers(s))
	}
}
