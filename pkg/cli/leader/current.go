package leader

import (
	"context"
	"fmt"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Current reports whether what is asked still leads, for who asks again and again. A
// scheduler of --scheduler-url always does: the user has said whom to ask.
func (c *Client) Current(ctx context.Context) (bool, error) {
	if c.lease == nil {
		return true, nil
	}
	now, err := c.kube.CoordinationV1().Leases(c.lease.Namespace).Get(ctx, c.lease.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("ask who holds the lease %s/%s: %w", c.lease.Namespace, c.lease.Name, err)
	}
	return holderOf(now) == holderOf(c.lease), nil
}

// holderOf returns who holds the lease, empty if nobody does.
func holderOf(lease *coordinationv1.Lease) string {
	if lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}
