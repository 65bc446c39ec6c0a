package policy

import (
	"fmt"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim"
)

// peers are profiles of other schedulers that go by load. Each adds its plugin
// to kube-scheduler's defaults, with a weight above that of each of these, and leaves
// the plugin's arguments at their defaults.
var peers = []struct{ plugin, note string }{
	{"TargetLoadPacking", "Trimaran's plugin of scheduler-plugins; it takes metrics from load-watcher once a minute"},
	{"LoadVariationRiskBalancing", "Trimaran's plugin of scheduler-plugins; with metrics-server as its source it sees no variation"},
	{"LowRiskOverCommitment", "Trimaran's plugin of scheduler-plugins"},
	{"LoadAwareScheduling", "a re-implementation of Koordinator's formula and thresholds for comparison, not its code"},
}

// Peers returns the profiles of peers.
func Peers() ([]sim.Policy, error) {
	var policies []sim.Policy
	for _, peer := range peers {
		text := fmt.Sprintf("%sprofiles:\n- schedulerName: %s\n  plugins: {multiPoint: {enabled: [{name: %s, weight: 5}]}}\n", header, peer.plugin, peer.plugin)
		policy, err := parse(peer.plugin, []byte(text))
		if err != nil {
			return nil, err
		}
		policy[0].Note = peer.note
		policies = append(policies, policy...)
	}
	return policies, nil
}
