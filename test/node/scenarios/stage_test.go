package scenarios

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/status"
	"github.com/plimsoll-scheduler/plimsoll/test/cluster"
)

const (
	simulatedTaint = "example.com/simulated"
	serverImage    = "plimsoll.test/server:v1"
	firstPort      = 8080
	// settleTimeout is how long what is told of the same devices may differ.
	settleTimeout = 30 * time.Second
)

// stage is where a scenario plays: a namespace.
type stage struct {
	*testing.T
	namespace string
}

func newStage(ctx context.Context, t *testing.T) *stage {
	t.Helper()
	namespace := strings.ToLower(strings.TrimPrefix(t.Name(), "Test"))
	object := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	if _, err := w.Clientset.CoreV1().Namespaces().Create(ctx, object, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	s := &stage{T: t, namespace: namespace}
	s.wait(ctx, "the namespace's service account", func(ctx context.Context) (bool, error) {
		_, err := w.Clientset.CoreV1().ServiceAccounts(namespace).Get(ctx, "default", metav1.GetOptions{})
		return err == nil, err
	})
	t.Cleanup(func() {
		if t.Failed() {
			s.describe()
			s.leave()
		}
	})
	return s
}

// describe tells what a scenario that failed has left.
func (s *stage) describe() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for _, args := range [][]string{
		{"--namespace", s.namespace, "get", "pods", "-o", "wide"},
		{"--namespace", s.namespace, "get", "events"},
		{"describe", "node", realNode},
	} {
		out, err := w.Kubectl(ctx, args...)
		s.Logf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// leave deletes what the scenario made, and waits until its pods are gone.
func (s *stage) leave() {
	s.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, args := range [][]string{
		{"delete", "namespace", s.namespace, "--wait=false"},
		{"--namespace", s.namespace, "delete", "deployments,replicasets,jobs,pods", "--all", "--timeout", "60s"},
	} {
		if _, err := w.Kubectl(ctx, args...); err != nil {
			s.Error(err)
		}
	}
}

// wait fails the scenario if the condition does not come to hold.
func (s *stage) wait(ctx context.Context, what string, condition func(context.Context) (bool, error)) {
	s.Helper()
	if err := cluster.WaitFor(ctx, what, condition); err != nil {
		s.Fatal(err)
	}
}

// container is one that asks for devices.
type container map[corev1.ResourceName]int64

// pod returns a pod of Plimsoll's, of servers that each serve at a port of its own and
// tell what devices they see.
func (s *stage) pod(name string, containers ...container) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: s.namespace, Labels: map[string]string{"app": name}},
		Spec: corev1.PodSpec{
			SchedulerName:                 "plimsoll",
			TerminationGracePeriodSeconds: new(int64(5)),
			Tolerations:                   []corev1.Toleration{{Key: simulatedTaint, Operator: corev1.TolerationOpExists}},
		},
	}
	for i, devices := range containers {
		port := int32(firstPort + i)
		limits := corev1.ResourceList{}
		for name, count := range devices {
			limits[name] = *resource.NewQuantity(count, resource.DecimalSI)
		}
		pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{
			Name: fmt.Sprintf("c%d", i), Image: serverImage, ImagePullPolicy: corev1.PullNever,
			Args: []string{fmt.Sprintf("--listen=:%d", port), "--variables=" + variableOf(npu) + "," + variableOf(link)},
			Resources: corev1.ResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("20m"), corev1.ResourceMemory: resource.MustParse("32Mi")},
				Limits:   limits,
			},
			ReadinessProbe: &corev1.Probe{PeriodSeconds: 1, ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/readyz", Port: intstrOf(port)}}},
		})
	}
	return pod
}

// variableOf is the environment variable in which the device plugin names devices.
func variableOf(resource corev1.ResourceName) string {
	return strings.ToUpper(strings.NewReplacer(".", "_", "/", "_").Replace(string(resource)))
}

// on has the pod be placed on the node only.
func on(pod *corev1.Pod, node string) *corev1.Pod {
	pod.Spec.NodeSelector = map[string]string{corev1.LabelHostname: node}
	return pod
}

// start creates the pod and returns it when it is ready.
func (s *stage) start(ctx context.Context, pod *corev1.Pod) *corev1.Pod {
	s.Helper()
	s.create(ctx, pod)
	return s.ready(ctx, pod.Name)
}

func (s *stage) create(ctx context.Context, pod *corev1.Pod) {
	s.Helper()
	if _, err := w.Clientset.CoreV1().Pods(s.namespace).Create(ctx, pod, metav1.CreateOptions{}); err != nil {
		s.Fatal(err)
	}
}

func (s *stage) get(ctx context.Context, name string) *corev1.Pod {
	s.Helper()
	pod, err := w.Clientset.CoreV1().Pods(s.namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		s.Fatal(err)
	}
	return pod
}

// ready waits until the pod is ready.
func (s *stage) ready(ctx context.Context, name string) (pod *corev1.Pod) {
	s.Helper()
	s.wait(ctx, "pod "+name+" to be ready", func(ctx context.Context) (bool, error) {
		var err error
		if pod, err = w.Clientset.CoreV1().Pods(s.namespace).Get(ctx, name, metav1.GetOptions{}); err != nil {
			return false, err
		}
		return isReady(pod), fmt.Errorf("it is on %q, %s %s %s", pod.Spec.NodeName, pod.Status.Phase, pod.Status.Reason, pod.Status.Message)
	})
	if firstRunning == 0 {
		firstRunning = time.Since(begin)
	}
	return pod
}

func isReady(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// delete deletes the pod and waits until it is gone.
func (s *stage) delete(ctx context.Context, name string) {
	s.Helper()
	if _, err := w.Kubectl(ctx, "--namespace", s.namespace, "delete", "pod", name, "--timeout", "60s"); err != nil {
		s.Fatal(err)
	}
}

// ask asks a server at a pod's address, and returns the body of an answer that is OK.
func ask(ctx context.Context, method, ip string, port int, path string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return askPatiently(ctx, method, ip, port, path)
}

// askPatiently is ask for what may take its time.
func askPatiently(ctx context.Context, method, ip string, port int, path string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, method, fmt.Sprintf("http://%s:%d%s", ip, port, path), http.NoBody)
	if err != nil {
		return "", err
	}
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s: %s", method, path, response.Status, body)
	}
	return string(body), err
}

// tell has the first server of a pod do something.
func (s *stage) tell(ctx context.Context, pod *corev1.Pod, path string) {
	s.Helper()
	if _, err := ask(ctx, http.MethodPost, pod.Status.PodIP, firstPort, path); err != nil {
		s.Fatal(err)
	}
}

// plugin returns the device plugin's pod that is ready.
func (s *stage) plugin(ctx context.Context) (pod *corev1.Pod) {
	s.Helper()
	s.wait(ctx, "the device plugin", func(ctx context.Context) (bool, error) {
		list, err := w.Clientset.CoreV1().Pods("kube-system").List(ctx, metav1.ListOptions{LabelSelector: "app=deviceplugin"})
		if err != nil {
			return false, err
		}
		for i := range list.Items {
			if pod = &list.Items[i]; pod.DeletionTimestamp == nil && isReady(pod) {
				return true, nil
			}
		}
		return false, errors.New("no pod of it is ready")
	})
	return pod
}

// setDevice has something happen to a device.
func (s *stage) setDevice(ctx context.Context, id, state string) {
	s.Helper()
	s.wait(ctx, "the device plugin to take in that "+id+" is "+state, func(ctx context.Context) (bool, error) {
		_, err := ask(ctx, http.MethodPost, s.plugin(ctx).Status.PodIP, firstPort, "/devices?id="+id+"&state="+state)
		return err == nil, err
	})
}

// waitAllocatable waits until the real node has so many devices to give.
func (w *world) waitAllocatable(ctx context.Context, resource corev1.ResourceName, count int64) error {
	return cluster.WaitFor(ctx, fmt.Sprintf("%d of %s to be allocatable", count, resource), func(ctx context.Context) (bool, error) {
		node, err := w.Clientset.CoreV1().Nodes().Get(ctx, realNode, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		quantity := node.Status.Allocatable[resource]
		return quantity.Value() == count, fmt.Errorf("it has %s", &quantity)
	})
}

func (s *stage) waitAllocatable(ctx context.Context, count int64) {
	s.Helper()
	if err := w.waitAllocatable(ctx, npu, count); err != nil {
		s.Fatal(err)
	}
}

// plimsoll runs the plugin of kubectl, as users do.
func (w *world) plimsoll(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(w.root, "bin", "kubectl-plimsoll"), append([]string{"--kubeconfig", w.Kubeconfig}, args...)...)
	var errOut strings.Builder
	cmd.Stderr = &errOut
	out, err := cmd.Output()
	if err != nil {
		return string(out), fmt.Errorf("kubectl plimsoll %s: %w: %s", strings.Join(args, " "), err, errOut.String())
	}
	return string(out), nil
}

// counted returns what Plimsoll counts on the real node.
func (w *world) counted(ctx context.Context) (status.Node, error) {
	out, err := w.plimsoll(ctx, "top", "nodes", "-o", "json")
	if err != nil {
		return status.Node{}, err
	}
	var nodes status.Nodes
	if err := json.Unmarshal([]byte(out), &nodes); err != nil {
		return status.Node{}, fmt.Errorf("%w in %s", err, out)
	}
	for _, node := range nodes.Nodes {
		if node.Name == realNode {
			return node, nil
		}
	}
	return status.Node{}, fmt.Errorf("Plimsoll does not know %s: %s", realNode, out)
}

// checkDevices checks that what containers see, what the kubelet says and what Plimsoll
// counts are the same devices. What one has heard and another has not may differ for a
// moment.
func (s *stage) checkDevices(ctx context.Context) {
	s.Helper()
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	s.wait(ctx, "containers, kubelet and Plimsoll to agree on devices", func(ctx context.Context) (bool, error) {
		err := w.compareDevices(ctx)
		return err == nil, err
	})
}

func (w *world) compareDevices(ctx context.Context) error {
	allocated, err := w.podResources(ctx)
	if err != nil {
		return err
	}
	pods, err := w.Clientset.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{FieldSelector: "spec.nodeName=" + realNode})
	if err != nil {
		return err
	}
	used := map[corev1.ResourceName]int64{}
	for i := range pods.Items {
		pod := &pods.Items[i]
		if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
			continue
		}
		for j := range pod.Spec.Containers {
			c := &pod.Spec.Containers[j]
			ids := allocated[pod.Namespace+"/"+pod.Name+"/"+c.Name]
			for _, kind := range []corev1.ResourceName{npu, link} {
				want := c.Resources.Limits[kind]
				if int64(len(ids[kind])) != want.Value() {
					return fmt.Errorf("container %s of %s/%s asks for %s of %s and has %v", c.Name, pod.Namespace, pod.Name, &want, kind, ids[kind])
				}
				used[kind] += want.Value()
			}
			if err := compareSeen(ctx, pod, j, ids); err != nil {
				return err
			}
		}
	}
	return w.compareCounted(ctx, used)
}

// compareSeen compares what a container sees with what the kubelet says that it has.
func compareSeen(ctx context.Context, pod *corev1.Pod, index int, ids map[corev1.ResourceName][]string) error {
	c := &pod.Spec.Containers[index]
	if c.Image != serverImage || !isReady(pod) {
		return nil
	}
	body, err := ask(ctx, http.MethodGet, pod.Status.PodIP, portOf(c), "/devices")
	if err != nil {
		return fmt.Errorf("container %s of %s/%s: %w", c.Name, pod.Namespace, pod.Name, err)
	}
	seen := map[string][]string{}
	if err := json.Unmarshal([]byte(body), &seen); err != nil {
		return err
	}
	if len(c.Resources.Claims) > 0 {
		return nil // what it sees has come by another way: see TestClaims
	}
	want := slices.Sorted(slices.Values(slices.Concat(slices.Collect(maps.Values(ids))...)))
	for _, way := range []string{"variables", "nodes", "mounts"} {
		if !slices.Equal(seen[way], want) {
			return fmt.Errorf("container %s of %s/%s has %v by the kubelet, and sees %s %v", c.Name, pod.Namespace, pod.Name, want, way, seen[way])
		}
	}
	return nil
}

// portOf is where the container's server listens.
func portOf(c *corev1.Container) int {
	for _, argument := range c.Args {
		if port, err := strconv.Atoi(strings.TrimPrefix(argument, "--listen=:")); err == nil {
			return port
		}
	}
	return firstPort
}

// compareCounted compares what Plimsoll counts with what is allocated and allocatable.
func (w *world) compareCounted(ctx context.Context, used map[corev1.ResourceName]int64) error {
	object, err := w.Clientset.CoreV1().Nodes().Get(ctx, realNode, metav1.GetOptions{})
	if err != nil {
		return err
	}
	counted, err := w.counted(ctx)
	if err != nil {
		return err
	}
	for _, kind := range []corev1.ResourceName{npu, link} {
		allocatable := object.Status.Allocatable[kind]
		var got status.Devices
		for _, devices := range counted.Devices {
			if devices.Resource == string(kind) {
				got = devices
			}
		}
		if got.Allocatable != allocatable.Value() || got.Used != used[kind] && got.Allocatable > 0 {
			return fmt.Errorf("Plimsoll counts %d of %d %s used, and %d of %s are", got.Used, got.Allocatable, kind, used[kind], &allocatable)
		}
	}
	return nil
}
