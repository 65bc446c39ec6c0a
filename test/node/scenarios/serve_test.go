package scenarios

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
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
			already, _ := c.of(pod.Status.PodIP)
			s.wait(ctx, "answers from "+pod.Name, func(context.Context) (bool, error) {
				count, _ := c.of(pod.Status.PodIP)
				return count > already, nil
			})
		}
		c.end()
		c.check(s)
		s.checkDevices(ctx)
	})
}

// A server that hangs is restarted by its liveness probe, and gets no requests meanwhile.
func TestProbes(t *testing.T) {
	scenario(t, "examples/inference.yaml: a broken server is restarted with its device", func(ctx context.Context, s *stage) {
		s.apply(ctx, "inference.yaml", map[string]string{"inference": "--variables=EXAMPLE_COM_NPU"})
		pod := s.replicas(ctx, "inference", 2)[0]
		s.tell(ctx, &pod, "/break")
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
		// The client hears of it a moment late, so what counts is that it ends.
		s.wait(ctx, "requests to the pod to end", func(context.Context) (bool, error) {
			before, sum := c.of(bad.Status.PodIP)
			for {
				after, now := c.of(bad.Status.PodIP)
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
		for i := range pods.Items {
			pod := &pods.Items[i]
			sidecar, job := pod.Status.InitContainerStatuses[0].State.Terminated, pod.Status.ContainerStatuses[0].State.Terminated
			if pod.Status.Phase != corev1.PodSucceeded || sidecar == nil || job == nil || sidecar.FinishedAt.Before(&job.FinishedAt) {
				t.Errorf("%s is %s: the sidecar ended %+v, the job %+v", pod.Name, pod.Status.Phase, sidecar, job)
			}
		}
	})
}
