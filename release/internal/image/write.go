package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/plimsoll-scheduler/plimsoll/release/internal/archive"
)

// The annotations by which programs that read a layout know what an image is called.
const (
	annotationTag  = "org.opencontainers.image.ref.name"
	annotationName = "io.containerd.image.name"
)

// WriteLayout writes the images, under the name, and what is attached to them, as an
// OCI layout. A layout that was in the folder is replaced; a folder with anything else in it is refused.
func (i Images) WriteLayout(dir string, tag name.Tag) error {
	if err := removeLayout(dir); err != nil {
		return err
	}
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		return err
	}
	if err := path.AppendIndex(i.Index, layout.WithAnnotations(map[string]string{
		annotationTag:  tag.TagStr(),
		annotationName: fullName(tag),
	})); err != nil {
		return err
	}
	for _, attached := range i.Attached {
		if err := path.AppendImage(attached); err != nil {
			return err
		}
	}
	return nil
}

func removeLayout(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, "oci-layout")); err != nil {
		return fmt.Errorf("%s has something in it that is no OCI layout: name another folder, or remove it", dir)
	}
	return os.RemoveAll(dir)
}

// fullName is the name as containerd and the kubelet have it.
func fullName(tag name.Tag) string {
	return strings.Replace(tag.Name(), name.DefaultRegistry+"/", "docker.io/", 1)
}

// WriteArchive writes the layout in the folder to one file, which ctr images import and
// docker load take. All its files are dated by the time. Docker's classic store,
// which knows no platforms, takes the first one.
func (i Images) WriteArchive(file, dir string, tag name.Tag, date time.Time) error {
	entries, err := archive.Folder(dir)
	if err != nil {
		return err
	}
	forDocker, err := i.dockerManifest(tag)
	if err != nil {
		return err
	}
	entries = append(entries, archive.Entry{Name: "manifest.json", Content: archive.Bytes(forDocker)})
	return archive.Write(file, date, entries)
}

// dockerManifest returns what docker load reads instead of the index.
func (i Images) dockerManifest(tag name.Tag) ([]byte, error) {
	index, err := i.Index.IndexManifest()
	if err != nil {
		return nil, err
	}
	image, err := i.Index.Image(index.Manifests[0].Digest)
	if err != nil {
		return nil, err
	}
	manifest, err := image.Manifest()
	if err != nil {
		return nil, err
	}
	blob := func(of v1.Descriptor) string { return "blobs/" + of.Digest.Algorithm + "/" + of.Digest.Hex }
	layers := make([]string, len(manifest.Layers))
	for i, layer := range manifest.Layers {
		layers[i] = blob(layer)
	}
	return json.Marshal([]map[string]any{{
		"Config":   blob(manifest.Config),
		"RepoTags": []string{strings.TrimPrefix(strings.TrimPrefix(fullName(tag), "docker.io/"), "library/")},
		"Layers":   layers,
	}})
}

// Push pushes the images under the name, and then what is attached to them, with the
// credentials that docker login has left. A registry without the referrers API gets tags instead.
func (i Images) Push(ctx context.Context, tag name.Tag) error {
	options := []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain), remote.WithUserAgent("plimsoll-release")}
	if err := remote.WriteIndex(tag, i.Index, options...); err != nil {
		return fmt.Errorf("push %s: %w", tag, err)
	}
	for _, attached := range i.Attached {
		digest, err := attached.Digest()
		if err != nil {
			return err
		}
		if err := remote.Write(tag.Digest(digest.String()), attached, options...); err != nil {
			return fmt.Errorf("push what is attached to %s: %w", tag, err)
		}
	}
	return nil
}
