package chart

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
)

// Wrong annotations are refused, with where they are and what is right.
func TestWrongAnnotationsAreRefused(t *testing.T) {
	c := admitted(t)
	const estimate, when, schedule = config.EstimateAnnotation, config.WhenUnsatisfiableAnnotation, "plimsoll.io/schedule"
	for _, test := range []struct{ name, value, want string }{
		{estimate, `{"cpu": "3", "memory": "4Gi"}`, ""},
		{estimate, `much`, `[plimsoll.io/estimate]: Invalid value: much: must be what the pod will use, as a JSON object with cpu, memory or both, each once and a quantity that is not negative, such as {"cpu": "3", "memory": "4Gi"}`},
		{estimate, "{\n}", `[plimsoll.io/estimate]: Invalid value: { }: must be`},
		{estimate, strings.Repeat("x", 5000), `[plimsoll.io/estimate]: Invalid value: ` + strings.Repeat("x", 100) + `...: must be`},
		{when, "ScheduleAnyway", ""},
		{when, "DoNotSchedule", ""},
		{when, "Never", "[plimsoll.io/when-unsatisfiable]: Unsupported value: must be DoNotSchedule, which"},
		{schedule, "disabled", ""},
		{schedule, "false", "[plimsoll.io/schedule]: Unsupported value: must be disabled, which leaves the pod to the scheduler that it names. Pods are sent to Plimsoll by a label of their namespace, plimsoll.io/schedule=enabled"},
		{"plimsoll.io/estimates", "{}", "[plimsoll.io/estimates]: Forbidden: there is no such annotation; those of pods are plimsoll.io/estimate, plimsoll.io/when-unsatisfiable, plimsoll.io/schedule"},
		{config.IsolatedAnnotation, "{}", "[plimsoll.io/isolated]: Forbidden: is for pods that run, and set by kubectl plimsoll isolate"},
		{config.ThresholdsAnnotation, `{"cpu": 60}`, "[plimsoll.io/thresholds]: Forbidden: is for nodes; those of pods are"},
		{"example.com/estimate", "much", ""},
	} {
		t.Run(test.name+" "+brief(test.value), func(t *testing.T) {
			annotations := map[string]string{test.name: test.value}
			for where, create := range creators(t, c, annotations) {
				err := create()
				switch {
				case test.want == "" && err != nil:
					t.Errorf("%s: %v", where, err)
				case test.want != "" && (err == nil || !strings.Contains(err.Error(), "denied request: "+where+"metadata.annotations"+test.want)):
					t.Errorf("the message of %q is not %q: %v", where, test.want, err)
				}
			}
		})
	}
}

// An object with as many annotations as one can have is admitted: the expressions do not
// cost too much for it.
func TestManyAnnotationsAreAdmitted(t *testing.T) {
	c := admitted(t)
	const most = 256 << 10 // bytes of names and values
	annotations := map[string]string{config.EstimateAnnotation: `{"cpu": 1}`}
	for size := 100; size < most-20; size += 20 {
		annotations[fmt.Sprintf("plimsoll.x/%08d", size)] = "v"
	}
	pod := podOf("pod", unasked)
	pod.Annotations = annotations
	if _, err := c.CoreV1().Pods(unasked).Create(t.Context(), pod, dryRun); err != nil {
		t.Error(err)
	}
	annotations[config.EstimateAnnotation] = "x"
	if _, err := c.CoreV1().Pods(unasked).Create(t.Context(), pod, dryRun); err == nil || !strings.Contains(err.Error(), "[plimsoll.io/estimate]: Invalid value: x: must be") {
		t.Errorf("with a wrong one among them: %v", err)
	}
}

func brief(text string) string { return text[:min(len(text), 20)] }

// creators returns what tries to create objects with pods that have the annotations, by
// where those are in it.
func creators(t *testing.T, c kubernetes.Interface, annotations map[string]string) map[string]func() error {
	pod := podOf("pod", unasked)
	pod.Annotations = annotations
	labels := map[string]string{"app": "x"}
	selector := &metav1.LabelSelector{MatchLabels: labels}
	template := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: annotations}, Spec: pod.Spec}
	ending := template
	ending.Spec.RestartPolicy = corev1.RestartPolicyNever
	meta := metav1.ObjectMeta{Name: "x"}
	kinds := []func() error{
		func() error {
			_, err := c.AppsV1().Deployments(unasked).Create(t.Context(), &appsv1.Deployment{ObjectMeta: meta, Spec: appsv1.DeploymentSpec{Selector: selector, Template: template}}, dryRun)
			return err
		},
		func() error {
			_, err := c.AppsV1().StatefulSets(unasked).Create(t.Context(), &appsv1.StatefulSet{ObjectMeta: meta, Spec: appsv1.StatefulSetSpec{Selector: selector, Template: template}}, dryRun)
			return err
		},
		func() error {
			_, err := c.AppsV1().DaemonSets(unasked).Create(t.Context(), &appsv1.DaemonSet{ObjectMeta: meta, Spec: appsv1.DaemonSetSpec{Selector: selector, Template: template}}, dryRun)
			return err
		},
		func() error {
			_, err := c.BatchV1().Jobs(unasked).Create(t.Context(), &batchv1.Job{ObjectMeta: meta, Spec: batchv1.JobSpec{Template: ending}}, dryRun)
			return err
		},
	}
	return map[string]func() error{
		"": func() error {
			_, err := c.CoreV1().Pods(unasked).Create(t.Context(), pod, dryRun)
			return err
		},
		"spec.template.": func() error {
			var all []error
			refused := 0
			for _, create := range kinds {
				if err := create(); err != nil {
					all = append(all, err)
					refused++
				}
			}
			if refused != 0 && refused != len(kinds) {
				t.Errorf("of kinds with a template, only some are refused: %v", errors.Join(all...))
			}
			return errors.Join(all...)
		},
		"spec.jobTemplate.spec.template.": func() error {
			job := batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: ending}}
			_, err := c.BatchV1().CronJobs(unasked).Create(t.Context(), &batchv1.CronJob{ObjectMeta: meta, Spec: batchv1.CronJobSpec{Schedule: "0 0 * * *", JobTemplate: job}}, dryRun)
			return err
		},
	}
}

// The policies admit no annotation that the scheduler could not read, and refuse none
// that it can, but for a few odd forms.
func TestAnnotationsAreReadAsTheSchedulerDoes(t *testing.T) {
	c := admitted(t)
	estimates := []string{
		`{"cpu": "3"}`, `{"memory": "4Gi"}`, `{"memory": "4Gi", "cpu": "250m"}`, ` { "cpu" : 2 , "memory" : 1.5e9 } `, `{"cpu": 0}`, `{"cpu": "0"}`, `{"cpu": "+1"}`,
		`{"cpu": ".5"}`, `{"cpu": "5."}`, `{"cpu": "1e3"}`, `{"cpu": "1E3"}`, `{"cpu": "1E"}`, `{"cpu": "8E"}`, `{"cpu": "1e-3"}`, `{"cpu": 1e2}`, `{"memory": 1125899906842624}`,
		"{\n\t\"cpu\": \"1\"\r\n}",
		``, `{}`, `[]`, `null`, `"3"`, `3`, `{"cpu": "-1"}`, `{"cpu": -1}`, `{"cpu": "1 "}`, `{"cpu": ""}`, `{"cpu": "three"}`, `{"cpu": 01}`, `{"cpu": .5}`, `{"cpu": +1}`,
		`{"gpu": "1"}`, `{"cpu": "1", "gpu": "1"}`, `{"CPU": "1"}`, `{"cpu": "1", "cpu": "2"}`, `{"cpu": "1",}`, `{"cpu": "1"} {}`, `{"cpu": "1"`, `{"cpu": {"x": 1}}`,
		`{"cpu": "10E"}`, `{"cpu": "9223372036854775807"}`, `{"cpu": "1e99"}`, `{"cpu": "1e100"}`, `{"cpu": 1e400}`, `{"cpu": "1Zi"}`, `{"cpu": "1mi"}`, `{"cpu": true}`, `{cpu: 1}`, `{'cpu': '1'}`,
		"{\"cpu\":\f\"1\"}", `{"cpu": "1e-2000000000"}`,
	}
	thresholds := []string{
		`{"cpu": 60}`, `{"cpu": 0, "memory": 100}`, ` { "memory" : 7 } `,
		``, `{}`, `{"cpu": 101}`, `{"cpu": -1}`, `{"cpu": "60"}`, `{"cpu": 60.5}`, `{"cpu": 060}`, `{"cpu": 60, "cpu": 61}`, `{"gpu": 60}`, `60`, `{"cpu": 1000}`, `{"cpu": 60}}`,
	}
	createPod := func(annotations map[string]string) error {
		pod := podOf("pod", unasked)
		pod.Annotations = annotations
		_, err := c.CoreV1().Pods(unasked).Create(t.Context(), pod, dryRun)
		return err
	}
	for _, annotation := range []struct {
		name   string
		values []string
		parse  func(string) error
		create func(annotations map[string]string) error
	}{
		{
			config.EstimateAnnotation, append(annotationCorpus(t, "FuzzEstimate"), estimates...),
			func(value string) error { _, err := config.ParseEstimate(value); return err },
			createPod,
		},
		{
			config.ThresholdsAnnotation, append(annotationCorpus(t, "FuzzThresholds"), thresholds...),
			func(value string) error { _, err := config.ParseThresholds(value); return err },
			func(annotations map[string]string) error {
				node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node", Annotations: annotations}}
				_, err := c.CoreV1().Nodes().Create(t.Context(), node, dryRun)
				return err
			},
		},
		{
			config.WhenUnsatisfiableAnnotation, append(annotationCorpus(t, "FuzzWhenUnsatisfiable"), "DoNotSchedule", "ScheduleAnyway", "", "scheduleAnyway", "ScheduleAnyway "),
			func(value string) error { _, err := config.ParseWhenUnsatisfiable(value); return err },
			createPod,
		},
	} {
		for _, value := range annotation.values {
			if !utf8.ValidString(value) {
				continue // no object can have it
			}
			parsed, created := annotation.parse(value), annotation.create(map[string]string{annotation.name: value})
			switch {
			case parsed != nil && created == nil:
				t.Errorf("%s: %q is admitted, and the scheduler says %v", annotation.name, value, parsed)
			case parsed == nil && created != nil && !slices.ContainsFunc(oddForms, func(form string) bool { return strings.Contains(value, form) }):
				t.Errorf("%s: %q is refused, and the scheduler reads it: %v", annotation.name, value, created)
			case created != nil && strings.Contains(created.Error(), "expression"):
				t.Errorf("%s: %q is refused by a fault of the policy: %v", annotation.name, value, created)
			}
		}
	}
}

// oddForms are in texts that the scheduler reads and the policies do not: escapes, null,
// -0, 1e007, and a dot alone, which is a quantity to Kubernetes.
var oddForms = []string{`\`, "null", "-0", "e0", "E0", `"."`}

func annotationCorpus(t *testing.T, test string) []string {
	t.Helper()
	return corpusIn(t, "pkg/annotation/testdata/fuzz", test)
}

// What was there before the policies may be changed, but not into something else that is
// wrong.
func TestWhatWasThereStaysChangeable(t *testing.T) {
	c := admitted(t)
	for name, apply := range map[string]func(string) error{
		"pod": func(body string) error {
			_, err := c.CoreV1().Pods(unasked).Patch(t.Context(), oldPod, types.MergePatchType, []byte(body), metav1.PatchOptions{})
			return err
		},
		"node": func(body string) error {
			_, err := c.CoreV1().Nodes().Patch(t.Context(), oldNode, types.MergePatchType, []byte(body), metav1.PatchOptions{})
			return err
		},
	} {
		annotation := map[string]string{"pod": config.EstimateAnnotation, "node": config.ThresholdsAnnotation}[name]
		must(t, apply(`{"metadata": {"labels": {"changed": "yes"}}}`))
		if err := apply(fmt.Sprintf(`{"metadata": {"annotations": {%q: "other"}}}`, annotation)); err == nil {
			t.Errorf("the annotation of the %s may be changed into something else that is wrong", name)
		}
		must(t, apply(fmt.Sprintf(`{"metadata": {"annotations": {%q: "{\"cpu\": 50}"}}}`, annotation)))
		must(t, apply(fmt.Sprintf(`{"metadata": {"annotations": {%q: null}}}`, annotation)))
	}
	isolate := func(value string) error {
		_, err := c.CoreV1().Pods(unasked).Patch(t.Context(), oldPod, types.MergePatchType, fmt.Appendf(nil, `{"metadata": {"annotations": {%q: %s}}}`, config.IsolatedAnnotation, value), metav1.PatchOptions{})
		return err
	}
	must(t, isolate(`"{}"`)) // as a pod that runs may be
	must(t, isolate("null"))
	space := func(body string) error {
		_, err := c.CoreV1().Namespaces().Patch(t.Context(), oldNamespace, types.MergePatchType, []byte(body), metav1.PatchOptions{})
		return err
	}
	must(t, space(`{"metadata": {"labels": {"changed": "yes"}}}`))
	if err := space(`{"metadata": {"labels": {"plimsoll.io/schedule": "yes"}}}`); err == nil ||
		!strings.Contains(err.Error(), "metadata.labels[plimsoll.io/schedule]: Unsupported value: yes: must be enabled, which") {
		t.Errorf("a wrong label: %v", err)
	}
	must(t, space(`{"metadata": {"labels": {"plimsoll.io/schedule": "enabled"}}}`))
}

// The parameters say which annotations pods may use.
func TestParametersForbidAnnotations(t *testing.T) {
	c := admitted(t)
	t.Cleanup(func() {
		setParameters(withoutCancel(t), t, c, map[string]string{"estimate": "Deny"}) // so that the change is seen
		setParameters(withoutCancel(t), t, c, map[string]string{"estimate": "Allow", "when-unsatisfiable": "Allow", "schedule": "Allow"})
	})
	const estimate, when, schedule = config.EstimateAnnotation, config.WhenUnsatisfiableAnnotation, "plimsoll.io/schedule"
	for _, step := range []struct {
		parameters map[string]string
		tries      [][3]string // annotation, value, what the message has
	}{
		{
			map[string]string{"estimate": "Deny", "when-unsatisfiable": "Tighten", "schedule": "Deny"},
			[][3]string{
				{estimate, `{"cpu": 1}`, "[plimsoll.io/estimate]: Forbidden: by estimate in the ConfigMap plimsoll-system/plimsoll-admission pods must not use it; remove it"},
				{when, "DoNotSchedule", ""},
				{when, "ScheduleAnyway", "[plimsoll.io/when-unsatisfiable]: Forbidden: by when-unsatisfiable in the ConfigMap plimsoll-system/plimsoll-admission it must be DoNotSchedule, or not be there"},
				{schedule, "disabled", "[plimsoll.io/schedule]: Forbidden: by schedule in the ConfigMap plimsoll-system/plimsoll-admission pods must not use it; remove it"},
				{"example.com/estimate", "", ""},
			},
		},
		{
			map[string]string{"estimate": "Allow", "when-unsatisfiable": "Deny", "schedule": "Allow"},
			[][3]string{
				{estimate, `{"cpu": 1}`, ""},
				{when, "DoNotSchedule", "[plimsoll.io/when-unsatisfiable]: Forbidden: by when-unsatisfiable in the ConfigMap plimsoll-system/plimsoll-admission pods must not use it; remove it"},
				{schedule, "disabled", ""},
			},
		},
	} {
		setParameters(t.Context(), t, c, step.parameters)
		for _, try := range step.tries {
			for where, create := range creators(t, c, map[string]string{try[0]: try[1]}) {
				err := create()
				if try[2] == "" && err != nil || try[2] != "" && (err == nil || !strings.Contains(err.Error(), where+"metadata.annotations"+try[2])) {
					t.Errorf("%v, %s%s=%s: %v, want %q", step.parameters, where, try[0], try[1], err, try[2])
				}
			}
		}
	}
}
