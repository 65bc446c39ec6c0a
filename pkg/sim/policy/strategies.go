package policy

import (
	"fmt"

	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim"
)

// Strategies returns profiles that do nothing but count what nodes have left,
// and rank them by a strategy of DeviceFit; and one that takes any node that has
// room. All nodes are looked at.
func Strategies() ([]sim.Policy, error) {
	const random = "random"
	const profile = `%sprofiles:
- schedulerName: %s
  percentageOfNodesToScore: 100
  plugins:
    multiPoint: {enabled: [{name: PrioritySort}, {name: DefaultBinder}], disabled: [{name: "*"}]}
    preFilter: {enabled: [{name: NodeResourcesFit}]}
    filter: {enabled: [{name: NodeResourcesFit}]}
`
	const rank = `    preScore: {enabled: [{name: %[1]s}]}
    score: {enabled: [{name: %[1]s}]}
  pluginConfig: [{name: %[1]s, args: {strategy: %[2]s}}]
`
	var policies []sim.Policy
	for _, strategy := range []config.Strategy{config.LeastFragmentation, config.MostAllocated, config.LeastAllocated, random} {
		text := fmt.Appendf(nil, profile, header, strategy)
		if strategy != random {
			text = fmt.Appendf(text, rank, config.DeviceFit, strategy)
		}
		policy, err := parse(string(strategy), text)
		if err != nil {
			return nil, err
		}
		policies = append(policies, policy...)
	}
	return policies, nil
}
