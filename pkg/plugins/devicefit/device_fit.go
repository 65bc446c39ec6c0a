package devicefit

import (
	"context"
	"fmt"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
)

// Name is the name of the plugin in a KubeSchedulerConfiguration.
const Name = config.DeviceFit

// demandKey is where PreScore leaves the pod's demand for Score.
const demandKey fwk.StateKey = "PreScore" + Name

// demandSigner is the key of the plugin's fragment in a pod's signature. It
// must differ from the keys of all other plugins, of which the framework keeps
// one value a key.
const demandSigner = "plimsoll.io/DeviceFit.Demand()"

// DeviceFit ranks nodes by the devices that they have left.
type DeviceFit struct {
	devices          *device.Matcher
	rate             rating
	avoidDeviceNodes bool
}

var (
	_ fwk.PreScorePlugin = &DeviceFit{}
	_ fwk.ScorePlugin    = &DeviceFit{}
	_ fwk.SignPlugin     = &DeviceFit{}
)

// New returns the plugin for a profile. It is a plugin factory of the
// scheduler framework.
func New(_ context.Context, obj runtime.Object, h fwk.Handle) (fwk.Plugin, error) {
	fld := field.NewPath("profiles").Key(h.ProfileName()).Child("pluginConfig").Key(Name).Child("args")
	args, errs := config.DecodeDeviceFit(obj, fld)
	if len(errs) > 0 {
		return nil, errs.ToAggregate()
	}
	devices, err := device.NewMatcher(args.Resources)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", fld.Child("resources"), err)
	}
	rate, err := ratingOf(args.Strategy)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", fld.Child("strategy"), err)
	}
	return &DeviceFit{devices: devices, rate: rate, avoidDeviceNodes: args.AvoidDeviceNodes}, nil
}

// Name returns the name of the plugin.
func (pl *DeviceFit) Name() string { return Name }

// PreScore works out once what Score needs to know of the pod. It returns Skip
// for a pod to which all nodes are the same.
func (pl *DeviceFit) PreScore(_ context.Context, state fwk.CycleState, pod *v1.Pod, _ []fwk.NodeInfo) *fwk.Status {
	d := pl.demandOf(pod)
	if d.indifferent() {
		return fwk.NewStatus(fwk.Skip)
	}
	state.Write(demandKey, d)
	return nil
}

// Score ranks the node by its devices, 0 to 100.
func (pl *DeviceFit) Score(_ context.Context, state fwk.CycleState, pod *v1.Pod, node fwk.NodeInfo) (int64, *fwk.Status) {
	d, ok := readDemand(state)
	if !ok { // a profile may enable the plugin at Score alone
		d = pl.demandOf(pod)
	}
	var score int64
	switch {
	case len(d.Devices) > 0:
		score = scoreDevices(pl.rate, node, d.Devices)
	case d.AvoidDevices:
		score = scoreAvoidance(pl.devices, node)
	}
	if trace := explain.Of(state); trace != nil {
		if slot, known := trace.Slot(node.Node().Name); known {
			trace.DeviceFit.Score(slot, score)
		}
	}
	return score, nil
}

// ScoreExtensions returns nil: scores need no normalizing, they are comparable
// between nodes and span the framework's range.
func (pl *DeviceFit) ScoreExtensions() fwk.ScoreExtensions { return nil }

// SignPod returns the pod's demand, which is all that the score of a given
// node depends on.
func (pl *DeviceFit) SignPod(_ context.Context, pod *v1.Pod) ([]fwk.SignFragment, *fwk.Status) {
	return []fwk.SignFragment{{Key: demandSigner, Value: pl.demandOf(pod)}}, nil
}

// demand is everything about a pod that its scores depend on. Both Score and
// SignPod work from it alone, so pods that sign alike are scored alike. Its
// JSON form is the pod's signature. It is immutable.
type demand struct {
	// Devices are the devices that the pod asks for.
	Devices []device.Request `json:"devices,omitempty"`
	// AvoidDevices says that the pod should stay off nodes with free devices.
	AvoidDevices bool `json:"avoidDevices,omitempty"`
}

func (pl *DeviceFit) demandOf(pod *v1.Pod) *demand {
	devices := pl.devices.Requests(pod)
	return &demand{
		Devices:      devices,
		AvoidDevices: pl.avoidDeviceNodes && len(devices) == 0 && !device.UsesDRA(pod),
	}
}

func (d *demand) indifferent() bool { return len(d.Devices) == 0 && !d.AvoidDevices }

// Clone implements fwk.StateData. The demand is immutable, so it is shared.
func (d *demand) Clone() fwk.StateData { return d }

func readDemand(state fwk.CycleState) (*demand, bool) {
	data, err := state.Read(demandKey)
	if err != nil {
		return nil, false
	}
	d, ok := data.(*demand)
	return d, ok
}
