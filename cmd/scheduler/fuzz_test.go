package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/kubernetes/cmd/kube-scheduler/app/options"

	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/configfile"
)

// Whatever is in the configuration file, the start ends without a panic, with
// faults that say something, or the arguments of each profile are valid. Beside
// what is in testdata/fuzz it begins with the repository's configurations, and with
// what is in testdata/configurations.
func FuzzConfiguration(f *testing.F) {
	for _, pattern := range []string{"../../config/*.yaml", "testdata/configurations/*"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			f.Fatalf("%s: %v, %v", pattern, files, err)
		}
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(content)
		}
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		file := filepath.Join(t.TempDir(), "config.yaml")
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		profiles, _, err := decodeProfiles(&options.Options{ConfigFile: file})
		var faults *configfile.Error
		switch {
		case err == nil:
		case !errors.As(err, &faults) || len(faults.Faults) == 0:
			t.Fatalf("%s\nan error without faults: %v", content, err)
		}
		if err != nil {
			for _, fault := range faults.Faults {
				checkFault(t, fault)
			}
			return
		}
		for name, args := range profiles {
			if name == "" || len(args.Validate(field.NewPath("args"))) > 0 {
				t.Errorf("%s\nprofile %q: %+v", content, name, args)
			}
		}
		if len(profiles) > 0 && profiles.Shared().Source.Type == config.PrometheusServer && profiles.Shared().Source.Prometheus == nil {
			t.Errorf("%s\na Prometheus without an address", content)
		}
	})
}

// checkFault checks that a fault says what is wrong, and where if it is in a field.
func checkFault(t *testing.T, fault error) {
	t.Helper()
	var inField *field.Error
	if strings.TrimSpace(fault.Error()) == "" || errors.As(fault, &inField) && (inField.Field == "" || inField.Type == field.ErrorTypeInternal) {
		t.Errorf("a fault that does not say where or what: %q", fault)
	}
}
