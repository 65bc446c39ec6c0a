package cluster

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestLacking(t *testing.T) {
	pods := schema.GroupResource{Resource: "pods"}
	denied := apierrors.NewForbidden(pods, "a", errors.New(`User "u" cannot patch resource "pods" in API group "" in the namespace "shop"`))
	policy := apierrors.NewForbidden(pods, "a", errors.New("ValidatingAdmissionPolicy 'p' denied request"))
	rule := Rule{Group: "apps", Resources: "replicasets", Verbs: "list"}
	for _, test := range []struct {
		err       error
		namespace string
		rules     []Rule
		want      string // after the error's own text
	}{
		{denied, "shop", []Rule{rule}, "\nThe rule to add to a Role in the namespace shop:\n  apiGroups: [\"apps\"]\n  resources: [replicasets]\n  verbs: [list]"},
		{fmt.Errorf("patch: %w", denied), "", []Rule{rule, rule}, "\nThe rules to add to a ClusterRole:\n" + rule.String() + "\nand\n" + rule.String()},
		{policy, "shop", []Rule{rule}, ""},
		{errors.New("no route"), "shop", []Rule{rule}, ""},
	} {
		if got := strings.TrimPrefix(Lacking(test.err, test.namespace, test.rules...).Error(), test.err.Error()); got != test.want {
			t.Errorf("%v: %q, want %q", test.err, got, test.want)
		}
	}
	if Lacking(nil, "shop", rule) != nil {
		t.Error("no error is one")
	}
}
