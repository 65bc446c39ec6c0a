package node

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll-scheduler/plimsoll/test/cluster"
)

func pauseArchive(t *testing.T) string {
	t.Helper()
	tools, err := defaultToolsDir()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(tools, "images", "pause.tar")
}

// Several nodes are part of one cluster at once, and each runs pods of its own.
func TestPodsRun(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	c, err := cluster.Start(ctx, cluster.Options{RealNodes: true, Log: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for i := range 2 {
		name := fmt.Sprintf("real-%d", i)
		n, err := Start(ctx, c, Options{Name: name, Images: []string{pauseArchive(t)}, Labels: map[string]string{"example.com/number": fmt.Sprint(i)}})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := n.Close(); err != nil {
				t.Error(err)
			}
		}()
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PodSpec{
			NodeSelector: map[string]string{"example.com/number": fmt.Sprint(i)},
			Containers:   []corev1.Container{{Name: "c", Image: PauseImage, ImagePullPolicy: corev1.PullNever}},
		}}
		if _, err := c.Clientset.CoreV1().Pods("default").Create(ctx, pod, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := cluster.WaitFor(ctx, "the pod to run", func(ctx context.Context) (bool, error) {
			p, err := c.Clientset.CoreV1().Pods("default").Get(ctx, name, metav1.GetOptions{})
			return err == nil && p.Status.Phase == corev1.PodRunning && p.Spec.NodeName == name, err
		}); err != nil {
			t.Error(n.explain(err))
		}
		object, err := c.Clientset.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
		if err != nil || !strings.HasPrefix(object.Status.NodeInfo.ContainerRuntimeVersion, "containerd://") {
			t.Errorf("the node is of no kubelet: %+v, %v", object.Status.NodeInfo, err)
		}
	}
}

// A program that does not start, and an image that there is none of, are told with
// what went wrong, and leave nothing behind.
func TestStartFails(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	c, err := cluster.Start(ctx, cluster.Options{RealNodes: true, Log: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	own := t.TempDir() // where no other test has nodes
	t.Setenv("TMPDIR", own)
	for want, options := range map[string]Options{
		"no-such-image.tar":           {Images: []string{"/no-such-image.tar"}},
		"imageGCHighThresholdPercent": {Images: []string{pauseArchive(t)}, KubeletConfig: map[string]any{"imageGCHighThresholdPercent": 400}},
	} {
		options.Name = "real-0"
		ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
		defer cancel()
		if n, err := Start(ctx, c, options); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("started %v: %v, want an error that has %q", n, err, want)
		}
	}
	if left, err := os.ReadDir(own); err != nil || len(left) > 0 {
		t.Errorf("%v, %v: want nothing to be left", left, err)
	}
}
