package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// measureGo runs the Go benchmarks of what is done for every node, and returns
// benchstat's summary of them.
func measureGo(ctx context.Context, opts *options, work string) (summary string, err error) {
	fmt.Println("running the Go benchmarks")
	text, err := output(ctx, opts.root, "go", "test", "-run=^$", "-bench=.", "-benchmem", "-benchtime=500ms",
		fmt.Sprintf("-count=%d", opts.count), "./pkg/load", "./pkg/plugins/...")
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, text)
	}
	file := filepath.Join(work, "go.txt") // for benchstat, also with that of another version
	if err := os.WriteFile(file, []byte(text+"\n"), 0o600); err != nil {
		return "", err
	}
	return output(ctx, opts.root, "go", "tool", "-modfile=go.tools.mod", "benchstat", file)
}
