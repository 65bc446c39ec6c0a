//go:build !k8s136 && !k8s135

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	resourceapi "k8s.io/api/resource/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/dynamic-resource-allocation/kubeletplugin"
)

// claimOf is a claim to which devices of the driver were allocated, and one of another's.
func claimOf(uid types.UID, devices ...string) *resourceapi.ResourceClaim {
	claim := &resourceapi.ResourceClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: string(uid), UID: uid}}
	results := []resourceapi.DeviceRequestAllocationResult{{Driver: "other.example.com", Request: "else", Pool: "node", Device: "accel-9"}}
	for _, device := range devices {
		results = append(results, resourceapi.DeviceRequestAllocationResult{Driver: driverName, Request: "all", Pool: "node", Device: device})
	}
	claim.Status.Allocation = &resourceapi.AllocationResult{Devices: resourceapi.DeviceAllocationResult{Results: results}}
	return claim
}

// specification is what containerd reads of one.
type specification struct {
	CDIVersion string `json:"cdiVersion"`
	Kind       string
	Devices    []struct {
		Name           string
		ContainerEdits struct {
			DeviceNodes []struct{ Path, HostPath string }
		}
	}
}

// specifications reads all that are in the directory, where nothing else must be.
func specifications(t *testing.T, dir string) (all []specification) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		content, err := os.ReadFile(filepath.Join(dir, file.Name()))
		if err != nil {
			t.Fatal(err)
		}
		var one specification
		if err := json.Unmarshal(content, &one); err != nil || filepath.Ext(file.Name()) != ".json" {
			t.Fatalf("%s: %v in %s", file.Name(), err, content)
		}
		all = append(all, one)
	}
	return all
}

// What the kubelet is told of a claim is what containerd finds in the specification, and
// nothing of another driver's devices.
func TestPrepareAndUnprepare(t *testing.T) {
	d := &driver{node: "node", devices: 2, cdi: t.TempDir()}
	first, second := claimOf("first", "accel-0", "accel-1"), claimOf("second", "accel-0")
	for range 2 { // the kubelet may ask again, and gets the same
		results, err := d.PrepareResourceClaims(t.Context(), []*resourceapi.ResourceClaim{first})
		if err != nil || results["first"].Err != nil {
			t.Fatal(err, results["first"].Err)
		}
		all := specifications(t, d.cdi)
		if len(all) != 1 || all[0].Kind != cdiKind || all[0].CDIVersion == "" || len(all[0].Devices) != 2 {
			t.Fatalf("the specifications are %+v", all)
		}
		var told, written, nodes []string
		for _, device := range results["first"].Devices {
			told = append(told, device.CDIDeviceIDs...)
			if !slices.Equal(device.Requests, []string{"all"}) || device.PoolName != "node" {
				t.Errorf("prepared %+v", device)
			}
		}
		for _, device := range all[0].Devices {
			written = append(written, all[0].Kind+"="+device.Name)
			for _, node := range device.ContainerEdits.DeviceNodes {
				nodes = append(nodes, node.Path+" is "+node.HostPath)
			}
		}
		if !slices.Equal(told, written) || !slices.Equal(nodes, []string{"/dev/accel-0 is /dev/null", "/dev/accel-1 is /dev/null"}) {
			t.Errorf("the kubelet is told %v, the specification has %v with %v", told, written, nodes)
		}
	}
	if _, err := d.PrepareResourceClaims(t.Context(), []*resourceapi.ResourceClaim{second}); err != nil {
		t.Fatal(err)
	}
	for _, left := range []int{1, 1} { // the kubelet may ask again
		results, err := d.UnprepareResourceClaims(t.Context(), []kubeletplugin.NamespacedObject{{UID: "first"}})
		if err != nil || results["first"] != nil {
			t.Errorf("let go: %v, %v", err, results)
		}
		if all := specifications(t, d.cdi); len(all) != left || !strings.HasPrefix(all[0].Devices[0].Name, "second-") {
			t.Errorf("left are %+v, and the second claim is to be", all)
		}
	}
}

// One claim that cannot be prepared says which, and is no error of the others.
func TestPrepareFails(t *testing.T) {
	d := &driver{node: "node", cdi: filepath.Join(t.TempDir(), "none")}
	results, err := d.PrepareResourceClaims(t.Context(), []*resourceapi.ResourceClaim{claimOf("lost", "accel-0")})
	if err != nil || results["lost"].Err == nil || !strings.Contains(results["lost"].Err.Error(), "claim shop/lost") {
		t.Errorf("%v, %+v", err, results)
	}
}

func TestResources(t *testing.T) {
	pool, found := (&driver{node: "node", devices: 2}).resources().Pools["node"]
	if !found || len(pool.Slices) != 1 || len(pool.Slices[0].Devices) != 2 || pool.Slices[0].Devices[1].Name != "accel-1" {
		t.Errorf("publishes %+v", pool)
	}
}

// Only an error that does not pass ends the driver.
func TestHandleError(t *testing.T) {
	lasting := errors.New("lasting")
	for err, want := range map[error]error{fmt.Errorf("%w: a moment", kubeletplugin.ErrRecoverable): nil, lasting: lasting} {
		ctx, stop := context.WithCancelCause(t.Context())
		(&driver{stop: stop}).HandleError(ctx, err, "publish")
		if got := context.Cause(ctx); !errors.Is(got, want) || (want == nil) != (got == nil) {
			t.Errorf("%v ended it with %v, want %v", err, got, want)
		}
		stop(nil)
	}
}

func TestBadArguments(t *testing.T) {
	for _, c := range []struct {
		node, uid, want string
		args            []string
	}{
		{"", "", "NODE_NAME and POD_UID: must be set", nil},
		{"node", "", "NODE_NAME and POD_UID: must be set", nil},
		{"node", "uid", "--devices=0: must be 1 to 100", []string{"--devices=0"}},
		{"node", "uid", "--devices=101: must be 1 to 100", []string{"--devices=101"}},
	} {
		t.Setenv("NODE_NAME", c.node)
		t.Setenv("POD_UID", c.uid)
		if err := run(t.Context(), c.args); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v of node %q: %v, want %q", c.args, c.node, err, c.want)
		}
	}
}
