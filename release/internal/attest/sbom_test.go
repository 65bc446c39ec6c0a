package attest

import (
	"runtime/debug"
	"slices"
	"testing"
)

// What is listed is what is linked: of a module that is replaced, the one in its place.
func TestModulesAreThoseThatAreLinked(t *testing.T) {
	var found []string
	for _, module := range modules(&debug.BuildInfo{GoVersion: "go1.26.8", Deps: []*debug.Module{
		{Path: "example.com/z", Version: "v1.0.0", Replace: &debug.Module{Path: "example.com/fork", Version: "v1.0.1"}},
		{Path: "example.com/b", Version: "v2.0.0+incompatible"},
	}}) {
		found = append(found, packageURL(module.Path, module.Version).Locator)
	}
	want := []string{"pkg:golang/stdlib@go1.26.8", "pkg:golang/example.com/b@v2.0.0%2Bincompatible", "pkg:golang/example.com/fork@v1.0.1"}
	if !slices.Equal(found, want) {
		t.Errorf("the modules are %v, want %v", found, want)
	}
}

func TestOnlyAWholeCommitIsNamed(t *testing.T) {
	const commit = "0123456789abcdef0123456789abcdef01234567"
	for revision, want := range map[string]bool{commit: true, commit + "-dirty": false, "": false, "v0.2.0": false} {
		if _, got := (Release{Revision: revision}).commit(); got != want {
			t.Errorf("%q is a commit: %v, want %v", revision, got, want)
		}
	}
}
