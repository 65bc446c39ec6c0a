package page

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
)

const root = "../../.."

var date = time.Date(2026, 12, 24, 18, 0, 0, 0, time.UTC)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestVersions(t *testing.T) {
	for _, version := range []string{"v0.2.0", "v1.0.0", "v0.2.0-rc.1"} {
		if err := CheckVersion(version); err != nil {
			t.Error(err)
		}
	}
	for _, version := range []string{"", "0.2.0", "v0.2", "v0.2.0+build", "v01.2.0", "7d9fcf3-dirty", "latest"} {
		if err := CheckVersion(version); err == nil || !strings.Contains(err.Error(), "VERSION="+version) {
			t.Errorf("%q: the error is %v", version, err)
		}
	}
}

const changelog = `# Changelog

What users notice.

## Unreleased

- Flies.

## 0.2.0 - 2026-12-24

### Added

- Swims.

## 0.2.0-rc.1 - 2026-12-01

- Paddles.

## 0.1.1

## 0.1.0 - 2026-11-23

The first version.
`

func TestNotesAreThoseOfTheVersion(t *testing.T) {
	for version, want := range map[string]string{
		"v0.2.0":      "### Added\n\n- Swims.\n",
		"v0.2.0-rc.1": "- Paddles.\n",
		"v0.3.0-rc.1": "- Flies.\n", // before a release, what is unreleased
		"v0.1.0":      "The first version.\n",
	} {
		got, err := Notes(changelog, version, date)
		if err != nil || got != want {
			t.Errorf("the notes of %s are %q, %v; want %q", version, got, err, want)
		}
	}
}

func TestNotesThatAreMissingSayWhatToAdd(t *testing.T) {
	for version, want := range map[string]string{
		"v0.3.0": `make "## Unreleased" into "## 0.3.0 - 2026-12-24"`,
		"v0.1.1": `"## 0.1.1" is empty`,
		"v0.2":   "no section of v0.2",
	} {
		if got, err := Notes(changelog, version, date); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the notes of %s are %q, %v; want an error with %q", version, got, err, want)
		}
	}
	empty := strings.Replace(changelog, "- Flies.\n", "", 1)
	if _, err := Notes(empty, "v0.3.0-rc.1", date); err == nil || !strings.Contains(err.Error(), `"## Unreleased" is empty`) {
		t.Errorf("the error is %v", err)
	}
}

func TestChartIsOfTheVersion(t *testing.T) {
	for version, prerelease := range map[string]string{"v0.2.0": "false", "v0.2.0-rc.1": "true"} {
		file, err := Chart(root+"/charts/plimsoll", t.TempDir(), version, "", date)
		must(t, err)
		if want := "plimsoll-" + version[1:] + ".tgz"; filepath.Base(file) != want {
			t.Errorf("the chart is %s, want %s", file, want)
		}
		chart, err := loader.LoadFile(file)
		must(t, err)
		must(t, chart.Validate())
		meta := chart.Metadata
		if meta.Version != version[1:] || meta.AppVersion != version || meta.Annotations["artifacthub.io/prerelease"] != prerelease {
			t.Errorf("of %s the chart says %s, %s, %v", version, meta.Version, meta.AppVersion, meta.Annotations)
		}
	}
}

// Only the line of the repository changes: the comments are the documentation.
func TestChartInstallsTheReleasedImage(t *testing.T) {
	dir := root + "/charts/plimsoll"
	file, err := Chart(dir, t.TempDir(), "v0.2.0", "registry.example.com/team/plimsoll", date)
	must(t, err)
	chart, err := loader.LoadFile(file)
	must(t, err)
	before, err := os.ReadFile(dir + "/values.yaml")
	must(t, err)
	for _, f := range chart.Raw {
		if f.Name == "values.yaml" {
			want := strings.Replace(string(before), "\n  repository: plimsoll\n", "\n  repository: registry.example.com/team/plimsoll\n", 1)
			if string(f.Data) != want || want == string(before) {
				t.Errorf("the values are\n%s", f.Data)
			}
			return
		}
	}
	t.Error("the chart has no values.yaml")
}

func TestChartIsTheSameTwice(t *testing.T) {
	elsewhere := t.TempDir()
	must(t, os.CopyFS(elsewhere, os.DirFS(root+"/charts/plimsoll"))) // with other times
	var packages [][]byte
	for _, dir := range []string{root + "/charts/plimsoll", elsewhere} {
		file, err := Chart(dir, t.TempDir(), "v0.2.0", "", date)
		must(t, err)
		content, err := os.ReadFile(file)
		must(t, err)
		packages = append(packages, content)
	}
	if !bytes.Equal(packages[0], packages[1]) {
		t.Error("two packages of a chart differ")
	}
}

func TestManifestsNameTheImage(t *testing.T) {
	for given, want := range map[string]string{
		"registry.example.com:5000/team/plimsoll:v0.2.0-k8s1.36": "registry.example.com:5000/team/plimsoll:v0.2.0-k8s1.36",
		"plimsoll:v0.2.0": "plimsoll:v0.2.0",
	} {
		tag, err := name.NewTag(given)
		must(t, err)
		text, err := Manifests(root+"/manifests/base", tag)
		must(t, err)
		var images, kinds []string
		for line := range strings.Lines(string(text)) {
			if image, is := strings.CutPrefix(strings.TrimSpace(line), "image: "); is {
				images = append(images, image)
			}
			if kind, is := strings.CutPrefix(line, "kind: "); is {
				kinds = append(kinds, strings.TrimSpace(kind))
			}
		}
		if !slices.Equal(images, []string{want}) {
			t.Errorf("the images are %v, want %s", images, want)
		}
		for _, kind := range []string{"Namespace", "Deployment", "ConfigMap", "ClusterRole"} {
			if !slices.Contains(kinds, kind) {
				t.Errorf("there is no %s among %v", kind, kinds)
			}
		}
	}
}
