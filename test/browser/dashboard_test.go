package browser

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll-scheduler/plimsoll/test/cluster"
)

const gpu = "nvidia.com/gpu"

// startScheduler starts a scheduler with the line at 75 % of CPU, which reads the metrics
// every 5 seconds.
func startScheduler(t *testing.T) *cluster.Scheduler {
	t.Helper()
	s, err := local.StartScheduler(t.Context(), cluster.SchedulerOptions{
		Program: program, Config: filepath.Join(root, "config", "plimsoll.yaml"), Args: []string{"--leader-elect=false"},
		Change: func(config map[string]any) {
			profile := config["profiles"].([]any)[0].(map[string]any)
			args := profile["pluginConfig"].([]any)[0].(map[string]any)["args"].(map[string]any)
			args["source"] = map[string]any{"interval": "5s", "timeout": "5s"}
			args["filter"] = map[string]any{"thresholds": map[string]any{"cpu": 75}}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// createNodes creates nodes of 10 cores with 8 GPUs that use so many cores, and waits
// until that is measured.
func createNodes(t *testing.T, uses map[string]string) {
	t.Helper()
	for name, cores := range uses {
		node := cluster.Node{Name: name, CPU: "10", Memory: "100Gi", Devices: map[string]string{gpu: "8"}}
		if err := local.CreateNodes(t.Context(), node); err != nil {
			t.Fatal(err)
		}
		if err := local.CreateLoadPod(t.Context(), cluster.LoadPod{Name: "load-" + name, Node: name, Usage: cluster.Usage{CPU: cores, Memory: "10Gi"}}); err != nil {
			t.Fatal(err)
		}
	}
	err := local.WaitNodeUsage(t.Context(), func(usage map[string]v1.ResourceList) bool {
		for name, cores := range uses {
			want, got := resource.MustParse(cores), usage[name][v1.ResourceCPU]
			if got.AsApproximateFloat64() < 0.9*want.AsApproximateFloat64() {
				return false
			}
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
}

// createPod creates a pod with a GPU that asks for so many cores.
func createPod(t *testing.T, name, cores string) *v1.Pod {
	t.Helper()
	pod := &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1.PodSpec{SchedulerName: "plimsoll", Containers: []v1.Container{{
			Name: "main", Image: "simulated",
			Resources: v1.ResourceRequirements{
				Requests: v1.ResourceList{v1.ResourceCPU: resource.MustParse(cores)},
				Limits:   v1.ResourceList{gpu: resource.MustParse("1")},
			},
		}}},
	}
	pod, err := local.Clientset.CoreV1().Pods("default").Create(t.Context(), pod, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return pod
}

func deletePod(t *testing.T, name string) {
	t.Helper()
	if err := local.Clientset.CoreV1().Pods("default").Delete(context.WithoutCancel(t.Context()), name, metav1.DeleteOptions{}); err != nil {
		t.Error(err)
	}
}

// The page of a scheduler on a real control plane: what it shows of nodes, pods and
// decisions, that it follows the load, and that it says so when the leader is gone.
func TestDashboard(t *testing.T) {
	createNodes(t, map[string]string{"hot": "9", "cool": "3", "warm": "3"})
	scheduler := startScheduler(t)
	createPod(t, "placed", "1")
	way := newProxy(t, "https://"+scheduler.DecisionsAddress())
	p := open(t, start(t, viewer(t), way.url()))

	p.shows("[data-name=hot]", "hot", "▲ over cpu", "90%")
	p.shows("#totals", "Over the line", gpu, "free", "stranded")
	p.shows("#decisions", "default/placed", "✓ placed on ", "of 3 considered", "NodeLoad", "DeviceFit", "to the line")
	if at := p.text("location.href"); strings.Contains(at, "token") {
		t.Errorf("the token stays in the address: %s", at)
	}

	createPod(t, "waiting", "7") // 3 measured, and the 5 that count of it, are more than 7.5
	p.shows("#waiting", "default/waiting", "3 node(s) over the cpu load line", "whose cpu has to fall by")
	p.shows("#waiting-heading", "Pods that wait: 1")
	p.until("document.querySelector('#news').textContent", contains("1 pod waits now, 0 before."))
	p.screenshot("light")
	p.scheme("dark")
	p.screenshot("dark")
	p.scheme("light")

	// One click from a pod to its why, and Esc back to where one was.
	p.do(chromedp.Click("#waiting [data-pod='default/waiting']"))
	p.shows("#details", "Pod default/waiting", "It waits for", "Nodes that were considered", "✕ node(s) over the cpu load line", "What would help", "the load of ")
	p.screenshot("why")
	p.keys(kb.Escape)
	p.until(textOf("#details"), equals(""))
	p.until(focused, equals("default/waiting"))

	node := p.text("/placed on (\\w+)/.exec(document.querySelector('#decisions').innerText)[1]")
	p.do(chromedp.Click("[data-name=" + node + "]"))
	p.shows("#details", "Node "+node, "Use against the line", "Devices", "default/placed")
	p.screenshot("node")
	p.keys(kb.Escape)

	// The load drops, and the page follows without being loaded anew.
	p.text("window.loadedOnce = true")
	for _, node := range []string{"hot", "cool", "warm"} {
		if err := local.SetUsage(t.Context(), "default", "load-"+node, cluster.Usage{CPU: "100m"}); err != nil {
			t.Fatal(err)
		}
	}
	p.until(textOf("[data-name=hot]"), func(text string) bool { return !strings.Contains(text, "over") && strings.Contains(text, "%") })
	p.shows("#waiting", "No pod waits.")
	p.shows("#decisions", "default/waiting")
	if p.text("window.loadedOnce") != "true" {
		t.Error("the page was loaded anew")
	}

	// The leader is gone: what is shown is marked as old, and the page comes back by itself.
	way.lead("")
	p.shows("#problem", "The leader cannot be asked; it is tried again")
	p.shows("#live", "Not live: as of")
	p.screenshot("stale")
	way.lead("https://" + scheduler.DecisionsAddress())
	p.until(textOf("#problem"), equals(""))
	p.shows("#live", "Live: 3 nodes")
}

func contains(part string) func(string) bool {
	return func(text string) bool { return strings.Contains(text, part) }
}

func equals(want string) func(string) bool {
	return func(text string) bool { return text == want }
}
