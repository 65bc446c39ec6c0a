package scenarios

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// apply applies an example as it is, but for its images, of which the test's server takes
// the place with the arguments.
func (s *stage) apply(ctx context.Context, example string, args map[string]string) {
	s.Helper()
	content, err := os.ReadFile(filepath.Join(w.root, "examples", example))
	if err != nil {
		s.Fatal(err)
	}
	manifest := string(content)
	for image, argument := range args {
		line := "image: registry.example.com/team/" + image + ":v1\n"
		if !strings.Contains(manifest, line) {
			s.Fatalf("%s has no %q", example, line)
		}
		manifest = strings.ReplaceAll(manifest, line, fmt.Sprintf("image: %s\n        imagePullPolicy: Never\n        args: [%s]\n", serverImage, argument))
	}
	file := filepath.Join(s.TempDir(), example)
	if err := os.WriteFile(file, []byte(manifest), 0o600); err != nil {
		s.Fatal(err)
	}
	if _, err := w.Kubectl(ctx, "--namespace", s.namespace, "apply", "-f", file); err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { // what is in no namespace
		if _, err := w.Kubectl(context.Background(), "delete", "priorityclass", strings.TrimSuffix(example, ".yaml")); err != nil {
			s.Error(err)
		}
	})
}

// client sends one request after the other to the addresses that a Service's
// EndpointSlices have, as an ingress controller does: it hears of a change a moment late.
type client struct {
	mu        sync.Mutex
	addresses []string
	answers   map[string]int // how many, by address
	failures  []string
	stop      context.CancelFunc
	done      sync.WaitGroup
}

func (s *stage) client(ctx context.Context, service string) *client {
	s.Helper()
	ctx, stop := context.WithCancel(ctx)
	c := &client{answers: map[string]int{}, stop: stop}
	watcher, err := w.Clientset.DiscoveryV1().EndpointSlices(s.namespace).Watch(ctx, metav1.ListOptions{
		LabelSelector: discoveryv1.LabelServiceName + "=" + service,
	})
	if err != nil {
		s.Fatal(err)
	}
	c.done.Go(func() {
		for event := range watcher.ResultChan() {
			c.take(event)
		}
	})
	for range 4 {
		c.done.Go(func() { c.request(ctx) })
	}
	s.Cleanup(c.end)
	return c
}

func (c *client) take(event watch.Event) {
	slice, ok := event.Object.(*discoveryv1.EndpointSlice)
	if !ok {
		return
	}
	var addresses []string
	for _, endpoint := range slice.Endpoints {
		if endpoint.Conditions.Ready != nil && *endpoint.Conditions.Ready {
			addresses = append(addresses, endpoint.Addresses...)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.addresses = addresses
}

func (c *client) request(ctx context.Context) {
	transport := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for i := 0; ctx.Err() == nil; i++ {
		c.mu.Lock()
		address := ""
		if len(c.addresses) > 0 {
			address = c.addresses[i%len(c.addresses)]
		}
		c.mu.Unlock()
		if address == "" {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		response, err := transport.Get(fmt.Sprintf("http://%s:%d/", address, firstPort))
		if err == nil {
			_ = response.Body.Close()
			if response.StatusCode != http.StatusOK {
				err = fmt.Errorf("%s", response.Status)
			}
		}
		c.mu.Lock()
		if err != nil {
			c.failures = append(c.failures, fmt.Sprintf("%v: %v", time.Now().Format("15:04:05.000"), err))
		} else {
			c.answers[address]++
		}
		c.mu.Unlock()
		time.Sleep(5 * time.Millisecond) // the pace of a client
	}
}

// end stops the client.
func (c *client) end() {
	c.stop()
	c.done.Wait()
}

// of returns how many answers came from the address so far, and how many in all.
func (c *client) of(address string) (count, sum int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range c.answers {
		sum += n
	}
	return c.answers[address], sum
}

func (c *client) check(s *stage) {
	s.Helper()
	_, sum := c.of("")
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.failures) > 0 || sum < 100 {
		s.Errorf("%d requests failed, %d were answered: %v", len(c.failures), sum, c.failures[:min(len(c.failures), 5)])
	}
	s.Logf("%d requests answered by %d pods, %d failed", sum, len(c.answers), len(c.failures))
}

// No request is lost in a rolling update, nor is one sent before a replica is ready.
func TestRollingUpdate(t *testing.T) {
	scenario(t, "examples/inference.yaml: a rolling update, no request lost", func(ctx context.Context, s *stage) {
		s.apply(ctx, "inference.yaml", map[string]string{"inference": "--start=3s, --drain=1s, --work=20ms, --variables=EXAMPLE_COM_NPU"})
		before := s.replicas(ctx, "inference", 2)
		c := s.client(ctx, "inference")
		s.wait(ctx, "the first answers", func(context.Context) (bool, error) {
			_, sum := c.of("")
			return sum > 100, fmt.Errorf("%d", sum)
		})
		for _, args := range [][]string{{"restart"}, {"status", "--timeout", "2m"}} {
			if _, err := w.Kubectl(ctx, append([]string{"--namespace", s.namespace, "rollout", args[0], "deployment/inference"}, args[1:]...)...); err != nil {
				t.Fatal(err)
			}
		}
		after := s.replicas(ctx, "inference", 2)
		for _, pod := range after {
			if pod.UID == before[0].UID || pod.UID == before[1].UID {
				t.Errorf("%s was not replaced", pod.Name)
			}
		}
		s.answers(ctx, c, after...)
		c.end()
		c.check(s)
		s.checkDevices(ctx)
	})
}

// A server that takes longer to start than its liveness probe would bear is not restarted
// for that, and gets no request before.
func TestSlowStart(t *testing.T) {
	scenario(t, "examples/inference.yaml: a slow start is waited for", func(ctx context.Context, s *stage) {
		const start = 45 * time.Second // the liveness probe fails after 30 at most
		s.apply(ctx, "inference.yaml", map[string]string{"inference": fmt.Sprintf("--start=%v, --variables=EXAMPLE_COM_NPU", start)})
		c := s.client(ctx, "inference")
		pods := s.replicas(ctx, "inference", 2)
		s.answers(ctx, c, pods...)
		c.end()
		c.check(s)
		for i := range pods {
			status := pods[i].Status.ContainerStatuses[0]
			if status.RestartCount > 0 {
				t.Errorf("%s was restarted: %+v", pods[i].Name, status.LastTerminationState)
			}
			for _, condition := range pods[i].Status.Conditions {
				after := condition.LastTransitionTime.Sub(status.State.Running.StartedAt.Time)
				if condition.Type == corev1.PodReady && after < start-time.Second { // both are whole seconds
					t.Errorf("%s was ready after %v, and takes %v to start", pods[i].Name, after, start)
				}
			}
		}
	})
}

// answers waits until the client gets answers from each of the pods, from now on.
func (s *stage) answers(ctx context.Context, c *client, pods ...corev1.Pod) {
	s.Helper()
	for i := range pods {
		already, _ := c.of(pods[i].Status.PodIP)
		s.wait(ctx, "answers from "+pods[i].Name, func(context.Context) (bool, error) {
			count, _ := c.of(pods[i].Status.PodIP)
			return count > already, nil
		})
	}
}

// silence waits until the client asks the pod no more. It hears of changes a moment late,
// so what counts is that it ends, for as long as it takes to send 200 requests elsewhere.
func (s *stage) silence(ctx context.Context, c *client, pod *corev1.Pod) {
	s.Helper()
	s.wait(ctx, "requests to "+pod.Name+" to end", func(ctx context.Context) (bool, error) {
		before, sum := c.of(pod.Status.PodIP)
		for {
			after, now := c.of(pod.Status.PodIP)
			if after != before || now > sum+200 {
				return after == before, fmt.Errorf("%d answers, then %d", before, after)
			}
			select {
			case <-ctx.Done():
				return false, ctx.Err()
			case <-time.After(10 * time.Millisecond):
			}
		}
	})
}

// A server that is not ready gets no requests and is left alone; one that hangs is
// restarted, and has its device again.
func TestProbes(t *testing.T) {
	scenario(t, "examples/inference.yaml: not ready, no requests; a hung server is restarted", func(ctx context.Context, s *stage) {
		s.apply(ctx, "inference.yaml", map[string]string{"inference": "--variables=EXAMPLE_COM_NPU"})
		pods := s.replicas(ctx, "inference", 2)
		pod := &pods[0]
		c := s.client(ctx, "inference")
		s.answers(ctx, c, pods...)
		s.tell(ctx, pod, "/ready?value=false")
		s.silence(ctx, c, pod)
		if restarts := s.get(ctx, pod.Name).Status.ContainerStatuses[0].RestartCount; restarts != 0 {
			t.Errorf("it was restarted %d times for not being ready", restarts)
		}
		s.tell(ctx, pod, "/ready?value=true")
		s.answers(ctx, c, pods...)
		c.end()
		c.check(s)
		s.tell(ctx, pod, "/break")
		s.wait(ctx, "the server to be restarted", func(ctx context.Context) (bool, error) {
			status := s.get(ctx, pod.Name).Status.ContainerStatuses[0]
			return status.RestartCount == 1 && status.Ready, fmt.Errorf("%+v", status)
		})
		s.checkDevices(ctx)
	})
}

// A bad pod is taken out of service: requests stop, another takes its place, and it keeps
// its device.
func TestIsolate(t *testing.T) {
	scenario(t, "a bad pod is isolated: no more requests, a replacement, the device counted", func(ctx context.Context, s *stage) {
		s.apply(ctx, "inference.yaml", map[string]string{"inference": "--variables=EXAMPLE_COM_NPU"})
		bad := s.replicas(ctx, "inference", 2)[0]
		c := s.client(ctx, "inference")
		s.wait(ctx, "answers from the pod", func(context.Context) (bool, error) {
			count, _ := c.of(bad.Status.PodIP)
			return count > 10, nil
		})
		if out, err := w.plimsoll(ctx, "isolate", "--namespace", s.namespace, bad.Name, "--reason", "answers are wrong"); err != nil {
			t.Fatal(err, out)
		}
		replacements := s.replicas(ctx, "inference", 2)
		s.silence(ctx, c, &bad)
		s.answers(ctx, c, replacements...)
		c.end()
		c.check(s)
		for _, pod := range replacements {
			if pod.UID == bad.UID {
				t.Error("the isolated pod is still one of the replicas")
			}
		}
		if kept := s.get(ctx, bad.Name); !isReady(kept) || kept.Spec.NodeName != realNode {
			t.Errorf("the isolated pod does not run on: %+v", kept.Status)
		}
		s.checkDevices(ctx) // three pods have one each
	})
}

// A job ends although its sidecar would go on for ever, and gives its device back.
func TestBatch(t *testing.T) {
	scenario(t, "examples/batch.yaml: the job ends, its sidecar after it", func(ctx context.Context, s *stage) {
		s.apply(ctx, "batch.yaml", map[string]string{"logs": "--listen=:8081", "job": "--for=3s, --variables=EXAMPLE_COM_NPU"})
		if _, err := w.Kubectl(ctx, "--namespace", s.namespace, "wait", "--for", "condition=Complete", "job/batch", "--timeout", "60s"); err != nil {
			t.Fatal(err)
		}
		pods, err := w.Clientset.CoreV1().Pods(s.namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if len(pods.Items) != 2 {
			t.Errorf("%d pods, want one for each of 2 completions", len(pods.Items))
		}
		for i := range pods.Items {
			pod := &pods.Items[i]
			sidecar, job := pod.Status.InitContainerStatuses[0].State.Terminated, pod.Status.ContainerStatuses[0].State.Terminated
			if pod.Status.Phase != corev1.PodSucceeded || sidecar == nil || job == nil || sidecar.FinishedAt.Before(&job.FinishedAt) {
				t.Errorf("%s is %s: the sidecar ended %+v, the job %+v", pod.Name, pod.Status.Phase, sidecar, job)
			}
		}
	})
}

// A job gives a device up to a service that is more urgent, for which it is not blamed,
// and has it again when it is free: work that was interrupted does not count as done.
func TestTrough(t *testing.T) {
	scenario(t, "examples: the job gives way to the service, and goes on after it", func(ctx context.Context, s *stage) {
		s.apply(ctx, "batch.yaml", map[string]string{"logs": "--listen=:8081", "job": "--for=1h, --variables=EXAMPLE_COM_NPU"})
		before := s.jobs(ctx, 2)
		s.apply(ctx, "inference.yaml", map[string]string{"inference": "--variables=EXAMPLE_COM_NPU"})
		s.replicas(ctx, "inference", 2) // now all 4 devices are used
		s.scale(ctx, 3)
		s.replicas(ctx, "inference", 3)
		kept := s.jobs(ctx, 1)[0]
		if kept.UID != before[0].UID && kept.UID != before[1].UID {
			t.Errorf("%s was not there before, so both were interrupted for one device", kept.Name)
		}
		s.wait(ctx, "the interrupted pod to be made again, and to wait", func(ctx context.Context) (bool, error) {
			pods, err := s.jobPods(ctx)
			if err != nil {
				return false, err
			}
			waiting := slices.ContainsFunc(pods, func(pod corev1.Pod) bool { return pod.Status.Phase == corev1.PodPending && pod.Spec.NodeName == "" })
			return waiting, fmt.Errorf("there are %d", len(pods))
		})
		s.checkDevices(ctx)
		s.scale(ctx, 2)
		s.jobs(ctx, 2)
		job, err := w.Clientset.BatchV1().Jobs(s.namespace).Get(ctx, "batch", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if job.Status.Succeeded != 0 || job.Status.Failed != 0 || len(job.Status.Conditions) > 0 {
			t.Errorf("the job counts what was interrupted: %+v", job.Status)
		}
	})
}

// scale sets how many replicas the example's service has.
func (s *stage) scale(ctx context.Context, replicas int) {
	s.Helper()
	if _, err := w.Kubectl(ctx, "--namespace", s.namespace, "scale", "deployment/inference", fmt.Sprintf("--replicas=%d", replicas)); err != nil {
		s.Fatal(err)
	}
}

func (s *stage) jobPods(ctx context.Context) ([]corev1.Pod, error) {
	list, err := w.Clientset.CoreV1().Pods(s.namespace).List(ctx, metav1.ListOptions{LabelSelector: "batch.kubernetes.io/job-name=batch"})
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}

// jobs waits until so many of the example's job's pods run and are to go on, and returns them.
func (s *stage) jobs(ctx context.Context, count int) (running []corev1.Pod) {
	s.Helper()
	s.wait(ctx, fmt.Sprintf("%d pods of the job to run", count), func(ctx context.Context) (bool, error) {
		pods, err := s.jobPods(ctx)
		if err != nil {
			return false, err
		}
		running = slices.DeleteFunc(pods, func(pod corev1.Pod) bool { return pod.DeletionTimestamp != nil || !isReady(&pod) })
		return len(running) == count, fmt.Errorf("%d do", len(running))
	})
	return running
}
