package dra

import (
	"testing"

	"k8s.io/klog/v2/ktesting"
	fwk "k8s.io/kube-scheduler/framework"
)

// Fewer devices are free after a claim is allocated.
func TestAllocationsWakePods(t *testing.T) {
	for _, tt := range []struct {
		name          string
		before, after any
		want          fwk.QueueingHint
	}{
		{"allocated", newClaim("c"), newClaim("c", "n/0"), fwk.Queue},
		{"freed", newClaim("c", "n/0"), newClaim("c"), fwk.QueueSkip},
		{"still pending", newClaim("c"), newClaim("c"), fwk.QueueSkip},
		{"still allocated", newClaim("c", "n/0"), newClaim("c", "n/0"), fwk.QueueSkip},
	} {
		if got, err := afterClaimChange(ktesting.NewLogger(t, ktesting.DefaultConfig), nil, tt.before, tt.after); err != nil || got != tt.want {
			t.Errorf("%s: %v, %v, want %v", tt.name, got, err, tt.want)
		}
	}
	if _, err := afterClaimChange(ktesting.NewLogger(t, ktesting.DefaultConfig), nil, nil, "text"); err == nil {
		t.Error("no error for what is no claim")
	}
}
