// Package configfile reads configuration files, KubeSchedulerConfigurations, as the
// scheduler does when it starts. It reports every fault at once: kube-scheduler would
// stop at the first plugin that does not start.
package configfile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	schedconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"
	"k8s.io/kubernetes/pkg/scheduler/apis/config/scheme"
	"k8s.io/kubernetes/pkg/scheduler/apis/config/validation"
	frameworkplugins "k8s.io/kubernetes/pkg/scheduler/framework/plugins"
	"sigs.k8s.io/yaml"

	// The scheme of Trimaran's arguments.
	_ "sigs.k8s.io/scheduler-plugins/apis/config/scheme"

	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/plugins"
)

// Error says what is wrong with a configuration file.
type Error struct {
	File   string
	Faults []error
}

// Error names each fault on a line of its own.
func (e *Error) Error() string {
	text := "the configuration file " + e.File + " is not valid:"
	for _, fault := range e.Faults {
		text += "\n  " + fault.Error()
	}
	return text
}

// Decode decodes the file's content, with defaults.
func Decode(content []byte) (*schedconfig.KubeSchedulerConfiguration, error) {
	object, kind, err := scheme.Codecs.UniversalDecoder().Decode(content, nil, nil)
	if err != nil {
		return nil, err
	}
	cfg, ok := object.(*schedconfig.KubeSchedulerConfiguration)
	if !ok {
		return nil, fmt.Errorf("must be a KubeSchedulerConfiguration, not a %s of %s", kind.Kind, kind.GroupVersion())
	}
	cfg.APIVersion = kind.GroupVersion().String() // conversion clears it
	return cfg, nil
}

// Check returns all that the start refuses in a configuration, and the arguments of
// Plimsoll's plugins in its profiles, which are valid if it refuses nothing. content is
// what was decoded; flags that have precedence may have changed the configuration since.
func Check(cfg *schedconfig.KubeSchedulerConfiguration, content []byte) (config.Profiles, []error) {
	var faults []error
	if err := checkDocuments(content); err != nil {
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
	return profiles, faults
}

// pluginNames returns the names of all plugins of this scheduler.
func pluginNames() []string {
	return slices.AppendSeq(slices.Collect(maps.Keys(frameworkplugins.NewInTreeRegistry())), maps.Keys((&plugins.Shared{}).Registry()))
}

// checkDocuments returns an error if there is more than one YAML document.
// kube-scheduler reads the first.
func checkDocuments(content []byte) error {
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
