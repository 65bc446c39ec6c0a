package isolate

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/cluster"
)

// Isolated is a pod that is isolated.
type Isolated struct {
	Namespace string           `json:"namespace"`
	Pod       string           `json:"pod"`
	Node      string           `json:"node"`
	Devices   map[string]int64 `json:"devices,omitempty"`
	Phase     v1.PodPhase      `json:"phase"`
	// Record is what is remembered; nil with a Fault, which says why it cannot be read.
	Record  *Record `json:"record,omitempty"`
	Fault   string  `json:"fault,omitempty"`
	Overdue bool    `json:"overdue"`
}

// listIsolated returns the isolated pods of a namespace, "" for all, those that have been
// so longest first. The annotation has no index: all pods are read, in pages.
func listIsolated(ctx context.Context, client kubernetes.Interface, namespace string, now time.Time) ([]Isolated, error) {
	all := []Isolated{} // an empty list is no null
	err := cluster.Each(ctx, client.CoreV1().Pods(namespace).List, func(pod *v1.Pod) {
		if isolated(pod) {
			all = append(all, isolatedOf(pod, now))
		}
	})
	if err != nil {
		return nil, lacking(fmt.Errorf("list pods: %w", err), namespace, cluster.Rule{Resources: "pods", Verbs: "list"})
	}
	slices.SortStableFunc(all, func(a, b Isolated) int {
		if a.Record == nil || b.Record == nil {
			return cmp.Compare(a.Fault, b.Fault)
		}
		return a.Record.Since.Compare(b.Record.Since)
	})
	return all, nil
}

func isolatedOf(pod *v1.Pod, now time.Time) Isolated {
	i := Isolated{Namespace: pod.Namespace, Pod: pod.Name, Node: pod.Spec.NodeName, Phase: pod.Status.Phase, Devices: newPlan(pod, "").Devices}
	record, err := recordOf(pod)
	if err != nil {
		i.Fault = err.Error()
		return i
	}
	i.Record, i.Overdue = record, record.Overdue(now)
	return i
}
