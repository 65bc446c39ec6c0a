package status

import (
	"cmp"
	"slices"
	"sync"

	fwk "k8s.io/kube-scheduler/framework"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

// Server tells what is known now.
type Server struct {
	// Version is Plimsoll's.
	Version string
	// Configuration is the configuration file's content.
	Configuration []byte
	// Observing are the schedulers that are observed instead of scheduling.
	Observing []string
	Reporters *Reporters
	// Model returns the load model, nil if no profile has one.
	Model func() *load.Model
	// Snapshot returns the nodes with the pods on them, as the scheduler has them in its
	// cache. They are valid until the next call; calls are made one at a time.
	Snapshot func() ([]fwk.NodeInfo, error)

	mu sync.Mutex // held while what Snapshot returned is read
}

// header returns what an answer for the profile begins with.
func (s *Server) header(profile string, view *load.View) Header {
	return Header{Version: s.Version, Time: view.Now, Profile: profile, Profiles: s.Reporters.names(), Observing: s.Observing}
}

// Nodes returns the nodes as the profile judges them, in the order of their names.
func (s *Server) Nodes(profile string) (*Nodes, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	infos, err := s.Snapshot()
	if err != nil {
		return nil, err
	}
	view := s.Model().View()
	all := &Nodes{Header: s.header(profile, &view), Nodes: make([]Node, len(infos))}
	var reporters []NodeReporter
	for _, reporter := range s.Reporters.Of(profile) {
		reporters = append(reporters, reporter.Report(&view))
	}
	for i, info := range infos {
		n, node := &all.Nodes[i], view.NodeOf(info)
		n.describe(&view, node, info)
		for _, report := range reporters {
			report(n, node, info)
		}
	}
	slices.SortFunc(all.Nodes, func(a, b Node) int { return cmp.Compare(a.Name, b.Name) })
	return all, nil
}

// describe fills in what does not depend on the profile.
func (n *Node) describe(view *load.View, node *load.Node, info fwk.NodeInfo) {
	n.Name, n.Unschedulable, n.Pods = info.Node().Name, info.Node().Spec.Unschedulable, len(info.GetPods())
	n.State, n.Awaits = view.State(node).String(), view.Awaits(node)
	if node != nil && node.Sampled {
		age := view.Age(node).Seconds()
		n.SampleAgeSeconds, n.ClockSkewSeconds = &age, node.ClockSkew.Seconds()
	}
	allocatable, requested := info.GetAllocatable(), info.GetRequested()
	n.CPU = Amounts{Allocatable: amount.CPU.InUnits(allocatable.GetMilliCPU()), Requested: amount.CPU.InUnits(requested.GetMilliCPU())}
	n.Memory = Amounts{Allocatable: float64(allocatable.GetMemory()), Requested: float64(requested.GetMemory())}
}

// Pods returns the pods on nodes: all, or those on one, or of one namespace.
func (s *Server) Pods(profile, node, namespace string) (*Pods, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	infos, err := s.Snapshot()
	if err != nil {
		return nil, err
	}
	model := s.Model()
	view := model.View()
	all := &Pods{Header: s.header(profile, &view), Pods: []Pod{}}
	catalogue := s.catalogue(profile)
	for _, info := range infos {
		if name := info.Node().Name; node == "" || node == name {
			all.Pods = append(all.Pods, podsOn(model, name, namespace, info, catalogue)...)
		}
	}
	slices.SortFunc(all.Pods, func(a, b Pod) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Node, b.Node))
	})
	return all, nil
}

// podsOn returns the pods on the node, of the namespace if one is given.
func podsOn(model *load.Model, node, namespace string, info fwk.NodeInfo, catalogue Catalogue) []Pod {
	infos := map[string]fwk.PodInfo{}
	for _, pod := range info.GetPods() {
		infos[pod.GetPod().Namespace+"/"+pod.GetPod().Name] = pod
	}
	var pods []Pod
	for _, state := range model.PodsOn(node) {
		if state.Name.Name == "" || namespace != "" && namespace != state.Name.Namespace {
			continue
		}
		p := Pod{Namespace: state.Name.Namespace, Name: state.Name.Name, Node: node, Phase: state.Phase.String(), Seen: state.Seen}
		p.CPU.Expected = amount.CPU.InUnits(state.Expected[amount.CPU])
		p.Memory.Expected = amount.Memory.InUnits(state.Expected[amount.Memory])
		if pod := infos[p.Namespace+"/"+p.Name]; pod != nil {
			p.request(pod, catalogue)
		}
		pods = append(pods, p)
	}
	return pods
}

// request fills in what the pod asks for.
func (p *Pod) request(pod fwk.PodInfo, catalogue Catalogue) {
	requests := pod.CalculateResource().Resource
	p.CPU.Requested = amount.CPU.InUnits(requests.GetMilliCPU())
	p.Memory.Requested = float64(requests.GetMemory())
	if catalogue == nil {
		return
	}
	for _, request := range catalogue.PodDevices(pod) {
		if p.Devices == nil {
			p.Devices = map[string]int64{}
		}
		p.Devices[string(request.Name)] = request.Count
	}
}

// catalogue returns what the profile knows of devices, nil if it knows nothing.
func (s *Server) catalogue(profile string) Catalogue {
	for _, reporter := range s.Reporters.Of(profile) {
		if catalogue, ok := reporter.(Catalogue); ok {
			return catalogue
		}
	}
	return nil
}

// Workloads returns what was learned.
func (s *Server) Workloads(profile string) *Workloads {
	model := s.Model()
	view := model.View()
	all := &Workloads{Header: s.header(profile, &view), Workloads: []Workload{}}
	for _, state := range model.Workloads() {
		w := Workload{Namespace: state.Namespace, Kind: state.Kind, Name: state.Name, Containers: state.Containers, Pods: state.Pods}
		for r, to := range []*Learned{amount.CPU: &w.CPU, amount.Memory: &w.Memory} {
			of, unit := &state.Resources[r], amount.Resource(r).PerUnit()
			*to = Learned{
				Requested: of.Requested / unit, Seconds: of.Weight.Seconds(), Mean: of.Mean / unit,
				Deviation: of.Deviation / unit, Estimate: of.Estimate / unit, Error: of.Error() / unit,
			}
		}
		all.Workloads = append(all.Workloads, w)
	}
	return all
}

// Devices returns the kinds of device and what resources are taken for: devices first.
func (s *Server) Devices(profile string) (*DeviceKinds, error) {
	nodes, err := s.Nodes(profile)
	if err != nil {
		return nil, err
	}
	all := &DeviceKinds{Header: nodes.Header, Kinds: []DeviceKind{}}
	byName := map[string]*DeviceKind{}
	if catalogue := s.catalogue(profile); catalogue != nil {
		for _, resource := range catalogue.Resources() {
			byName[string(resource.Name)] = &DeviceKind{
				Devices: Devices{Resource: string(resource.Name)}, Verdict: string(resource.Verdict), Reason: resource.Reason,
				Nodes: resource.Nodes, Most: resource.Most,
			}
		}
	}
	for i := range nodes.Nodes {
		for _, devices := range nodes.Nodes[i].Devices {
			kind := byName[devices.Resource]
			if kind == nil { // a device class
				kind = &DeviceKind{Devices: Devices{Resource: devices.Resource}, Verdict: string(device.Device), Reason: deviceClass}
				byName[devices.Resource] = kind
			}
			kind.add(&devices)
		}
	}
	for _, kind := range byName {
		all.Kinds = append(all.Kinds, *kind)
	}
	slices.SortFunc(all.Kinds, func(a, b DeviceKind) int {
		return cmp.Or(cmp.Compare(rank(a.Verdict), rank(b.Verdict)), cmp.Compare(a.Resource, b.Resource))
	})
	return all, nil
}

func rank(verdict string) int {
	return slices.Index([]string{string(device.Device), string(device.Counter), string(device.Excluded)}, verdict)
}

// deviceClass is the reason for which a device class is taken for a device. The
// catalogue has none, so that its nodes are counted here.
const deviceClass = "a device class"

// add counts a node's devices.
func (k *DeviceKind) add(of *Devices) {
	k.Add(of)
	if k.Reason == deviceClass {
		k.Nodes++
		k.Most = max(k.Most, of.Allocatable)
	}
}
