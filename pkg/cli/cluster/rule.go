package cluster

import "fmt"

// Rule is what somebody may do, as a rule of RBAC. Resources and Verbs are lists, with
// commas.
type Rule struct{ Group, Resources, Verbs string }

// String returns the rule as it stands in a Role's manifest.
func (r Rule) String() string {
	return fmt.Sprintf("  apiGroups: [%q]\n  resources: [%s]\n  verbs: [%s]", r.Group, r.Resources, r.Verbs)
}
