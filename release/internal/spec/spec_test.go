package spec

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	image = `program: {package: ./cmd/scheduler, path: /scheduler}
entrypoint: [/scheduler]
user: "65532:65532"
platforms: [linux/amd64, linux/arm64]
labels:
  org.opencontainers.image.title: Plimsoll
  org.opencontainers.image.source: https://example.com
`
	plugin = `name: plimsoll
package: ./cmd/kubectl-plimsoll
platforms: [linux/amd64, darwin/arm64, windows/amd64]
homepage: https://example.com
downloads: https://example.com/releases
shortDescription: Short
description: Long
`
)

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "spec.yaml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOwnFilesAreRight(t *testing.T) {
	image, err := ReadImage("../../image.yaml")
	if err != nil {
		t.Fatal(err)
	}
	plugin, err := ReadPlugin("../../plugin.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, program := range []string{image.Program.Package, plugin.Package} {
		if _, err := os.Stat(filepath.Join("..", "..", "..", program, "main.go")); err != nil {
			t.Error(err)
		}
	}
}

// Each case changes one thing of a right file; the error names the field.
func TestWrongFieldsAreNamed(t *testing.T) {
	readImage := func(path string) error { _, err := ReadImage(path); return err }
	readPlugin := func(path string) error { _, err := ReadPlugin(path); return err }
	for _, test := range []struct {
		read     func(string) error
		of       string
		old, new string
		want     string
	}{
		{readImage, image, "entrypoint:", "entrypiont:", `unknown field "entrypiont"`},
		{readImage, image, "path: /scheduler}", "path: /scheduler, mode: 7}", `unknown field "program.mode"`},
		{readImage, image, "user:", "user: a\nuser:", `"user" already set`},
		{readImage, image, `"65532:65532"`, `65532`, "user"},
		{readImage, image, `"65532:65532"`, `"0:65532"`, `user: Invalid value: "0:65532"`},
		{readImage, image, `"65532:65532"`, `nobody`, `user: Invalid value: "nobody"`},
		{readImage, image, "./cmd/scheduler", "cmd/scheduler", `program.package: Invalid value: "cmd/scheduler"`},
		{readImage, image, "path: /scheduler", "path: scheduler", `program.path: Invalid value: "scheduler"`},
		{readImage, image, "path: /scheduler", "path: /bin/../scheduler", `program.path: Invalid value: "/bin/../scheduler"`},
		{readImage, image, "[/scheduler]", "[/bin/sh, -c]", "entrypoint: Invalid value"},
		{readImage, image, "[/scheduler]", "[]", "entrypoint: Invalid value"},
		{readImage, image, "linux/arm64]", "windows/amd64]", `platforms[1]: Invalid value: "windows/amd64"`},
		{readImage, image, "linux/arm64]", "linux]", `platforms[1]: Invalid value: "linux"`},
		{readImage, image, "linux/arm64]", "linux/amd64]", `platforms[1]: Duplicate value: "linux/amd64"`},
		{readImage, image, "[linux/amd64, linux/arm64]", "[]", "platforms: Required value"},
		{readImage, image, "org.opencontainers.image.title", "org.opencontainers.image.version", "labels[org.opencontainers.image.version]: Forbidden"},
		{readImage, image, "org.opencontainers.image.title", "title of it", "labels: Invalid value"},
		{readImage, image, "org.opencontainers.image.source", "source", "labels[org.opencontainers.image.source]: Required value"},
		{readPlugin, plugin, "name:", "nam:", `unknown field "nam"`},
		{readPlugin, plugin, "name: plimsoll", "name: kubectl plimsoll", "name: Invalid value"},
		{readPlugin, plugin, "windows/amd64", "plan9/amd64", `platforms[2]: Invalid value: "plan9/amd64"`},
		{readPlugin, plugin, "https://example.com/releases", "example.com", "downloads: Invalid value"},
		{readPlugin, plugin, "Short", "This is a description that is longer than fifty characters", "shortDescription: Too long"},
		{readPlugin, plugin, "description: Long", "", "description: Required value"},
	} {
		path := file(t, strings.Replace(test.of, test.old, test.new, 1))
		if err := test.read(path); err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), path) {
			t.Errorf("%q instead of %q: the error is %v, want %q in it, and the file", test.new, test.old, err, test.want)
		}
	}
	for read, right := range map[*func(string) error]string{&readImage: image, &readPlugin: plugin} {
		if err := (*read)(file(t, right)); err != nil {
			t.Errorf("the file that they are made from is refused: %v", err)
		}
	}
}

func TestOnlyKeepsTheOrder(t *testing.T) {
	all := []Platform{"linux/amd64", "linux/arm64", "darwin/arm64"}
	for list, want := range map[string][]Platform{
		"":                          all,
		"darwin/arm64, linux/amd64": {"linux/amd64", "darwin/arm64"},
		"linux/arm64":               {"linux/arm64"},
	} {
		got, err := Only(all, list)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("only %q are %v, %v; want %v", list, got, err, want)
		}
	}
	if _, err := Only(all, "linux/amd64 linux/s390x"); err == nil || !strings.Contains(err.Error(), `"linux/s390x"`) {
		t.Errorf("the error is %v", err)
	}
}
