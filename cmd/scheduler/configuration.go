package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"slices"

	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/cmd/kube-scheduler/app/options"
	"k8s.io/kubernetes/pkg/scheduler/apis/config/validation"
	frameworkplugins "k8s.io/kubernetes/pkg/scheduler/framework/plugins"
	"sigs.k8s.io/yaml"

	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/plugins"
)

// configError says what is wrong with a configuration file.
type configError struct {
	file   string
	faults []error
}

// Error names each fault on a line of its own.
func (e *configError) Error() string {
	text := "the configuration file " + e.file + " is not valid:"
	for _, fault := range e.faults {
		text += "\n  " + fault.Error()
	}
	return text
}

// decodeProfiles returns the profiles of the configuration file. It reports every
// fault of that at once: kube-scheduler would stop at the first plugin that does
// not start.
func decodeProfiles(opts *options.Options) (config.Profiles, error) {
	if opts.ConfigFile == "" {
		return nil, nil
	}
	cfg, err := options.LoadConfigFromFile(klog.FromContext(context.Background()), opts.ConfigFile)
	if err != nil {
		return nil, &configError{file: opts.ConfigFile, faults: []error{err}}
	}
	opts.ApplyLeaderElectionTo(cfg) // as Setup will do: flags have precedence
	var faults []error
	if err := checkDocuments(opts.ConfigFile); err != nil {
		faults = append(faults, err)
	}
	if err := validation.ValidateKubeSchedulerConfiguration(cfg); err != nil {
		faults = append(faults, err.Errors()...)
	}
	profiles, errs := config.DecodeProfiles(cfg.Profiles)
	errs = append(errs, config.UnknownPlugins(cfg.Profiles, pluginNames())...)
	for _, fault := range append(errs, checkLease(cfg)...) {
		faults = append(faults, fault)
	}
	if len(faults) > 0 {
		return nil, &configError{file: opts.ConfigFile, faults: faults}
	}
	return profiles, nil
}

// pluginNames returns the names of all plugins of this scheduler.
func pluginNames() []string {
	return slices.AppendSeq(slices.Collect(maps.Keys(frameworkplugins.NewInTreeRegistry())), maps.Keys((&plugins.Shared{}).Registry()))
}

// checkDocuments returns an error if the file has more than one YAML document.
// kube-scheduler reads the first.
func checkDocuments(file string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content)))
	documents := 0
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var content any
		if err := yaml.Unmarshal(document, &content); err != nil || content != nil {
			documents++
		}
		if documents > 1 {
			return errors.New("there is more than one YAML document in the file, and only the first would be read: remove what comes after the line ---, or merge it")
		}
	}
}
