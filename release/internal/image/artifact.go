package image

import (
	"encoding/json"
	"fmt"
	"maps"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/plimsoll-scheduler/plimsoll/release/internal/attest"
	"github.com/plimsoll-scheduler/plimsoll/release/internal/spec"
)

// What signers, such as cosign, say of a statement.
var predicateType = map[string]string{"in-toto.io/predicate-type": attest.PredicateType}

// emptyConfig is what the OCI's image specification gives artifacts for a configuration.
const (
	emptyConfig                     = "{}"
	emptyConfigType types.MediaType = "application/vnd.oci.empty.v1+json"
)

// artifact returns a manifest of one file that is about the subject.
func (m Maker) artifact(subject *v1.Descriptor, mediaType types.MediaType, content []byte, annotations map[string]string) (v1.Image, error) {
	file, config := static.NewLayer(content, mediaType), static.NewLayer([]byte(emptyConfig), emptyConfigType)
	ofFile, err := partial.Descriptor(file)
	if err != nil {
		return nil, err
	}
	ofConfig, err := partial.Descriptor(config)
	if err != nil {
		return nil, err
	}
	ofConfig.Data = []byte(emptyConfig)
	all := map[string]string{spec.LabelCreated: m.Release.Time.UTC().Format(time.RFC3339)}
	maps.Copy(all, annotations)
	raw, err := json.Marshal(v1.Manifest{
		SchemaVersion: 2,
		MediaType:     types.OCIManifestSchema1,
		ArtifactType:  string(mediaType),
		Config:        *ofConfig,
		Layers:        []v1.Descriptor{*ofFile},
		// Only what it is, without what an index says of it.
		Subject:     &v1.Descriptor{MediaType: subject.MediaType, Digest: subject.Digest, Size: subject.Size},
		Annotations: all,
	})
	if err != nil {
		return nil, err
	}
	return partial.CompressedToImage(artifact{raw: raw, blobs: []v1.Layer{file, config}})
}

// artifact is an image with an empty configuration.
type artifact struct {
	raw   []byte
	blobs []v1.Layer // the file and the configuration
}

var _ partial.CompressedImageCore = artifact{}

// RawConfigFile returns the configuration.
func (a artifact) RawConfigFile() ([]byte, error) { return []byte(emptyConfig), nil }

// RawManifest returns the manifest.
func (a artifact) RawManifest() ([]byte, error) { return a.raw, nil }

// MediaType returns that of the manifest.
func (a artifact) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }

// LayerByDigest returns the blob.
func (a artifact) LayerByDigest(digest v1.Hash) (partial.CompressedLayer, error) {
	for _, layer := range a.blobs {
		if own, err := layer.Digest(); err == nil && own == digest {
			return layer, nil
		}
	}
	return nil, fmt.Errorf("the artifact has no blob %s", digest)
}
