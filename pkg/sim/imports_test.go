package sim

import (
	"go/build"
	"strings"
	"testing"
)

// What a part of the simulation must not know of, it does not import.
func TestPartsDoNotKnowOfEachOther(t *testing.T) {
	const module = "github.com/plimsoll-scheduler/plimsoll/pkg/"
	for dir, forbidden := range map[string][]string{
		"world": {"k8s.io/kube-scheduler", "k8s.io/kubernetes/pkg/scheduler", "k8s.io/client-go", module},
		"kube":  {module + "sim"},
		"peers": {module + "sim/kube", module + "load", module + "plugins"},
	} {
		pkg, err := build.ImportDir(dir, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range pkg.Imports {
			for _, prefix := range forbidden {
				if strings.HasPrefix(path, prefix) {
					t.Errorf("%s imports %s", dir, path)
				}
			}
		}
	}
}
