package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

// throughputReport returns what the rounds say, in Markdown.
func throughputReport(rounds []round) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d round(s); the median, and in brackets the least and the greatest of a round.\n", len(rounds))
	for _, workload := range workloads() {
		fmt.Fprintf(&b, "\n**%s pods**\n\n| profile | pods/s | to stock | CPU a pod | CPU to stock |\n|---|---|---|---|---|\n", workload)
		for _, c := range contenders("") {
			throughputs, cpus := each(rounds, workload, c.Name, result.throughput), each(rounds, workload, c.Name, result.cpu)
			fmt.Fprintf(&b, "| %s | %.0f | %s | %.2f ms | %s |\n", c.Name,
				median(throughputs), spread(ratios(rounds, workload, c.Name, stock, result.throughput)),
				1000*median(cpus), spread(ratios(rounds, workload, c.Name, stock, result.cpu)))
		}
	}
	b.WriteString("\n| goal | wanted | measured | |\n|---|---|---|---|\n")
	for _, g := range goals() {
		g.write(&b, rounds)
	}
	b.WriteString("\n**What recording decisions costs** (geometric mean and 95 % confidence interval over all runs of both workloads)\n\n| | CPU a pod, on to off | pods/s, on to off |\n|---|---|---|\n")
	for _, pair := range [][2]string{{recommended, unexplained}, {batch, batchForgetful}} {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", pair[0], interval(paired(rounds, pair, result.cpu)), interval(paired(rounds, pair, result.throughput)))
	}
	return b.String()
}

func each(rounds []round, workload, name string, measure func(result) float64) []float64 {
	var values []float64
	for _, r := range rounds {
		values = append(values, measure(r[workload][name]))
	}
	return values
}

// paired returns the ratios of a pair in all rounds and workloads.
func paired(rounds []round, pair [2]string, measure func(result) float64) []float64 {
	var values []float64
	for _, workload := range workloads() {
		values = append(values, ratios(rounds, workload, pair[0], pair[1], measure)...)
	}
	return values
}

func interval(values []float64) string {
	mean, low, high := confidence(values)
	if math.IsNaN(low) {
		return fmt.Sprintf("%.3f", mean)
	}
	return fmt.Sprintf("%.3f (%.3f to %.3f)", mean, low, high)
}

// goal is a ratio of throughputs that is to be reached.
type goal struct {
	workload, of, to string
	ratio            float64
}

func goals() []goal {
	return []goal{
		{"Identical", recommended, stock, 0.95},
		{"Mixed", recommended, stock, 0.95},
		{"Identical", batch, stock, 1.2},
		{"Identical", batch, unconstrained, 0.95},
		{"Mixed", batch, unconstrained, 0.9},
	}
}

func (g goal) write(b *strings.Builder, rounds []round) {
	got := ratios(rounds, g.workload, g.of, g.to, result.throughput)
	verdict := "reached"
	if median(got) < g.ratio {
		verdict = "**missed**"
	}
	fmt.Fprintf(b, "| %s to %s, %s pods | %.2f | %s | %s |\n", g.of, g.to, strings.ToLower(g.workload), g.ratio, spread(got), verdict)
}

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
	return fmt.Sprintf("Measured on %s by `make bench ROUNDS=%d COUNT=%d` with %s, Kubernetes %s, Plimsoll %s, on %d cores%s.\n",
		time.Now().UTC().Format(time.DateOnly), opts.rounds, opts.count, runtime.Version(), kubernetes, commit, runtime.NumCPU(), cpuModel()), nil
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
