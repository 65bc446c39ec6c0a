package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// config is what machine.json has.
type config struct {
	// Name is the node's host name, and that of its control group.
	Name string `json:"name"`
	// Link is the name of this machine's end of the network link.
	Link string `json:"link"`
	// Gateway and Address are this machine's address and the node's on the link, in a
	// network of so many bits.
	Gateway string `json:"gateway"`
	Address string `json:"address"`
	Bits    int    `json:"bits"`
	// Pods are the addresses of the node's pods.
	Pods string `json:"pods"`
	// APIServer is where the API server listens on this machine, HOST:PORT, and so on
	// the node. On the node it does on Service, too, the address of the Service kubernetes.
	APIServer string `json:"apiServer"`
	Service   string `json:"service"`
	// Programs are what can be started, by name.
	Programs map[string]program `json:"programs"`
	// Path is where programs find others.
	Path string `json:"path"`

	dir string
}

// program is a command line.
type program struct {
	Command []string `json:"command"`
}

func read(dir string) (*config, error) {
	data, err := os.ReadFile(filepath.Join(dir, "machine.json"))
	if err != nil {
		return nil, err
	}
	c := &config{dir: dir}
	if err := json.Unmarshal(data, c); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, "machine.json"), err)
	}
	return c, nil
}

// socket is where the API server can be reached from the node's network.
func (c *config) socket() string { return filepath.Join(c.dir, "api.sock") }
