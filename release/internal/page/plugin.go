package page

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	krew "sigs.k8s.io/krew/pkg/index"
	"sigs.k8s.io/yaml"

	"github.com/plimsoll-scheduler/plimsoll/release/internal/archive"
	"github.com/plimsoll-scheduler/plimsoll/release/internal/digest"
	"github.com/plimsoll-scheduler/plimsoll/release/internal/program"
	"github.com/plimsoll-scheduler/plimsoll/release/internal/spec"
)

// A PluginArchive is an archive of the plugin for one platform.
type PluginArchive struct {
	Platform spec.Platform
	File     string
	Bin      string // the program's name in the archive
	SHA256   string // of the archive
}

// License is what krew wants to be in each archive.
const License = "LICENSE"

// ProgramName is what the plugin's program is called for the platform.
func ProgramName(plugin spec.Plugin, platform spec.Platform) string {
	name := "kubectl-" + plugin.Name
	if platform.OS() == "windows" {
		name += ".exe"
	}
	return name
}

// ArchivePlugin puts the program and the license into an archive in the folder: .zip
// for Windows, else .tar.gz.
func ArchivePlugin(dir string, plugin spec.Plugin, version, license string, binary program.Binary, date time.Time) (PluginArchive, error) {
	made := PluginArchive{Platform: binary.Platform, Bin: ProgramName(plugin, binary.Platform)}
	kind := ".tar.gz"
	if binary.Platform.OS() == "windows" {
		kind = ".zip"
	}
	made.File = filepath.Join(dir, strings.Join([]string{"kubectl-" + plugin.Name, version, binary.Platform.Dashed()}, "-")+kind)
	err := archive.Write(made.File, date, []archive.Entry{
		{Name: made.Bin, Executable: true, Content: archive.File(binary.File)},
		{Name: License, Content: archive.File(license)},
	})
	if err != nil {
		return PluginArchive{}, err
	}
	made.SHA256, err = digest.SHA256(made.File)
	return made, err
}

// KrewManifest returns the plugin's manifest for the index of krew.
func KrewManifest(plugin spec.Plugin, version string, archives []PluginArchive) ([]byte, error) {
	manifest := krew.Plugin{
		TypeMeta:   metav1.TypeMeta{APIVersion: "krew.googlecontainertools.github.com/v1alpha2", Kind: "Plugin"},
		ObjectMeta: metav1.ObjectMeta{Name: plugin.Name},
		Spec: krew.PluginSpec{
			Version:          version,
			ShortDescription: plugin.ShortDescription,
			Description:      plugin.Description,
			Caveats:          plugin.Caveats,
			Homepage:         plugin.Homepage,
		},
	}
	for _, archive := range archives {
		manifest.Spec.Platforms = append(manifest.Spec.Platforms, krew.Platform{
			URI:      fmt.Sprintf("%s/%s/%s", plugin.Downloads, version, filepath.Base(archive.File)),
			Sha256:   archive.SHA256,
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"os": archive.Platform.OS(), "arch": archive.Platform.Arch()}},
			Files:    []krew.FileOperation{{From: archive.Bin, To: "."}, {From: License, To: "."}},
			Bin:      archive.Bin,
		})
	}
	return yaml.Marshal(manifest)
}
