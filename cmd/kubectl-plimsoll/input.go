package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/churn"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input/warning"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/policy"
)

// The models of --load.
const (
	loadCalm = "calm"
	loadHot  = "hot"
)

// scenario returns the pods and nodes that the flags ask for. What is odd about files
// that are read all the same it says on stderr.
func (o *simulateOptions) scenario(stderr io.Writer) (*sim.Scenario, error) {
	model, err := o.modelOf()
	if err != nil {
		return nil, err
	}
	events, err := churn.Parse(o.churn)
	if err != nil {
		return nil, fmt.Errorf("--churn %w", err)
	}
	scenario, err := o.steady(model, stderr)
	if err != nil {
		return nil, err
	}
	if scenario.Recording != nil && len(o.churn) > 0 {
		return nil, errors.New("--churn would change what was recorded: leave it out, or say --modelled")
	}
	return churn.Apply(scenario, events, o.seed), nil
}

// steady returns the scenario without churn.
func (o *simulateOptions) steady(model input.Model, stderr io.Writer) (*sim.Scenario, error) {
	var warnings warning.List
	defer func() { warnings.Print(stderr) }()
	switch {
	case o.cluster != "" && !o.modelled:
		recorded, err := input.HasRecording(o.cluster)
		if err != nil {
			return nil, err
		}
		if recorded {
			return input.Recorded(o.cluster, model, o.seed, &warnings)
		}
		fallthrough
	case o.cluster != "":
		return input.Snapshot(o.cluster, model, o.seed, &warnings)
	case o.nodes != "":
		return input.Openb(o.nodes, o.pods, o.series, model, o.seed, &warnings)
	}
	return input.Synthetic(model, o.seed)
}

// modelOf returns the model of --load with the changes of --model.
func (o *simulateOptions) modelOf() (input.Model, error) {
	model := input.Calm()
	if o.load == loadHot {
		model = input.Hot()
	}
	for _, name := range slices.Sorted(maps.Keys(o.model)) {
		if err := model.Set(name, o.model[name]); err != nil {
			return model, fmt.Errorf("--model %w", err)
		}
	}
	return model, nil
}

// policies returns the profiles to compare.
func (o *simulateOptions) policies() ([]sim.Policy, error) {
	all, source, err := o.knownPolicies()
	if err != nil {
		return nil, err
	}
	policies, err := policy.Select(all, o.profiles, source)
	if err != nil {
		return nil, fmt.Errorf("--profiles: %w", err)
	}
	if o.knowing {
		i := slices.IndexFunc(policies, policy.GoesByLoad)
		if i < 0 {
			return nil, errors.New("--knowing: no profile has NodeLoad, so none goes by what pods use: name one that has by --profiles")
		}
		policies = append(policies, policy.Knowing(policies[i]))
	}
	if !o.peers {
		return policies, nil
	}
	peers, err := policy.Peers()
	if err != nil {
		return nil, err
	}
	for _, peer := range peers { // but for those that a profile has the name of
		if !has(policies, peer.Name) {
			policies = append(policies, peer)
		}
	}
	return policies, nil
}

// knownPolicies returns what --profiles chooses from, and where that is from:
// the profiles of --config, and stock to compare them with unless the file says
// what that is; without --config the recommended profile and stock.
func (o *simulateOptions) knownPolicies() (known []sim.Policy, source string, err error) {
	builtin, err := policy.Builtin()
	if err != nil || o.config == "" {
		return builtin, "the built-in configuration (for others say --config)", err
	}
	known, err = policy.Load(o.config)
	if err != nil {
		return nil, "", fmt.Errorf("--config: %w", err)
	}
	for _, p := range builtin {
		if p.Name == policy.Stock && !has(known, p.Name) {
			known = append(known, p)
		}
	}
	return known, o.config, nil
}

func has(policies []sim.Policy, name string) bool {
	return slices.ContainsFunc(policies, func(p sim.Policy) bool { return p.Name == name })
}

func modelNames() []string { return input.Names() }

// completeModel completes the last parameter of a list.
func completeModel(_ *cobra.Command, _ []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	var names []string
	for _, name := range modelNames() {
		names = append(names, name+"=")
	}
	return completeList(names, toComplete), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

// completeChurn completes the last name of a list.
func completeChurn(_ *cobra.Command, _ []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	return completeList(append(churn.Names(), churn.All), toComplete), cobra.ShellCompDirectiveNoFileComp
}

// completeProfiles completes the last name of a list.
func (o *simulateOptions) completeProfiles(_ *cobra.Command, _ []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	policies, _, err := o.knownPolicies()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, p := range policies {
		names = append(names, p.Name)
	}
	return completeList(names, toComplete), cobra.ShellCompDirectiveNoFileComp
}

// completeList returns the list with each of the names as its last entry.
func completeList(names []string, list string) []string {
	begin := list[:strings.LastIndex(list, ",")+1]
	completed := make([]string, 0, len(names))
	for _, name := range names {
		completed = append(completed, begin+name)
	}
	return completed
}
