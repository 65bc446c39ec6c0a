// Package policy makes the policies to simulate: profiles of configuration
// files, the recommended profile and kube-scheduler's, and those of peers.
package policy

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"k8s.io/kubernetes/pkg/scheduler/apis/config/validation"

	examples "github.com/plimsoll-scheduler/plimsoll/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/configfile"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim"
)

// Stock is the name of the policy that is kube-scheduler with its defaults.
const Stock = "stock"

// Load returns the profiles of a KubeSchedulerConfiguration file. Without names
// it returns all, in the order of the file. Every fault is reported, with the
// file and the path of the field.
func Load(file string, names ...string) ([]sim.Policy, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	policies, err := parse(file, data)
	if err != nil {
		return nil, err
	}
	return Select(policies, names, file)
}

// Builtin returns the recommended profile of Plimsoll, and kube-scheduler's
// defaults.
func Builtin() ([]sim.Policy, error) {
	policies, err := parse("plimsoll.yaml", examples.Plimsoll())
	if err != nil {
		return nil, err
	}
	stock, err := parse(Stock, []byte(header+"profiles: [{schedulerName: stock}]\n"))
	if err != nil {
		return nil, err
	}
	return append(policies, stock...), nil
}

// Select returns those of the policies that are named, in the order of names;
// all if there are no names. source says in an error where the policies are from.
func Select(policies []sim.Policy, names []string, source string) ([]sim.Policy, error) {
	if len(names) == 0 {
		return policies, nil
	}
	selected := make([]sim.Policy, 0, len(names))
	for _, name := range names {
		i := slices.IndexFunc(policies, func(p sim.Policy) bool { return p.Name == name })
		if i < 0 {
			known := make([]string, 0, len(policies))
			for _, p := range policies {
				known = append(known, p.Name)
			}
			return nil, fmt.Errorf("there is no profile %q in %s: it has %s", name, source, strings.Join(known, ", "))
		}
		selected = append(selected, policies[i])
	}
	return selected, nil
}

// GoesByLoad reports whether the policy has NodeLoad.
func GoesByLoad(p sim.Policy) bool { return config.Enables(p.Profile.Plugins, config.NodeLoad) }

// Knowing returns the policy as it would be with a perfect forecast.
func Knowing(p sim.Policy) sim.Policy {
	p.Name += "-knowing"
	p.Note = "it knows how each pod's use is distributed over time, which no scheduler does"
	p.Knowing = true
	return p
}

const header = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n"

// parse decodes a configuration as kube-scheduler does, and checks it and the
// arguments of Plimsoll's plugins. Each profile is simulated alone, so that they may
// differ also in what all profiles of a scheduler share.
func parse(file string, data []byte) ([]sim.Policy, error) {
	cfg, err := configfile.Decode(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	var faults []string
	if err := validation.ValidateKubeSchedulerConfiguration(cfg); err != nil {
		for _, fault := range err.Errors() {
			faults = append(faults, fault.Error())
		}
	}
	_, errs := config.DecodeApart(cfg.Profiles)
	for _, fault := range errs {
		faults = append(faults, fault.Error())
	}
	if len(cfg.Extenders) > 0 {
		faults = append(faults, "extenders: Forbidden: extenders are other processes, which cannot be simulated")
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("%s: %s", file, strings.Join(faults, "\n"+file+": "))
	}
	policies := make([]sim.Policy, 0, len(cfg.Profiles))
	for i := range cfg.Profiles {
		profile := &cfg.Profiles[i]
		if profile.PercentageOfNodesToScore == nil {
			profile.PercentageOfNodesToScore = cfg.PercentageOfNodesToScore
		}
		policies = append(policies, sim.Policy{Name: profile.SchedulerName, Profile: profile})
	}
	return policies, nil
}
