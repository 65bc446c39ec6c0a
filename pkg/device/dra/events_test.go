package dra

import (
	"maps"
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

// Each change of slices may leave fewer devices, also one that is added: the
// pool is of a newer generation then, or no longer complete.
func TestEvents(t *testing.T) {
	actions := map[fwk.EventResource]fwk.ActionType{}
	for _, event := range newInventory(t).Events() {
		actions[event.Event.Resource] = event.Event.ActionType
	}
	want := map[fwk.EventResource]fwk.ActionType{
		fwk.ResourceClaim: fwk.Update, fwk.ResourceSlice: fwk.Add | fwk.Update | fwk.Delete, fwk.DeviceClass: fwk.Update | fwk.Delete,
	}
	if !maps.Equal(actions, want) {
		t.Errorf("events %v, want %v", actions, want)
	}
}
