package main

import "path/filepath"

// contender is a scheduler profile that is measured.
type contender struct {
	Name string
	// args are the flags of the benchmark that choose it.
	args []string
}

// The contenders that others are compared with.
const (
	stock         = "stock"
	unconstrained = "stock without default constraints"
	recommended   = "Plimsoll"
	batch         = "Plimsoll batch"
	trimaran      = "Trimaran"
)

// contenders returns all of them, in the order of the table.
func contenders(root string) []contender {
	of := func(name, file, profile string, more ...string) contender {
		return contender{Name: name, args: append([]string{"-config", filepath.Join(root, "config", file), "-profile", profile}, more...)}
	}
	return []contender{
		of(stock, "compare.yaml", "stock"),
		of(unconstrained, "compare.yaml", "stock", "-no-default-constraints"),
		of(recommended, "plimsoll.yaml", "plimsoll"),
		of(batch, "batch.yaml", "plimsoll"),
		of(trimaran, "compare.yaml", "trimaran"),
	}
}

// workloads are the benchmark's names of them.
func workloads() []string { return []string{"Identical", "Mixed"} }
