// Package image puts a program into container images, one for each platform, under one
// index, and attaches to them what they are made of and how. No daemon and no base image
// takes part, and the same programs give the same digests.
package image

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/plimsoll-scheduler/plimsoll/release/internal/attest"
	"github.com/plimsoll-scheduler/plimsoll/release/internal/program"
	"github.com/plimsoll-scheduler/plimsoll/release/internal/spec"
)

// A Maker makes images.
type Maker struct {
	Spec    spec.Image
	Release attest.Release
	// Parameters are those that the programs were built with, for provenance: what
	// JSON can hold.
	Parameters map[string]any
}

// Images are the images of a release under one index.
type Images struct {
	Index v1.ImageIndex
	// Attached are artifacts whose subject is an image or the index: bills of
	// materials, and provenance.
	Attached []v1.Image
}

// Make makes an image of each binary.
func (m Maker) Make(binaries []program.Binary) (Images, error) {
	var (
		made     Images
		index    = mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
		subjects []attest.Subject
	)
	for _, binary := range binaries {
		image, err := m.image(binary)
		if err != nil {
			return Images{}, fmt.Errorf("image for %s: %w", binary.Platform, err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add:        image,
			Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: binary.Platform.OS(), Architecture: binary.Platform.Arch()}},
		})
		subject, attached, err := m.attachToImage(image, binary)
		if err != nil {
			return Images{}, fmt.Errorf("image for %s: %w", binary.Platform, err)
		}
		subjects = append(subjects, subject)
		made.Attached = append(made.Attached, attached...)
	}
	made.Index = mutate.Annotations(index, m.labels()).(v1.ImageIndex)
	attached, err := m.attachToIndex(made.Index, subjects, binaries)
	if err != nil {
		return Images{}, fmt.Errorf("index of images: %w", err)
	}
	made.Attached = append(made.Attached, attached)
	return made, nil
}

// labels are those that are given, and those that the build adds.
func (m Maker) labels() map[string]string {
	labels := maps.Clone(m.Spec.Labels)
	labels[spec.LabelVersion] = m.Release.Version
	labels[spec.LabelCreated] = m.Release.Time.UTC().Format(time.RFC3339)
	if m.Release.Revision != "" {
		labels[spec.LabelRevision] = m.Release.Revision
	}
	return labels
}

func (m Maker) image(binary program.Binary) (v1.Image, error) {
	content, err := m.files(binary)
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content)), nil
	}, tarball.WithMediaType(types.OCILayer), tarball.WithCompressedCaching)
	if err != nil {
		return nil, err
	}
	created := v1.Time{Time: m.Release.Time.UTC()}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err = mutate.ConfigFile(image, &v1.ConfigFile{
		OS:           binary.Platform.OS(),
		Architecture: binary.Platform.Arch(),
		Created:      created,
		Config: v1.Config{
			Entrypoint: m.Spec.Entrypoint,
			User:       m.Spec.User,
			Labels:     m.labels(),
			WorkingDir: "/",
		},
		RootFS: v1.RootFS{Type: "layers"},
	})
	if err != nil {
		return nil, err
	}
	image, err = mutate.Append(image, mutate.Addendum{
		Layer:   layer,
		History: v1.History{Created: created, CreatedBy: "go build " + m.Spec.Program.Package},
	})
	if err != nil {
		return nil, err
	}
	return mutate.Annotations(image, m.labels()).(v1.Image), nil
}

// files returns the layer: the program and the folders that it is in, of root, so that
// the program cannot change itself.
func (m Maker) files(binary program.Binary) ([]byte, error) {
	content, err := os.ReadFile(binary.File)
	if err != nil {
		return nil, err
	}
	var (
		out   bytes.Buffer
		files = tar.NewWriter(&out)
		name  = strings.TrimPrefix(m.Spec.Program.Path, "/")
	)
	for i, char := range name {
		if char != '/' {
			continue
		}
		if err := files.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name[:i+1], Mode: 0o755, ModTime: m.Release.Time}); err != nil {
			return nil, err
		}
	}
	if err := files.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: path.Clean(name), Mode: 0o755, Size: int64(len(content)), ModTime: m.Release.Time}); err != nil {
		return nil, err
	}
	if _, err := files.Write(content); err != nil {
		return nil, err
	}
	if err := files.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func (m Maker) attachToImage(image v1.Image, binary program.Binary) (attest.Subject, []v1.Image, error) {
	about, err := partial.Descriptor(image)
	if err != nil {
		return attest.Subject{}, nil, err
	}
	sbom, err := m.Release.SBOM(binary)
	if err != nil {
		return attest.Subject{}, nil, err
	}
	subject := attest.Subject{Name: m.name() + " " + string(binary.Platform), SHA256: about.Digest.Hex}
	provenance, err := m.provenance([]program.Binary{binary}, subject)
	if err != nil {
		return attest.Subject{}, nil, err
	}
	materials, err := m.artifact(about, attest.SPDXMediaType, sbom, nil)
	if err != nil {
		return attest.Subject{}, nil, err
	}
	statement, err := m.artifact(about, attest.InTotoMediaType, provenance, predicateType)
	return subject, []v1.Image{materials, statement}, err
}

func (m Maker) attachToIndex(index v1.ImageIndex, images []attest.Subject, binaries []program.Binary) (v1.Image, error) {
	about, err := partial.Descriptor(index)
	if err != nil {
		return nil, err
	}
	subjects := append([]attest.Subject{{Name: m.name(), SHA256: about.Digest.Hex}}, images...)
	provenance, err := m.provenance(binaries, subjects...)
	if err != nil {
		return nil, err
	}
	return m.artifact(about, attest.InTotoMediaType, provenance, predicateType)
}

// name is what the images are called in provenance, wherever they are pushed to.
func (m Maker) name() string {
	return strings.ToLower(m.Spec.Labels[spec.LabelTitle]) + ":" + m.Release.Version
}

func (m Maker) provenance(binaries []program.Binary, subjects ...attest.Subject) ([]byte, error) {
	parameters := maps.Clone(m.Parameters)
	platforms := make([]any, len(binaries))
	for i, binary := range binaries {
		platforms[i] = string(binary.Platform)
	}
	parameters["platforms"] = platforms
	return m.Release.Provenance(binaries[0].Info.GoVersion, parameters, subjects...)
}
