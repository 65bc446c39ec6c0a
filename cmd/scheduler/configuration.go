package main

import (
	"os"

	"k8s.io/kubernetes/cmd/kube-scheduler/app/options"

	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/configfile"
)

// decodeProfiles returns the profiles of the configuration file, and its content;
// neither if there is no file.
func decodeProfiles(opts *options.Options) (config.Profiles, []byte, error) {
	if opts.ConfigFile == "" {
		return nil, nil, nil
	}
	fail := func(faults ...error) error { return &configfile.Error{File: opts.ConfigFile, Faults: faults} }
	content, err := os.ReadFile(opts.ConfigFile)
	if err != nil {
		return nil, nil, fail(err)
	}
	cfg, err := configfile.Decode(content)
	if err != nil {
		return nil, nil, fail(err)
	}
	opts.ApplyLeaderElectionTo(cfg) // as Setup will do: flags have precedence
	profiles, faults := configfile.Check(cfg, content)
	if len(faults) > 0 {
		return nil, nil, fail(faults...)
	}
	return profiles, content, nil
}
