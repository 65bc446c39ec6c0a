//go:build !k8s136 && !k8s135

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"

	resourceapi "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/dynamic-resource-allocation/kubeletplugin"
	"k8s.io/dynamic-resource-allocation/resourceslice"
)

const (
	driverName = "accel.example.com"
	// cdiKind is that of the devices in the specifications that containerd reads.
	cdiKind = driverName + "/device"
)

// driver prepares claims of the node's devices.
type driver struct {
	node    string
	devices int
	cdi     string // the directory of specifications
	stop    context.CancelCauseFunc
}

// resources are what the node has.
func (d *driver) resources() resourceslice.DriverResources {
	devices := make([]resourceapi.Device, d.devices)
	for i := range devices {
		devices[i].Name = fmt.Sprintf("accel-%d", i)
	}
	return resourceslice.DriverResources{Pools: map[string]resourceslice.Pool{
		d.node: {Slices: []resourceslice.Slice{{Devices: devices}}},
	}}
}

// PrepareResourceClaims has containers of pods with the claims see their devices. What is
// prepared already is prepared again, in the same way.
func (d *driver) PrepareResourceClaims(_ context.Context, claims []*resourceapi.ResourceClaim) (map[types.UID]kubeletplugin.PrepareResult, error) {
	results := map[types.UID]kubeletplugin.PrepareResult{}
	for _, claim := range claims {
		results[claim.UID] = d.prepare(claim)
	}
	return results, nil
}

func (d *driver) prepare(claim *resourceapi.ResourceClaim) (result kubeletplugin.PrepareResult) {
	var devices []map[string]any
	for _, allocated := range claim.Status.Allocation.Devices.Results {
		if allocated.Driver != driverName {
			continue
		}
		devices = append(devices, map[string]any{
			"name": nameOf(claim.UID, allocated.Device),
			"containerEdits": map[string]any{"deviceNodes": []any{
				map[string]any{"path": "/dev/" + allocated.Device, "hostPath": os.DevNull},
			}},
		})
		result.Devices = append(result.Devices, kubeletplugin.Device{
			Requests: []string{allocated.Request}, PoolName: allocated.Pool, DeviceName: allocated.Device,
			CDIDeviceIDs: []string{cdiKind + "=" + nameOf(claim.UID, allocated.Device)},
		})
		log.Printf("claim %s/%s: %s", claim.Namespace, claim.Name, allocated.Device)
	}
	specification, err := json.Marshal(map[string]any{"cdiVersion": "0.6.0", "kind": cdiKind, "devices": devices})
	if err == nil {
		err = write(d.file(claim.UID), specification)
	}
	if err != nil {
		return kubeletplugin.PrepareResult{Err: fmt.Errorf("prepare claim %s/%s: %w", claim.Namespace, claim.Name, err)}
	}
	return result
}

// write replaces the file as a whole: containerd may read it at any time.
func write(file string, content []byte) error {
	if err := os.WriteFile(file+".new", content, 0o644); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

// nameOf is what a device is called for a claim.
func nameOf(claim types.UID, device string) string { return string(claim) + "-" + device }

func (d *driver) file(claim types.UID) string {
	return filepath.Join(d.cdi, driverName+"-"+string(claim)+".json")
}

// UnprepareResourceClaims takes back what was prepared for the claims.
func (d *driver) UnprepareResourceClaims(_ context.Context, claims []kubeletplugin.NamespacedObject) (map[types.UID]error, error) {
	results := map[types.UID]error{}
	for _, claim := range claims {
		err := os.Remove(d.file(claim.UID))
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		results[claim.UID] = err
	}
	return results, nil
}

// HandleError takes an error of the background: one that does not pass ends the driver.
func (d *driver) HandleError(_ context.Context, err error, message string) {
	log.Printf("%s: %v", message, err)
	if !errors.Is(err, kubeletplugin.ErrRecoverable) {
		d.stop(fmt.Errorf("%s: %w", message, err))
	}
}

// WatchHealthStatus has nothing to tell: these devices are always healthy.
func (d *driver) WatchHealthStatus(ctx context.Context, _ chan<- kubeletplugin.DeviceHealthReport) error {
	<-ctx.Done()
	return nil
}
