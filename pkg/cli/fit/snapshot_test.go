package fit

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const nodes = `{"apiVersion": "v1", "kind": "NodeList", "items": [{"metadata": {"name": "n", "uid": "n", "labels": {"kubernetes.io/hostname": "n"}},
"status": {"allocatable": {"cpu": "10", "memory": "100Gi", "pods": "110"}, "capacity": {"cpu": "10", "memory": "100Gi", "pods": "110"}, "conditions": [{"type": "Ready", "status": "True"}]}}]}`

const pods = `{"apiVersion": "v1", "kind": "PodList", "items": [{"metadata": {"namespace": "default", "name": "runs", "uid": "runs"},
"spec": {"nodeName": "n", "containers": [{"name": "c", "resources": {"requests": {"cpu": "1"}}}]}, "status": {"phase": "Running"}}]}`

const metrics = `{"apiVersion": "metrics.k8s.io/v1beta1", "kind": "NodeMetricsList", "items": [{"metadata": {"name": "n"}, "timestamp": "2026-01-01T00:00:00Z", "window": "15s", "usage": {"cpu": "1", "memory": "1Gi"}}]}`

// snapshot writes files to a directory.
func snapshot(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func whole() map[string]string {
	return map[string]string{"nodes.json": nodes, "pods.json": pods, "nodemetrics.json": metrics}
}

func run(t *testing.T, manifest string, args ...string) (string, error) {
	t.Helper()
	cmd := NewCommand()
	var out bytes.Buffer
	cmd.SetIn(strings.NewReader(manifest))
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetArgs(append([]string{"-f", "-"}, args...))
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

const plain = `{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {schedulerName: plimsoll, containers: [{name: c, image: i, resources: {requests: {cpu: "1"}}}]}}`

func TestOnASnapshot(t *testing.T) {
	dir := snapshot(t, whole())
	if out, err := run(t, plain, "--snapshot", dir, "--replicas", "2"); err != nil || !strings.Contains(out, "2 of 2 fit.") || strings.Contains(out, "Note:") {
		t.Errorf("%v: %s", err, out)
	}
	if out, err := run(t, plain, "--snapshot", dir, "--replicas", "50"); err == nil || !strings.Contains(err.Error(), "of 50 fit") || !strings.Contains(out, "over the cpu load line") {
		t.Errorf("not all fit, and the exit status is to say so: %v: %s", err, out)
	}
}

// What a snapshot does not have is said, and not taken for nothing.
func TestWhatASnapshotLacksIsSaid(t *testing.T) {
	const head = `{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {schedulerName: plimsoll, `
	dir := snapshot(t, whole())
	for want, manifest := range map[string]string{
		"the pod has persistent volumes: they are not looked at, because a snapshot has none, and may rule out nodes": head +
			`volumes: [{name: v, persistentVolumeClaim: {claimName: c}}], containers: [{name: c, image: i, volumeMounts: [{name: v, mountPath: /v}]}]}}`,
		"the pod has resource claims: they are not looked at, because a snapshot has none, and may rule out nodes": head +
			`resourceClaims: [{name: r, resourceClaimName: r}], containers: [{name: c, image: i, resources: {claims: [{name: r}]}}]}}`,
		"no node of the snapshot offers example.com/fast: if that is of a device class": head +
			`containers: [{name: c, image: i, resources: {requests: {example.com/fast: "1"}, limits: {example.com/fast: "1"}}}]}}`,
		"the pod has persistent volumes": `{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: s}, spec: {template: {spec: {schedulerName: plimsoll, containers: [{name: c, image: i}]}},
volumeClaimTemplates: [{metadata: {name: data}, spec: {}}]}}`,
	} {
		if out, _ := run(t, manifest, "--snapshot", dir); !strings.Contains(out, "Note: "+want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
}

func TestBrokenSnapshots(t *testing.T) {
	for name, test := range map[string]struct {
		change func(map[string]string)
		want   string
	}{
		"cut off":  {func(f map[string]string) { f["nodes.json"] = f["nodes.json"][:100] }, "nodes.json"},
		"no nodes": {func(f map[string]string) { delete(f, "nodes.json") }, "nodes"},
		"no JSON":  {func(f map[string]string) { f["pods.json"] = "\x00\x01" }, "pods.json"},
	} {
		files := whole()
		test.change(files)
		if out, err := run(t, plain, "--snapshot", snapshot(t, files)); err == nil || !strings.Contains(err.Error(), "--snapshot") || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v: %s", name, err, out)
		}
	}
	if _, err := run(t, plain, "--snapshot", "/no/such"); err == nil || !strings.Contains(err.Error(), "/no/such") {
		t.Error(err)
	}
}
