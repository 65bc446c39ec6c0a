package scenario

import (
	"fmt"
	"strconv"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
)

const (
	namespace = "default"
	gpus      = "nvidia.com/gpu"
	gib       = 1 << 30
	prefix    = "plimsoll.io/"
)

func nameOf(pod string) types.NamespacedName {
	return types.NamespacedName{Namespace: namespace, Name: pod}
}

// machineOf returns the machine that the arguments describe.
func machineOf(name string, a *args) *machine {
	m := &machine{name: name, cpu: a.amountOr(amount.CPU, "cpu", 0), booted: -3600}
	m.base = amount.Vector{
		amount.CPU:    a.amountOr(amount.CPU, "base", 0),
		amount.Memory: a.amountOr(amount.Memory, "base-memory", 4*gib),
	}
	m.skew = a.duration("clock", 0)
	m.phase = int(a.duration("phase", 0).Seconds())
	m.missed = a.flag("unmeasured")
	if m.cpu == 0 {
		a.fail("node %s needs cpu", name)
	}
	if m.phase < 0 || m.phase >= int(interval.Seconds()) {
		a.fail("phase must be at least 0s and less than %v", interval)
	}
	return m
}

// nodeOf returns the object of the machine.
func nodeOf(m *machine, a *args) *v1.Node {
	node := &v1.Node{ObjectMeta: metav1.ObjectMeta{
		Name: m.name, UID: types.UID(a.textOr("uid", m.name)),
		Labels: map[string]string{v1.LabelHostname: m.name}, Annotations: map[string]string{},
	}}
	node.Status.NodeInfo.BootID = "1"
	node.Status.Allocatable = v1.ResourceList{
		v1.ResourceCPU:    *resource.NewMilliQuantity(m.cpu, resource.DecimalSI),
		v1.ResourceMemory: *resource.NewQuantity(a.amountOr(amount.Memory, "memory", 256*gib), resource.BinarySI),
		v1.ResourcePods:   resource.MustParse("110"),
	}
	if n := a.number("gpu", 0); n > 0 {
		node.Status.Allocatable[gpus] = *resource.NewQuantity(int64(n), resource.DecimalSI)
	}
	node.Status.Capacity = node.Status.Allocatable
	if value, given := a.text("thresholds"); given {
		node.Annotations[prefix+"thresholds"] = value
	}
	return node
}

// podOf returns the pod that the arguments describe.
func podOf(name string, a *args) *pod {
	object := &v1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: namespace, Name: name, UID: types.UID(a.textOr("uid", name)),
		Labels: map[string]string{}, Annotations: map[string]string{},
	}}
	object.Spec.RestartPolicy = v1.RestartPolicy(a.textOr("restart", string(v1.RestartPolicyAlways)))
	if priority := int32(a.number("priority", 0)); priority != 0 {
		object.Spec.Priority = &priority
	}
	for _, key := range []string{"estimate", "when-unsatisfiable"} {
		if value, given := a.text(key); given {
			object.Annotations[prefix+key] = value
		}
	}
	own(object, a)
	p := &pod{name: name, object: object}
	p.starts, p.takes = a.duration("starts", -1), a.duration("takes", -1)
	p.grace = a.duration("grace", 30e9)
	containersOf(p, a)
	return p
}

// own says what the pod belongs to.
func own(object *v1.Pod, a *args) {
	isController := true
	switch set, given := a.text("workload"); {
	case given:
		object.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: set, UID: types.UID(set), Controller: &isController}}
		object.Labels["pod-template-hash"] = "1"
	case a.flag("static"):
		object.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: "node", UID: "node", Controller: &isController}}
		object.Annotations["kubernetes.io/config.mirror"] = "1"
		object.Annotations["kubernetes.io/config.source"] = "file"
	}
}

// containersOf gives the pod its containers.
func containersOf(p *pod, a *args) {
	always := v1.ContainerRestartPolicyAlways
	for _, values := range a.all("init") {
		spec := p.addFrom(values, initial, v1.RestartPolicyOnFailure, a)
		p.object.Spec.InitContainers = append(p.object.Spec.InitContainers, spec)
	}
	for _, values := range a.all("sidecar") {
		spec := p.addFrom(values, sidecar, v1.RestartPolicyAlways, a)
		spec.RestartPolicy = &always
		p.object.Spec.InitContainers = append(p.object.Spec.InitContainers, spec)
	}
	for _, values := range a.all("container") {
		p.object.Spec.Containers = append(p.object.Spec.Containers, p.addFrom(values, regular, p.object.Spec.RestartPolicy, a))
	}
	if len(p.object.Spec.Containers) == 0 {
		p.object.Spec.Containers = []v1.Container{p.add("main", a, regular, p.object.Spec.RestartPolicy)}
	}
}

// addFrom adds a container that has arguments of its own. What is wrong with them
// is wrong with those of the pod.
func (p *pod) addFrom(values []string, k kind, policy v1.RestartPolicy, a *args) v1.Container {
	c := containerArgs(values)
	spec := p.add(c.name(), c, k, policy)
	p.restartRules(&spec, c)
	if err := c.end(); err != nil {
		a.fail("container %s: %v", spec.Name, err)
	}
	return spec
}

// add adds a container, and returns its specification.
func (p *pod) add(name string, a *args, k kind, policy v1.RestartPolicy) v1.Container {
	spec := v1.Container{Name: name, Resources: v1.ResourceRequirements{Requests: v1.ResourceList{}}}
	cpu, requested := a.amount(amount.CPU, "request")
	if requested {
		spec.Resources.Requests[v1.ResourceCPU] = quantityOf(amount.CPU, cpu)
	}
	memory := a.amountOr(amount.Memory, "memory", gib)
	spec.Resources.Requests[v1.ResourceMemory] = quantityOf(amount.Memory, memory)
	if n := a.number("gpu", 0); n > 0 {
		spec.Resources.Requests[gpus] = *resource.NewQuantity(int64(n), resource.DecimalSI)
		spec.Resources.Limits = v1.ResourceList{gpus: spec.Resources.Requests[gpus]}
	}
	truth := &container{name: spec.Name, kind: k, policy: policy, memory: a.amountOr(amount.Memory, "uses-memory", memory)}
	var given bool
	if truth.cpu, given = a.pattern("uses"); !given {
		truth.cpu.cpu = []int64{cpu}
	}
	truth.state.Waiting = &v1.ContainerStateWaiting{Reason: "ContainerCreating"}
	p.containers = append(p.containers, truth)
	return spec
}

// restartRules gives the container that was added last a restart policy of its
// own, and exit codes after which it is started again.
func (p *pod) restartRules(spec *v1.Container, a *args) {
	truth := p.containers[len(p.containers)-1]
	if value, given := a.text("restart"); given {
		policy := v1.ContainerRestartPolicy(value)
		spec.RestartPolicy, truth.policy = &policy, v1.RestartPolicy(value)
	}
	p.restartRule(spec, a, "restart-on", v1.ContainerRestartRuleActionRestart)
	p.restartRule(spec, a, "restart-all-on", v1.ContainerRestartRuleActionRestartAllContainers)
}

// restartRule gives the container that was added last the exit codes after which the
// action is taken.
func (p *pod) restartRule(spec *v1.Container, a *args, name string, action v1.ContainerRestartRuleAction) {
	var codes []int32
	for _, code := range a.values(name) {
		exit, err := strconv.Atoi(code)
		if err != nil {
			a.fail("%s=%s must be exit codes", name, code)
		}
		codes = append(codes, int32(exit))
	}
	if len(codes) == 0 {
		return
	}
	truth := p.containers[len(p.containers)-1]
	truth.again = append(truth.again, codes...)
	spec.RestartPolicyRules = append(spec.RestartPolicyRules, v1.ContainerRestartRule{
		Action: action, ExitCodes: &v1.ContainerRestartRuleOnExitCodes{Operator: v1.ContainerRestartRuleOnExitCodesOpIn, Values: codes},
	})
}

// request sets what a container requests.
func request(object *v1.Pod, container string, r amount.Resource, value int64) error {
	for _, containers := range [][]v1.Container{object.Spec.InitContainers, object.Spec.Containers} {
		for i := range containers {
			if containers[i].Name == container {
				containers[i].Resources.Requests[r.Name()] = quantityOf(r, value)
				return nil
			}
		}
	}
	return fmt.Errorf("pod %s has no container %s", object.Name, container)
}

func quantityOf(r amount.Resource, value int64) resource.Quantity {
	if r == amount.CPU {
		return *resource.NewMilliQuantity(value, resource.DecimalSI)
	}
	return *resource.NewQuantity(value, resource.BinarySI)
}
