package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	krew "sigs.k8s.io/krew/pkg/index"
	"sigs.k8s.io/yaml"
)

const tinyPlugin = `
name: tiny
package: ./cmd/tiny
platforms: [linux/amd64, darwin/arm64, windows/amd64]
homepage: https://example.com/tiny
downloads: https://example.com/tiny/releases
shortDescription: A tiny plugin
description: It is tiny.
`

// makePage runs "release page" in a checkout with the tiny program, and our chart and
// manifests, and returns the folder of what comes out.
func makePage(t *testing.T, flags ...string) (out string, err error) {
	t.Helper()
	root, out := t.TempDir(), t.TempDir()
	must(t, os.CopyFS(root, os.DirFS(tiny)))
	must(t, os.CopyFS(filepath.Join(root, "manifests"), os.DirFS("../manifests")))
	must(t, os.CopyFS(filepath.Join(root, "charts"), os.DirFS("../charts")))
	write(t, filepath.Join(root, "LICENSE"), "do as you like")
	write(t, filepath.Join(root, "CHANGELOG.md"), "## Unreleased\n\n- Sings.\n\n## 1.2.3 - 2026-12-24\n\n- Flies.\n")
	plugin := filepath.Join(root, "plugin.yaml")
	write(t, plugin, tinyPlugin)
	err = run(t.Context(), append([]string{
		"page", "-root", root, "-plugin", plugin, "-version", "v1.2.3", "-epoch", epoch, "-revision", revision,
		"-images", "plimsoll:v1.2.3 plimsoll:v1.2.3-k8s1.36", "-registry", "registry.example.com/team", "-out", out,
	}, flags...))
	return out, err
}

func TestReleasePageHasWhatItTakes(t *testing.T) {
	out, err := makePage(t)
	must(t, err)
	must(t, run(t.Context(), []string{"sums", out}))
	var names []string
	for _, entry := range need(os.ReadDir(out))(t) {
		names = append(names, entry.Name())
	}
	want := []string{
		"SHA256SUMS",
		"install-k8s1.36.yaml", "install.yaml",
		"kubectl-tiny-v1.2.3-darwin-arm64.spdx.json", "kubectl-tiny-v1.2.3-darwin-arm64.tar.gz",
		"kubectl-tiny-v1.2.3-linux-amd64.spdx.json", "kubectl-tiny-v1.2.3-linux-amd64.tar.gz",
		"kubectl-tiny-v1.2.3-windows-amd64.spdx.json", "kubectl-tiny-v1.2.3-windows-amd64.zip",
		"notes.md", "plimsoll-1.2.3.tgz", "tiny.yaml",
	}
	if !slices.Equal(names, want) {
		t.Errorf("there are\n%v, want\n%v", names, want)
	}
	read := func(name string) string { return string(need(os.ReadFile(filepath.Join(out, name)))(t)) }
	if got := read("notes.md"); got != "- Flies.\n" {
		t.Errorf("the notes are %q", got)
	}
	if got := read("install-k8s1.36.yaml"); !strings.Contains(got, "image: registry.example.com/team/plimsoll:v1.2.3-k8s1.36\n") {
		t.Errorf("the manifests for 1.36 are\n%s", got)
	}
	sums := strings.Split(strings.TrimSpace(read("SHA256SUMS")), "\n")
	if len(sums) != len(want)-1 {
		t.Errorf("there are %d checksums, want %d", len(sums), len(want)-1)
	}
	for _, line := range sums {
		sum, name, _ := strings.Cut(line, "  ")
		if got := sha256Of(read(name)); got != sum {
			t.Errorf("the checksum of %s is %s, want %s", name, sum, got)
		}
	}
}

func sha256Of(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// krew unpacks the archive, moves the files that the manifest lists, and runs bin.
func TestKrewManifestFitsTheArchives(t *testing.T) {
	out, err := makePage(t)
	must(t, err)
	var manifest krew.Plugin
	must(t, yaml.UnmarshalStrict(need(os.ReadFile(filepath.Join(out, "tiny.yaml")))(t), &manifest))
	if manifest.Name != "tiny" || manifest.Spec.Version != "v1.2.3" || len(manifest.Spec.Platforms) != 3 {
		t.Errorf("the manifest is %+v", manifest)
	}
	for _, platform := range manifest.Spec.Platforms {
		file, below := strings.CutPrefix(platform.URI, "https://example.com/tiny/releases/v1.2.3/")
		content := need(os.ReadFile(filepath.Join(out, file)))(t)
		if !below || platform.Sha256 != sha256Of(string(content)) {
			t.Errorf("%s has not the checksum of the manifest", platform.URI)
		}
		if labels := platform.Selector.MatchLabels; !strings.Contains(file, labels["os"]+"-"+labels["arch"]) {
			t.Errorf("%s is for %v", file, labels)
		}
		files := filesOf(t, filepath.Join(out, file))
		for _, operation := range platform.Files {
			if !slices.Contains(files, operation.From) {
				t.Errorf("%s has no %s, but %v", file, operation.From, files)
			}
		}
		if !slices.Contains(files, platform.Bin) || !slices.Contains(files, "LICENSE") {
			t.Errorf("%s has no %s or no LICENSE, but %v", file, platform.Bin, files)
		}
	}
}

func filesOf(t *testing.T, file string) (names []string) {
	t.Helper()
	if strings.HasSuffix(file, ".zip") {
		content := need(os.ReadFile(file))(t)
		read := need(zip.NewReader(bytes.NewReader(content), int64(len(content))))(t)
		for _, f := range read.File {
			names = append(names, f.Name)
		}
		return names
	}
	f := need(os.Open(file))(t)
	defer f.Close()
	files := tar.NewReader(need(gzip.NewReader(f))(t))
	for {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return names
		}
		must(t, err)
		names = append(names, header.Name)
	}
}

func TestReleasePageIsTheSameTwice(t *testing.T) {
	var sums []string
	for range 2 {
		out, err := makePage(t, "-platforms", "linux/amd64,windows/amd64")
		must(t, err)
		must(t, run(t.Context(), []string{"sums", out}))
		sums = append(sums, string(need(os.ReadFile(filepath.Join(out, "SHA256SUMS")))(t)))
	}
	if sums[0] != sums[1] {
		t.Errorf("two releases are\n%s\nand\n%s", sums[0], sums[1])
	}
}

func TestReleasePageRefuses(t *testing.T) {
	for _, test := range []struct {
		name  string
		flags []string
		want  string
	}{
		{"no folder", []string{"-out", ""}, "-out: must name"},
		{"a version that is none", []string{"-version", "1.2.3"}, "VERSION=1.2.3: must be a semantic version"},
		{"a version that the changelog does not know", []string{"-version", "v1.3.0"}, `make "## Unreleased" into "## 1.3.0 - 2023-11-14"`},
		{"changes that are in no commit", []string{"-revision", revision + "-dirty"}, "commit or stash"},
		{"a platform that the plugin is not for", []string{"-platforms", "plan9/amd64"}, `"plan9/amd64"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := makePage(t, test.flags...); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %v, want %q in it", err, test.want)
			}
		})
	}
}
