package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Devices is what a container sees of its devices, by each of the ways that device
// plugins have to give some: ids, sorted.
type Devices struct {
	// Variables are the values of environment variables that the flag --variables names.
	Variables []string `json:"variables"`
	// Nodes are device nodes: files in /dev whose names end in a number after a dash.
	Nodes []string `json:"nodes"`
	// Mounts are the folders in /run/devices whose file id has their name.
	Mounts []string `json:"mounts"`
}

func see(variables string) (d Devices) {
	for name := range strings.SplitSeq(variables, ",") {
		if value := os.Getenv(name); value != "" {
			d.Variables = append(d.Variables, strings.Split(value, ",")...)
		}
	}
	nodes, _ := filepath.Glob("/dev/*-[0-9]*") // the pattern is right
	for _, node := range nodes {
		d.Nodes = append(d.Nodes, filepath.Base(node))
	}
	mounts, _ := filepath.Glob("/run/devices/*/id")
	for _, file := range mounts {
		id, err := os.ReadFile(file)
		if name := filepath.Base(filepath.Dir(file)); err == nil && strings.TrimSpace(string(id)) == name {
			d.Mounts = append(d.Mounts, name)
		}
	}
	slices.Sort(d.Variables)
	slices.Sort(d.Nodes)
	slices.Sort(d.Mounts)
	return d
}
