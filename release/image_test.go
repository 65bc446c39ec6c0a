package main

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	slsa "github.com/in-toto/attestation/go/predicates/provenance/v1"
	intoto "github.com/in-toto/attestation/go/v1"
	spdxjson "github.com/spdx/tools-golang/json"
	spdx "github.com/spdx/tools-golang/spdx/v2/v2_3"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/plimsoll-scheduler/plimsoll/release/internal/attest"
	"github.com/plimsoll-scheduler/plimsoll/release/internal/spec"
)

const (
	tiny     = "testdata/tiny"
	epoch    = "1700000000"
	revision = "0123456789abcdef0123456789abcdef01234567"

	tinySpec = `
program: {package: ./cmd/tiny, path: /bin/tiny}
entrypoint: [/bin/tiny, --fast]
user: "65532:65532"
platforms: [linux/amd64, linux/arm64]
labels:
  org.opencontainers.image.title: Tiny
  org.opencontainers.image.source: https://example.com/tiny
`
)

// makeImage runs "release image" for the tiny program and returns the folder of the
// layout.
func makeImage(t *testing.T, flags ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "layout")
	if err := tryImage(t, append([]string{"-layout", dir}, flags...)...); err != nil {
		t.Fatal(err)
	}
	return dir
}

func tryImage(t *testing.T, flags ...string) error {
	t.Helper()
	file := filepath.Join(t.TempDir(), "image.yaml")
	write(t, file, tinySpec)
	return run(t.Context(), append([]string{
		"image", "-root", tiny, "-spec", file, "-image", "tiny:v1.2.3", "-version", "v1.2.3", "-epoch", epoch, "-revision", revision, "-ldflags", "-X main.version=v1.2.3",
	}, flags...))
}

func write(t *testing.T, file, text string) {
	t.Helper()
	must(t, os.WriteFile(file, []byte(text), 0o644))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func need[T any](value T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		must(t, err)
		return value
	}
}

// open returns the index of images in a layout, and what else the layout has.
func open(t *testing.T, dir string) (images v1.ImageIndex, attached []v1.Descriptor, all v1.ImageIndex) {
	t.Helper()
	all = need(layout.ImageIndexFromPath(dir))(t)
	manifest := need(all.IndexManifest())(t)
	return need(all.ImageIndex(manifest.Manifests[0].Digest))(t), manifest.Manifests[1:], all
}

func TestLayoutIsValidAndHasAllPlatforms(t *testing.T) {
	images, _, all := open(t, makeImage(t))
	must(t, validate.Index(all))
	var platforms []string
	for _, image := range need(images.IndexManifest())(t).Manifests {
		platforms = append(platforms, image.Platform.String())
	}
	if want := []string{"linux/amd64", "linux/arm64"}; !slices.Equal(platforms, want) {
		t.Errorf("the platforms are %v, want %v", platforms, want)
	}
	annotations := need(all.IndexManifest())(t).Manifests[0].Annotations
	if annotations["io.containerd.image.name"] != "docker.io/library/tiny:v1.2.3" || annotations["org.opencontainers.image.ref.name"] != "v1.2.3" {
		t.Errorf("the image is called %v", annotations)
	}
}

func TestImageIsTheProgramAndNothingElse(t *testing.T) {
	images, _, _ := open(t, makeImage(t))
	machines := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}
	for _, described := range need(images.IndexManifest())(t).Manifests {
		image := need(images.Image(described.Digest))(t)
		layers := need(image.Layers())(t)
		if len(layers) != 1 {
			t.Fatalf("there are %d layers, want one", len(layers))
		}
		var names []string
		layer := need(io.ReadAll(need(layers[0].Uncompressed())(t)))(t)
		// Go's reader does without, others do not.
		if end := make([]byte, 1024); len(layer)%512 != 0 || !bytes.HasSuffix(layer, end) {
			t.Error("the layer does not end as tar archives do")
		}
		files := tar.NewReader(bytes.NewReader(layer))
		for {
			header, err := files.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			must(t, err)
			names = append(names, header.Name)
			if header.Uid != 0 || header.Gid != 0 || header.Mode != 0o755 || !header.ModTime.Equal(time.Unix(1700000000, 0)) {
				t.Errorf("%s is of %d:%d with mode %o and of %v", header.Name, header.Uid, header.Gid, header.Mode, header.ModTime)
			}
			if header.Typeflag == tar.TypeReg {
				isStaticAndStripped(t, need(io.ReadAll(files))(t), machines[described.Platform.Architecture])
			}
		}
		if want := []string{"bin/", "bin/tiny"}; !slices.Equal(names, want) {
			t.Errorf("the files are %v, want %v", names, want)
		}
	}
}

func isStaticAndStripped(t *testing.T, program []byte, machine elf.Machine) {
	t.Helper()
	file := need(elf.NewFile(bytes.NewReader(program)))(t)
	if file.Machine != machine {
		t.Errorf("the program is for %v, want %v", file.Machine, machine)
	}
	for _, segment := range file.Progs {
		if segment.Type == elf.PT_INTERP {
			t.Error("the program needs a dynamic linker, and there is none")
		}
	}
	if file.Section(".symtab") != nil || file.Section(".debug_info") != nil {
		t.Error("the program has symbols")
	}
	if here := need(os.Getwd())(t); bytes.Contains(program, []byte(here)) {
		t.Errorf("the program has %s in it", here)
	}
}

func TestConfigurationOfTheImage(t *testing.T) {
	images, _, _ := open(t, makeImage(t))
	index := need(images.IndexManifest())(t)
	for _, described := range index.Manifests {
		image := need(images.Image(described.Digest))(t)
		file := need(image.ConfigFile())(t)
		config := file.Config
		if config.User != "65532:65532" || !slices.Equal(config.Entrypoint, []string{"/bin/tiny", "--fast"}) || config.Cmd != nil || config.Env != nil || config.Shell != nil {
			t.Errorf("the configuration is %+v", config)
		}
		for of, labels := range map[string]map[string]string{"configuration": config.Labels, "manifest": need(image.Manifest())(t).Annotations, "index": index.Annotations} {
			for key, want := range map[string]string{
				"title": "Tiny", "source": "https://example.com/tiny", "version": "v1.2.3", "revision": revision, "created": "2023-11-14T22:13:20Z",
			} {
				if got := labels["org.opencontainers.image."+key]; got != want {
					t.Errorf("the label %s of the %s is %q, want %q", key, of, got, want)
				}
			}
		}
	}
}

// The folder, the flags of the environment and the moment do not matter.
func TestTwoBuildsAreTheSame(t *testing.T) {
	elsewhere := t.TempDir()
	must(t, os.CopyFS(elsewhere, os.DirFS(tiny)))
	archives := []string{filepath.Join(t.TempDir(), "a.tar"), filepath.Join(t.TempDir(), "b.tar")}
	first, _, _ := open(t, makeImage(t, "-archive", archives[0]))
	t.Setenv("GOFLAGS", "-ldflags=-linkmode=internal")
	t.Setenv("GOAMD64", "v3")
	second, _, _ := open(t, makeImage(t, "-root", elsewhere, "-archive", archives[1]))
	if a, b := need(first.Digest())(t), need(second.Digest())(t); a != b {
		t.Errorf("the digests of two builds are %s and %s", a, b)
	}
	if !bytes.Equal(need(os.ReadFile(archives[0]))(t), need(os.ReadFile(archives[1]))(t)) {
		t.Error("the archives of two builds differ: what is attached does")
	}
}

func TestOnlyTheListedPlatforms(t *testing.T) {
	images, _, all := open(t, makeImage(t, "-platforms", "linux/arm64"))
	must(t, validate.Index(all))
	if found := need(images.IndexManifest())(t).Manifests; len(found) != 1 || found[0].Platform.String() != "linux/arm64" {
		t.Errorf("the images are %v", found)
	}
}

// fileOf returns the only file of an artifact, and what it is about.
func fileOf(t *testing.T, image v1.Image) (content []byte, mediaType string, subject v1.Hash) {
	t.Helper()
	manifest := need(image.Manifest())(t)
	layers := need(image.Layers())(t)
	if len(layers) != 1 || manifest.Config.MediaType != "application/vnd.oci.empty.v1+json" || manifest.ArtifactType != string(manifest.Layers[0].MediaType) {
		t.Errorf("the artifact's manifest is %+v", manifest)
	}
	content = need(io.ReadAll(need(layers[0].Uncompressed())(t)))(t)
	return content, manifest.ArtifactType, manifest.Subject.Digest
}

func TestEachImageHasABillOfMaterialsAndProvenance(t *testing.T) {
	images, attached, all := open(t, makeImage(t))
	got := map[string]int{}
	for _, described := range attached {
		_, mediaType, subject := fileOf(t, need(all.Image(described.Digest))(t))
		if described.ArtifactType != mediaType {
			t.Errorf("the layout says that %s is %q", mediaType, described.ArtifactType)
		}
		got[subject.String()+" "+mediaType]++
	}
	want := []string{need(images.Digest())(t).String() + " application/vnd.in-toto+json"}
	for _, image := range need(images.IndexManifest())(t).Manifests {
		want = append(want, image.Digest.String()+" application/spdx+json", image.Digest.String()+" application/vnd.in-toto+json")
	}
	for _, key := range want {
		if got[key] != 1 {
			t.Errorf("%s is there %d times, want once", key, got[key])
		}
	}
	if len(got) != len(want) {
		t.Errorf("attached is %v", got)
	}
}

func TestBillOfMaterialsNamesTheModules(t *testing.T) {
	_, attached, all := open(t, makeImage(t))
	for _, described := range attached {
		text, mediaType, _ := fileOf(t, need(all.Image(described.Digest))(t))
		if mediaType != attest.SPDXMediaType {
			continue
		}
		document := &spdx.Document{}
		must(t, spdxjson.ReadInto(bytes.NewReader(text), document))
		if document.SPDXVersion != "SPDX-2.3" || document.CreationInfo.Created != "2023-11-14T22:13:20Z" || !strings.HasPrefix(document.DocumentNamespace, "https://example.com/tiny/spdx/tiny-v1.2.3-linux-") {
			t.Errorf("the document is %+v", document)
		}
		var found []string
		for _, p := range document.Packages {
			found = append(found, p.PackageExternalReferences[0].Locator)
		}
		goVersion := strings.TrimPrefix(document.Packages[1].PackageVersion, "go")
		want := []string{"pkg:golang/example.com/tiny@v1.2.3", "pkg:golang/stdlib@" + goVersion, "pkg:golang/golang.org/x/mod@v0.43.0"}
		if !slices.Equal(found, want) || !strings.HasPrefix(goVersion, "1.") {
			t.Errorf("the packages are %v, want %v", found, want)
		}
		if len(document.Relationships) != len(want) { // what is described, and each module
			t.Errorf("there are %d relationships", len(document.Relationships))
		}
	}
}

func TestProvenanceNamesImagesAndCommit(t *testing.T) {
	images, attached, all := open(t, makeImage(t))
	text, _, subject := fileOf(t, need(all.Image(attached[len(attached)-1].Digest))(t))
	digest := need(images.Digest())(t)
	if subject != digest {
		t.Fatalf("the last one is about %s, want the index, %s", subject, digest)
	}
	statement, predicate := &intoto.Statement{}, &slsa.Provenance{}
	must(t, protojson.Unmarshal(text, statement))
	must(t, statement.Validate())
	must(t, protojson.Unmarshal(need(protojson.Marshal(statement.GetPredicate()))(t), predicate))
	must(t, predicate.Validate())
	wanted := []string{digest.Hex}
	for _, image := range need(images.IndexManifest())(t).Manifests {
		wanted = append(wanted, image.Digest.Hex)
	}
	var named []string
	for _, subject := range statement.GetSubject() {
		named = append(named, subject.GetDigest()["sha256"])
	}
	if !slices.Equal(named, wanted) {
		t.Errorf("the subjects are %v, want %v", named, wanted)
	}
	definition := predicate.GetBuildDefinition()
	if got := definition.GetResolvedDependencies()[0].GetDigest()["gitCommit"]; got != revision {
		t.Errorf("the commit is %q", got)
	}
	parameters := definition.GetExternalParameters().AsMap()
	if parameters["program"] != "./cmd/tiny" || parameters["ldflags"] != "-X main.version=v1.2.3" || len(parameters["platforms"].([]any)) != 2 {
		t.Errorf("the parameters are %v", parameters)
	}
}

// What was built from changes that are in no commit does not claim to be of one.
func TestProvenanceOfChangesNamesNoCommit(t *testing.T) {
	_, attached, all := open(t, makeImage(t, "-revision", revision+"-dirty"))
	text, _, _ := fileOf(t, need(all.Image(attached[len(attached)-1].Digest))(t))
	if bytes.Contains(text, []byte("gitCommit")) {
		t.Errorf("the provenance is\n%s", text)
	}
}

func TestPushedImagesAreThoseOfTheLayout(t *testing.T) {
	for _, referrers := range []bool{true, false} {
		t.Run(fmt.Sprintf("with referrers API %v", referrers), func(t *testing.T) {
			server := httptest.NewServer(registry.New(registry.WithReferrersSupport(referrers), registry.Logger(log.New(io.Discard, "", 0))))
			defer server.Close()
			host := strings.TrimPrefix(server.URL, "http://")
			images, attached, _ := open(t, makeImage(t, "-registry", host+"/team"))
			tag := need(name.NewTag(host + "/team/tiny:v1.2.3"))(t)
			pulled := need(remote.Index(tag))(t)
			must(t, validate.Index(pulled))
			digest := need(images.Digest())(t)
			if got := need(pulled.Digest())(t); got != digest {
				t.Errorf("%s was pushed, want %s", got, digest)
			}
			found := 0
			for _, subject := range append(need(pulled.IndexManifest())(t).Manifests, v1.Descriptor{Digest: digest}) {
				about := need(need(remote.Referrers(tag.Digest(subject.Digest.String())))(t).IndexManifest())(t)
				for _, described := range about.Manifests {
					found++
					image := need(remote.Image(tag.Digest(described.Digest.String())))(t)
					_, mediaType, about := fileOf(t, image)
					if about != subject.Digest {
						t.Errorf("%s is found with %s, and is about %s", mediaType, subject.Digest, about)
					}
					// This registry's API gives the type of the configuration instead.
					if !referrers && mediaType != described.ArtifactType {
						t.Errorf("%s is found as %s", mediaType, described.ArtifactType)
					}
				}
			}
			if found != len(attached) {
				t.Errorf("%d artifacts are found, want %d", found, len(attached))
			}
		})
	}
}

// docker load reads manifest.json of such an archive, others its index.
func TestArchiveIsALayoutAndWhatDockerLoads(t *testing.T) {
	file := filepath.Join(t.TempDir(), "image.tar")
	images, _, _ := open(t, makeImage(t, "-archive", file))
	tag := need(name.NewTag("tiny:v1.2.3"))(t)
	loaded := need(tarball.ImageFromPath(file, &tag))(t)
	if got := need(loaded.ConfigFile())(t); got.Architecture != "amd64" {
		t.Errorf("docker would load the image for %s", got.Architecture)
	}
	first := need(images.Image(need(images.IndexManifest())(t).Manifests[0].Digest))(t)
	if a, b := need(loaded.ConfigName())(t), need(first.ConfigName())(t); a != b {
		t.Errorf("docker would load %s, want %s", a, b)
	}
	dir := t.TempDir()
	unpack(t, file, dir)
	_, _, all := open(t, dir)
	must(t, validate.Index(all))
}

func unpack(t *testing.T, file, dir string) {
	t.Helper()
	f := need(os.Open(file))(t)
	defer f.Close()
	files := tar.NewReader(f)
	for {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		must(t, err)
		path := filepath.Join(dir, filepath.FromSlash(header.Name))
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, need(io.ReadAll(files))(t), 0o644))
	}
}

func TestImageRefuses(t *testing.T) {
	occupied := t.TempDir()
	write(t, filepath.Join(occupied, "thesis.txt"), "three years of work")
	for _, test := range []struct {
		name  string
		flags []string
		want  []string
	}{
		{"a platform that the image is not for", []string{"-platforms", "linux/riscv64"}, []string{`"linux/riscv64"`, "[linux/amd64 linux/arm64]", "image.yaml"}},
		{"no time", []string{"-epoch", ""}, []string{"SOURCE_DATE_EPOCH=", "git log -1"}},
		{"no folder", []string{"-layout", ""}, []string{"-layout"}},
		{"no version", []string{"-version", ""}, []string{"-version", "v0.2.0"}},
		{"an image without a tag", []string{"-image", "tiny"}, []string{`"tiny"`, "NAME:TAG"}},
		{"an image in no place", []string{"-image", "Tiny:v1"}, []string{`"Tiny:v1"`, "NAME:TAG"}},
		{"a folder with something else in it", []string{"-layout", occupied, "-platforms", "linux/amd64"}, []string{occupied, "no OCI layout"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := tryImage(t, append([]string{"-layout", filepath.Join(t.TempDir(), "layout")}, test.flags...)...)
			for _, want := range test.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("the error is %v, want %q in it", err, want)
				}
			}
		})
	}
	if _, err := os.Stat(filepath.Join(occupied, "thesis.txt")); err != nil {
		t.Error(err)
	}
}

// Who builds the image by its Dockerfile gets one that behaves alike.
func TestDockerfileSaysTheSame(t *testing.T) {
	image := need(spec.ReadImage("image.yaml"))(t)
	entrypoint := need(json.Marshal(image.Entrypoint))(t)
	dockerfile := string(need(os.ReadFile("../Dockerfile"))(t))
	for _, line := range []string{
		"USER " + image.User, "ENTRYPOINT " + string(entrypoint), "COPY --from=build /out/scheduler " + image.Program.Path,
	} {
		if !strings.Contains(dockerfile, "\n"+line+"\n") {
			t.Errorf("the Dockerfile has no line %q, which follows from image.yaml", line)
		}
	}
}
