package fit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	schedconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"

	examples "github.com/plimsoll-scheduler/plimsoll/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/annotation"
	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/configfile"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/workload"
	"github.com/plimsoll-scheduler/plimsoll/pkg/status"
)

// configuration returns the configuration to decide by, and where it is from.
func (o *options) configuration(ctx context.Context, from *source) (cfg *schedconfig.KubeSchedulerConfiguration, origin string, err error) {
	var content []byte
	switch {
	case o.config != "":
		origin = o.config
		content, err = os.ReadFile(o.config)
	case from.leader != nil:
		origin = "the scheduler's configuration"
		content, err = from.leader.GetRaw(ctx, status.ConfigurationPath, nil)
	default:
		origin, content = "the recommended configuration", examples.Plimsoll()
	}
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", origin, err)
	}
	if cfg, err = configfile.Decode(content); err != nil {
		return nil, "", &configfile.Error{File: origin, Faults: []error{err}}
	}
	if _, faults := configfile.Check(cfg, content); len(faults) > 0 && o.config != "" {
		return nil, "", &configfile.Error{File: origin, Faults: faults}
	}
	return cfg, origin, nil
}

// profileFor returns the profile that decides on the pod.
func (o *options) profileFor(ctx context.Context, from *source, pod *v1.Pod) (*schedconfig.KubeSchedulerProfile, []string, error) {
	cfg, origin, err := o.configuration(ctx, from)
	if err != nil {
		return nil, nil, err
	}
	var names []string
	for i := range cfg.Profiles {
		names = append(names, cfg.Profiles[i].SchedulerName)
	}
	at := func(name string) *schedconfig.KubeSchedulerProfile {
		if i := slices.Index(names, name); i >= 0 {
			if cfg.Profiles[i].PercentageOfNodesToScore == nil {
				cfg.Profiles[i].PercentageOfNodesToScore = cfg.PercentageOfNodesToScore
			}
			return &cfg.Profiles[i]
		}
		return nil
	}
	if o.profile != "" {
		profile := at(o.profile)
		if profile == nil {
			return nil, nil, fmt.Errorf("--profile %s: there is no such profile in %s: it has %s", o.profile, origin, strings.Join(names, ", "))
		}
		return profile, nil, nil
	}
	if profile := at(pod.Spec.SchedulerName); profile != nil {
		return profile, nil, nil
	}
	return at(names[0]), []string{fmt.Sprintf("the pod's schedulerName is %q: it would not go to Plimsoll; it is tried as if it were %q", pod.Spec.SchedulerName, names[0])}, nil
}

// estimate has the pod carry what the scheduler that leads expects it to use, which has
// learned of its workload, unless the pod says so itself, and that counts.
func (o *options) estimate(ctx context.Context, from *source, s *subject, profile *schedconfig.KubeSchedulerProfile) ([]string, error) {
	profiles, faults := config.DecodeProfiles([]schedconfig.KubeSchedulerProfile{*profile})
	if len(faults) > 0 {
		return nil, faults.ToAggregate()
	}
	args := profiles[profile.SchedulerName]
	if args == nil || from.leader == nil {
		return nil, nil
	}
	learned, err := learnedOf(ctx, from, s.pod)
	if err != nil || learned == nil {
		return nil, err
	}
	use := amount.Vector{
		amount.CPU:    int64(learned.CPU.Estimate * amount.CPU.PerUnit()),
		amount.Memory: int64(learned.Memory.Estimate),
	}
	said := annotation.NewEstimates().Of(s.pod)
	use = annotation.OverridesOf(args).Estimate(&said, use)
	value, err := json.Marshal(map[string]string{
		"cpu":    resource.NewMilliQuantity(use[amount.CPU], resource.DecimalSI).String(),
		"memory": resource.NewQuantity(use[amount.Memory], resource.BinarySI).String(),
	})
	if err != nil {
		return nil, err
	}
	if s.pod.Annotations == nil {
		s.pod.Annotations = map[string]string{}
	}
	s.pod.Annotations[config.EstimateAnnotation] = string(value)
	return []string{fmt.Sprintf("the estimate is what the scheduler has learned of the workload %s/%s/%s", learned.Namespace, learned.Kind, learned.Name)}, nil
}

// learnedOf returns what the leader has learned of the pod's workload; nil if nothing.
func learnedOf(ctx context.Context, from *source, pod *v1.Pod) (*status.Workload, error) {
	kind, name, ok := workload.OwnerOf(pod)
	if !ok {
		return nil, nil
	}
	all := status.Workloads{}
	if err := from.leader.Get(ctx, status.WorkloadsPath, nil, &all); err != nil {
		return nil, errors.Join(errors.New("ask what was learned of the workload"), err)
	}
	var containers []string
	for i := range pod.Spec.Containers {
		containers = append(containers, pod.Spec.Containers[i].Name)
	}
	for i := range all.Workloads {
		w := &all.Workloads[i]
		if w.Namespace == pod.Namespace && w.Kind == kind && w.Name == name && w.Containers == strings.Join(containers, ",") && w.CPU.Seconds+w.Memory.Seconds > 0 {
			return w, nil
		}
	}
	return nil, nil
}
