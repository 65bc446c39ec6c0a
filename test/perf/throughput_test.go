package main

import (
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

// What "make bench" runs for half an hour does measure, with etcd, an API server and both
// schedulers; here on a few nodes.
func TestRunMeasures(t *testing.T) {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	opts := &options{root: root, rounds: 1, nodes: 20, only: regexp.MustCompile("^Mixed/" + recommended + "$")}
	measured, err := measureThroughput(t.Context(), opts, t.TempDir(), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	pairs := measured["Mixed"][recommended]
	if len(pairs) != 1 {
		t.Fatalf("measured %+v, want one run", measured)
	}
	for name, got := range map[string]result{"Plimsoll": pairs[0].Contender, "stock": pairs[0].Stock} {
		// The first pod starts the clock, and each takes a request to be bound.
		if pods := opts.nodes - 1; got.Pods != pods || got.Seconds <= 0 || got.CPUSeconds <= 0 || got.AllocatedBytes <= 0 ||
			got.Filtered < float64(pods) || got.Requests < float64(pods) {
			t.Errorf("%s: %+v, want %d pods, and what each took", name, got, pods)
		}
	}
}
