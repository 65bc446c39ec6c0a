package scenarios

import (
	"context"
	"strings"
	"testing"
)

// The way of a device, step by step, with what each part says of it.
func TestFiveSteps(t *testing.T) {
	scenario(t, "five steps: register, report, schedule, allocate, run", func(ctx context.Context, s *stage) {
		tell := func(step string, lines string, err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s\n%s", step, strings.TrimSpace(lines))
		}
		plugin := s.plugin(ctx)
		out, err := w.Kubectl(ctx, "--namespace", "kube-system", "logs", plugin.Name)
		tell("1. The device plugin registers with the kubelet:", out, err)
		out, err = w.Kubectl(ctx, "get", "node", realNode, "-o", "jsonpath={.status.allocatable}")
		tell("2. The kubelet reports its devices:", out, err)
		s.start(ctx, on(s.pod("p", container{npu: 2, link: 1}, container{npu: 1}, container{}), realNode))
		out, err = w.plimsoll(ctx, "why", "--namespace", s.namespace, "p")
		tell("3. Plimsoll places a pod that asks for some:", out, err)
		out, err = w.Kubectl(ctx, "--namespace", "kube-system", "logs", plugin.Name, "--since", "1m")
		tell("4. The kubelet has the plugin allocate them:", out, err)
		for i, port := range []int{firstPort, firstPort + 1, firstPort + 2} {
			out, err = ask(ctx, "GET", s.get(ctx, "p").Status.PodIP, port, "/devices")
			tell("5. Container "+string(rune('0'+i))+" sees its devices:", out, err)
		}
		s.checkDevices(ctx)
	})
}
