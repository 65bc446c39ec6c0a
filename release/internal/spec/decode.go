// Package spec reads what a release consists of: image.yaml, what is in the container
// image, and plugin.yaml, the plugin of kubectl. Both are read strictly, and what is
// wrong is named by the path of its field.
package spec

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// decode reads the file into what is to be filled.
func decode(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	asJSON, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	unknown, err := json.UnmarshalStrict(asJSON, into)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if len(unknown) > 0 {
		messages := make([]string, len(unknown))
		for i, err := range unknown {
			messages[i] = err.Error()
		}
		return fmt.Errorf("%s: %s", path, strings.Join(messages, ", "))
	}
	return nil
}

// checkPackage checks the path of what is built.
func checkPackage(path *field.Path, value string) field.ErrorList {
	if !strings.HasPrefix(value, "./") {
		return field.ErrorList{field.Invalid(path, value, "must be the folder of a program below the root of the checkout, such as ./cmd/scheduler")}
	}
	return nil
}

func checkPlatforms(path *field.Path, platforms []Platform, systems ...string) (errs field.ErrorList) {
	if len(platforms) == 0 {
		errs = append(errs, field.Required(path, "must have one at least"))
	}
	for i, platform := range platforms {
		system, arch, _ := strings.Cut(string(platform), "/")
		if !slices.Contains(systems, system) || arch == "" || strings.Contains(arch, "/") {
			errs = append(errs, field.Invalid(path.Index(i), platform, "must be SYSTEM/ARCHITECTURE as Go names them, such as linux/arm64, with a system of "+strings.Join(systems, ", ")))
		}
		if slices.Contains(platforms[:i], platform) {
			errs = append(errs, field.Duplicate(path.Index(i), platform))
		}
	}
	return errs
}

// A Platform is an operating system and an architecture, as Go names them:
// linux/amd64.
type Platform string

// OS returns the operating system.
func (p Platform) OS() string { os, _, _ := strings.Cut(string(p), "/"); return os }

// Arch returns the architecture.
func (p Platform) Arch() string { _, arch, _ := strings.Cut(string(p), "/"); return arch }

// Dashed returns the platform as it stands in names of files: linux-amd64.
func (p Platform) Dashed() string { return strings.ReplaceAll(string(p), "/", "-") }

// Only returns those of the platforms that are listed, separated by spaces or commas,
// in the order of the platforms. With an empty list it is all of them. A listed
// one that there is none of is an error.
func Only(platforms []Platform, list string) ([]Platform, error) {
	listed := strings.FieldsFunc(list, func(r rune) bool { return r == ' ' || r == ',' })
	if len(listed) == 0 {
		return platforms, nil
	}
	for _, name := range listed {
		if !slices.Contains(platforms, Platform(name)) {
			return nil, fmt.Errorf("platform %q: must be one of %v", name, platforms)
		}
	}
	var only []Platform
	for _, platform := range platforms {
		if slices.Contains(listed, string(platform)) {
			only = append(only, platform)
		}
	}
	return only, nil
}
