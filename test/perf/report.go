package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

// throughputReport returns what was measured, in Markdown.
func throughputReport(m measurements) string {
	var b strings.Builder
	b.WriteString("The median of the runs, and in brackets the least and the greatest; of what was done a pod, in brackets what stock did.\n")
	for _, workload := range workloads() {
		fmt.Fprintf(&b, "\n**%s pods**\n\n| profile | CPU a pod, to stock | pods/s, to stock | CPU a pod | nodes filtered | allocated | API requests | runs |\n|---|---|---|---|---|---|---|---|\n", workload)
		for _, c := range contenders("") {
			cpus := m.of(workload, c.Name, func(p pairing) float64 { return 1000 * p.Contender.cpu() })
			if len(cpus) == 0 {
				fmt.Fprintf(&b, "| %s | %s | | | | | | 0 |\n", c.Name, notMeasured)
				continue
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %.2f ms | %s | %s | %s | %d |\n", c.Name,
				spread(m.cpuRatios(workload, c.Name)), spread(m.throughputRatios(workload, c.Name)), median(cpus),
				m.work(workload, c.Name, "%.0f (%.0f)", func(r result) float64 { return r.Filtered }),
				m.work(workload, c.Name, "%.2f (%.2f) MiB", func(r result) float64 { return r.AllocatedBytes / (1 << 20) }),
				m.work(workload, c.Name, "%.1f (%.1f)", func(r result) float64 { return r.Requests }), len(cpus))
		}
	}
	b.WriteString("\n| goal | wanted | measured | |\n|---|---|---|---|\n")
	for _, g := range goals() {
		g.write(&b, m)
	}
	return b.String()
}

// work returns in a format how much of something was done a pod, and what stock did.
func (m measurements) work(workload, name, format string, of func(result) float64) string {
	own := m.of(workload, name, func(p pairing) float64 { return of(p.Contender) / float64(p.Contender.Pods) })
	stock := m.of(workload, name, func(p pairing) float64 { return of(p.Stock) / float64(p.Stock.Pods) })
	return fmt.Sprintf(format, median(own), median(stock))
}

func (m measurements) cpuRatios(workload, name string) []float64 {
	return m.of(workload, name, func(p pairing) float64 { return p.ratio(result.cpu) })
}

func (m measurements) throughputRatios(workload, name string) []float64 {
	return m.of(workload, name, func(p pairing) float64 { return p.ratio(result.throughput) })
}

// goal is a ratio to stock that is to be reached.
type goal struct {
	workload, of string
	// most is the most CPU a pod, and least the least throughput; 0 is no goal.
	most, least float64
}

func goals() []goal {
	return []goal{
		{workload: "Identical", of: recommended, most: 1.05},
		{workload: "Mixed", of: recommended, most: 1.05},
		{workload: "Identical", of: recommended, least: 0.95},
		{workload: "Mixed", of: recommended, least: 0.95},
		{workload: "Identical", of: batch, least: 1.2},
	}
}

func (g goal) write(b *strings.Builder, m measurements) {
	what, wanted, got := "CPU a pod", fmt.Sprintf("at most %.2f", g.most), m.cpuRatios(g.workload, g.of)
	isReached := func(ratio float64) bool { return ratio <= g.most }
	if g.least > 0 {
		what, wanted, got = "pods/s", fmt.Sprintf("at least %.2f", g.least), m.throughputRatios(g.workload, g.of)
		isReached = func(ratio float64) bool { return ratio >= g.least }
	}
	measured, verdict := notMeasured, ""
	if len(got) > 0 {
		measured, verdict = spread(got), "**missed**"
		if isReached(median(got)) {
			verdict = "reached"
		}
	}
	fmt.Fprintf(b, "| %s to stock, %s pods: %s | %s | %s | %s |\n", g.of, strings.ToLower(g.workload), what, wanted, measured, verdict)
}

// notMeasured stands where there was no time for a run.
const notMeasured = "not measured"

// describe says under which conditions was measured, in Markdown.
func describe(ctx context.Context, opts *options) (string, error) {
	kubernetes, err := output(ctx, opts.root, "go", "list", "-m", "-f", "{{.Version}}", "k8s.io/kubernetes")
	if err != nil {
		return "", err
	}
	commit, err := output(ctx, opts.root, "git", "describe", "--tags", "--always", "--dirty")
	if err != nil {
		commit = "unknown" // as in an archive of the source
	}
	return fmt.Sprintf("Measured on %s by `make bench ROUNDS=%d COUNT=%d WITHIN=%v` with %s, Kubernetes %s, Plimsoll %s, on %d cores%s.\n",
		time.Now().UTC().Format(time.DateOnly), opts.rounds, opts.count, opts.within, runtime.Version(), kubernetes, commit, runtime.NumCPU(), cpuModel()), nil
}

// cpuModel returns the name of the processor in brackets, where Linux tells it.
func cpuModel() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	lines := strings.Split(string(text), "\n")
	i := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, "model name") })
	if i < 0 {
		return ""
	}
	_, name, _ := strings.Cut(lines[i], ":")
	return " (" + strings.TrimSpace(name) + ")"
}

// output runs a command and returns what it prints.
func output(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w", strings.Join(cmd.Args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}
