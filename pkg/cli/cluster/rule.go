package cluster

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Rule is what somebody may do, as a rule of RBAC. Resources and Verbs are lists, with
// commas.
type Rule struct{ Group, Resources, Verbs string }

// String returns the rule as it stands in a Role's manifest.
func (r Rule) String() string {
	return fmt.Sprintf("  apiGroups: [%q]\n  resources: [%s]\n  verbs: [%s]", r.Group, r.Resources, r.Verbs)
}

// Lacking returns the error, and says which rules to add to a Role in the namespace, or
// to a ClusterRole if that is empty, if the error is that the user lacks a right.
func Lacking(err error, namespace string, rules ...Rule) error {
	if !IsLacking(err) {
		return err
	}
	where, the := "a ClusterRole", "The rule"
	if namespace != metav1.NamespaceAll {
		where = "a Role in the namespace " + namespace
	}
	if len(rules) > 1 {
		the = "The rules"
	}
	var texts []string
	for _, rule := range rules {
		texts = append(texts, rule.String())
	}
	return fmt.Errorf("%w\n%s to add to %s:\n%s", err, the, where, strings.Join(texts, "\nand\n"))
}

var lacking = regexp.MustCompile(`cannot \S+ resource`)

// IsLacking reports whether the API server has refused something because the user lacks
// a right, and not because of a quota or a policy.
func IsLacking(err error) bool {
	status := apierrors.APIStatus(nil)
	return apierrors.IsForbidden(err) && errors.As(err, &status) && lacking.MatchString(status.Status().Message)
}
