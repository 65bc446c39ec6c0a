package leader

import (
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func leaseOf(holder string) *coordinationv1.Lease {
	return &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: defaultNamespace, Name: defaultLease},
		Spec:       coordinationv1.LeaseSpec{HolderIdentity: &holder},
	}
}

func TestCurrent(t *testing.T) {
	for name, c := range map[string]struct {
		found, now *coordinationv1.Lease
		want       bool
	}{
		"it still holds the lease":  {leaseOf("a_1"), leaseOf("a_1"), true},
		"another replica does":      {leaseOf("a_1"), leaseOf("b_1"), false},
		"its pod has started anew":  {leaseOf("a_1"), leaseOf("a_2"), false},
		"nobody does":               {leaseOf("a_1"), leaseOf(""), false},
		"the lease is gone":         {leaseOf("a_1"), nil, false},
		"the user has said whom to": {nil, leaseOf("a_1"), true},
	} {
		kube := fake.NewClientset()
		if c.now != nil {
			kube = fake.NewClientset(c.now)
		}
		client := &Client{kube: kube, lease: c.found}
		if got, err := client.Current(t.Context()); got != c.want || err != nil {
			t.Errorf("%s: %t, %v, want %t", name, got, err, c.want)
		}
	}
}
