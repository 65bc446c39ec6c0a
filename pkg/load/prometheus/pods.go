package prometheus

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

// PodConfig says what to ask for to know what pods use.
type PodConfig struct {
	// NamespaceLabel and PodLabel are the labels of the answers that have the
	// pod's namespace and name.
	NamespaceLabel, PodLabel string
	// Expression returns what is asked for, with values in cores or bytes. It
	// looks back over the range of Config.Window. It may be for those pods only
	// whose names match the regular expression; others that are in the answer
	// are dropped.
	Expression func(r amount.Resource, names string) string
}

// Pods reads from a Prometheus server what pods use.
type Pods struct {
	server *server
	config PodConfig
	window time.Duration
}

// Pods returns what reads pods from the same server as s reads nodes.
func (s *Source) Pods(config PodConfig) *Pods {
	return &Pods{server: s.server, config: config, window: s.config.Window}
}

// PollPods is that of load.PodSource. It asks one query a resource, whatever the
// number of pods, so there is an error for none of them or for all.
func (p *Pods) PollPods(ctx context.Context, pods []types.NamespacedName) ([]load.PodReading, error) {
	if len(pods) == 0 {
		return nil, nil
	}
	byPod, err := p.read(ctx, namesOf(pods))
	if err != nil {
		return nil, err
	}
	readings := make([]load.PodReading, 0, len(pods))
	for _, pod := range pods {
		if reading, known := byPod[pod]; known {
			readings = append(readings, load.PodReading{Pod: pod, Reading: reading})
		}
	}
	return readings, nil
}

// ListPods is that of load.PodLister.
func (p *Pods) ListPods(ctx context.Context) ([]load.PodReading, error) {
	byPod, err := p.read(ctx, anyName)
	if err != nil {
		return nil, err
	}
	delete(byPod, types.NamespacedName{}) // of series without the labels
	readings := make([]load.PodReading, 0, len(byPod))
	for _, pod := range slices.SortedFunc(maps.Keys(byPod), compareNames) {
		readings = append(readings, load.PodReading{Pod: pod, Reading: byPod[pod]})
	}
	return readings, nil
}

func compareNames(a, b types.NamespacedName) int { return strings.Compare(a.String(), b.String()) }

const (
	// anyName is a regular expression that matches all names.
	anyName = ".+"
	// maxNames bounds the regular expression of names, in bytes: a hundred names
	// fit in unless they are very long, and servers bound the length of an
	// expression (VictoriaMetrics: 16 KiB). Beyond it all pods are asked for.
	maxNames = 8 << 10
)

// namesOf returns a regular expression that matches the names of the pods. The
// only character of a name that has a meaning in one is the dot; it is quoted so
// that it means the same in every kind of quotes of PromQL.
func namesOf(pods []types.NamespacedName) string {
	names := make([]string, len(pods))
	for i, pod := range pods {
		names[i] = strings.ReplaceAll(pod.Name, ".", "[.]")
	}
	slices.Sort(names) // one name may be in several namespaces
	if text := strings.Join(slices.Compact(names), "|"); len(text) <= maxNames {
		return text
	}
	return anyName
}

// read returns what pods whose names match use.
func (p *Pods) read(ctx context.Context, names string) (map[types.NamespacedName]load.Reading, error) {
	answers, err := ask(ctx, func(ctx context.Context, r amount.Resource) (values[types.NamespacedName], error) {
		found, err := p.query(ctx, r, names)
		if err != nil { // the names are not told: they are no part of what may be wrong
			return nil, fmt.Errorf("ask Prometheus at %s for %s of pods: %w; the expression is: %s",
				p.server.address, r.Name(), err, onOneLine(p.config.Expression(r, anyName)))
		}
		return found, nil
	})
	if err != nil {
		return nil, err
	}
	return answers.readings(p.window), nil
}

// query returns the use of the resource now, by pod, of those whose names match.
func (p *Pods) query(ctx context.Context, r amount.Resource, names string) (values[types.NamespacedName], error) {
	expression, ofAll := p.config.Expression(r, names), p.config.Expression(r, anyName)
	vector, err := p.server.query(ctx, expression)
	switch {
	case err != nil:
		return nil, err
	case len(vector) > 0:
		return valuesOf(vector, p.podOf, fmt.Sprintf("labels %s and %s of its own, which must be the namespace and the name of a pod",
			p.config.NamespaceLabel, p.config.PodLabel))
	case expression == ofAll:
		return nil, errEmpty(p.window)
	}
	// That pods are not known, since they have just started, is no fault. That
	// none is known at all is one.
	vector, err = p.server.query(ctx, "count(\n"+ofAll+"\n)") // on lines of its own: it may end with a comment
	if err == nil && len(vector) == 0 {
		err = errEmpty(p.window)
	}
	return nil, err
}

// podOf returns the pod of a series, the zero value if it does not say.
func (p *Pods) podOf(metric model.Metric) (pod types.NamespacedName) {
	namespace, name := metric[model.LabelName(p.config.NamespaceLabel)], metric[model.LabelName(p.config.PodLabel)]
	if namespace == "" || name == "" {
		return pod
	}
	return types.NamespacedName{Namespace: string(namespace), Name: string(name)}
}
