package node

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll-scheduler/plimsoll/test/cluster"
)

func TestPodRuns(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	c, err := cluster.Start(ctx, cluster.Options{RealNodes: true, Log: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	begin := time.Now()
	tools, err := defaultToolsDir()
	if err != nil {
		t.Fatal(err)
	}
	n, err := Start(ctx, c, Options{Name: "real-0", Images: []string{filepath.Join(tools, "images", "pause.tar")}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}()
	t.Logf("ready after %v", time.Since(begin))
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Spec: corev1.PodSpec{
		NodeName:   "real-0",
		Containers: []corev1.Container{{Name: "c", Image: PauseImage, ImagePullPolicy: corev1.PullNever}},
	}}
	if _, err := c.Clientset.CoreV1().Pods("default").Create(ctx, pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := cluster.WaitFor(ctx, "the pod to run", func(ctx context.Context) (bool, error) {
		p, err := c.Clientset.CoreV1().Pods("default").Get(ctx, "p", metav1.GetOptions{})
		return err == nil && p.Status.Phase == corev1.PodRunning, err
	}); err != nil {
		t.Error(n.explain(err))
	}
	if node, err := c.Clientset.CoreV1().Nodes().Get(ctx, "real-0", metav1.GetOptions{}); err != nil || !strings.HasPrefix(node.Status.NodeInfo.ContainerRuntimeVersion, "containerd://") || node.Status.NodeInfo.BootID == "" {
		t.Errorf("the node is of no kubelet: %+v, %v", node.Status.NodeInfo, err)
	}
	t.Logf("running after %v", time.Since(begin))
}
