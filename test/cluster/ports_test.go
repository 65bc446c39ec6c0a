package cluster

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"testing"
	"time"
)

func TestBlockBelongsToOneCluster(t *testing.T) {
	t.Parallel()
	ports, err := reservePorts()
	if err != nil {
		t.Fatal(err)
	}
	base := ports.etcd - 1
	if _, err := reserveBlock(base); err == nil {
		t.Errorf("block %d was reserved twice", base)
	}
	ports.release()
	// A process that another test is just starting may hold it for a moment.
	err = WaitFor(t.Context(), "the block to be free", func(context.Context) (bool, error) {
		again, err := reserveBlock(base)
		if err != nil {
			return false, err
		}
		return true, again.Close()
	})
	if err != nil {
		t.Error(err)
	}
}

// Start makes another attempt only if it recognises the cause.
func TestTakenPortIsRecognised(t *testing.T) {
	t.Parallel()
	ports, err := reservePorts()
	if err != nil {
		t.Fatal(err)
	}
	defer ports.release()
	foreign, err := listen(ports.scheduler)
	if err != nil {
		t.Fatal(err)
	}
	defer foreign.Close()
	go func() {
		for {
			conn, err := foreign.Accept()
			if err != nil {
				return
			}
			_ = conn.Close()
		}
	}()
	tools, err := findTools(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	janitor, err := startJanitor(dir, ports.reservation)
	if err != nil {
		t.Fatal(err)
	}
	c := &Cluster{
		Name: "taken-port", Dir: dir, Kubeconfig: filepath.Join(dir, "kubeconfig"),
		opts: Options{Log: io.Discard, MetricResolution: 15 * time.Second}, tools: tools, janitor: janitor,
	}
	if err := c.explain(c.create(t.Context(), ports)); !errors.Is(err, errPortTaken) {
		t.Errorf("got error %v, want %v", err, errPortTaken)
	}
	if err := janitor.clean(); err != nil {
		t.Error(err)
	}
}
