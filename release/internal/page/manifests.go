package page

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/name"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// The image that the manifests name.
const imageOfTheBase = "plimsoll"

// Manifests returns what kubectl kustomize makes of the base in the folder with the
// image, in one file.
func Manifests(base string, image name.Tag) ([]byte, error) {
	files, err := inMemory(base)
	if err != nil {
		return nil, err
	}
	overlay, err := yaml.Marshal(types.Kustomization{
		TypeMeta:  types.TypeMeta{APIVersion: types.KustomizationVersion, Kind: types.KustomizationKind},
		Resources: []string{"../base"},
		Images:    []types.Image{{Name: imageOfTheBase, NewName: repository(image), NewTag: image.TagStr()}},
	})
	if err != nil {
		return nil, err
	}
	if err := files.WriteFile("/overlay/kustomization.yaml", overlay); err != nil {
		return nil, err
	}
	made, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(files, "/overlay")
	if err != nil {
		return nil, fmt.Errorf("kustomize %s: %w", base, err)
	}
	return made.AsYaml()
}

// repository is what stands before the tag, as it was given: without the registry that
// it has if none is given.
func repository(image name.Tag) string {
	given := image.String()
	return given[:len(given)-len(":"+image.TagStr())]
}

// inMemory has the folder as /base, since an overlay has to be beside it.
func inMemory(base string) (filesys.FileSystem, error) {
	files := filesys.MakeFsInMemory()
	return files, filepath.WalkDir(base, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(base, path)
		if err != nil {
			return err
		}
		return files.WriteFile("/base/"+filepath.ToSlash(name), content)
	})
}
