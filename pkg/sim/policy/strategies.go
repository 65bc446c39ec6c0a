package policy

import (
	"fmt"

	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim"
)

// Strategies returns profiles that rank nodes by nothing but a strategy of
// DeviceFit, and one that takes any node that has room. All nodes are looked at.
func Strategies() ([]sim.Policy, error) {
	const random = "random"
	var policies []sim.Policy
	for _, strategy := range []config.Strategy{config.LeastFragmentation, config.MostAllocated, config.LeastAllocated, random} {
		score := fmt.Sprintf("enabled: [{name: %s}], ", config.DeviceFit)
		args := fmt.Sprintf("\n  pluginConfig: [{name: %s, args: {strategy: %s}}]", config.DeviceFit, strategy)
		if strategy == random {
			score, args = "", ""
		}
		policy, err := parse(string(strategy), fmt.Appendf(nil,
			"%sprofiles:\n- schedulerName: %s\n  percentageOfNodesToScore: 100\n  plugins: {preScore: {%sdisabled: [{name: '*'}]}, score: {%sdisabled: [{name: '*'}]}}%s\n",
			header, strategy, score, score, args))
		if err != nil {
			return nil, err
		}
		policies = append(policies, policy...)
	}
	return policies, nil
}
