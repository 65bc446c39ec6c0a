package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/plimsoll-scheduler/plimsoll/release/internal/attest"
	"github.com/plimsoll-scheduler/plimsoll/release/internal/page"
	"github.com/plimsoll-scheduler/plimsoll/release/internal/program"
	"github.com/plimsoll-scheduler/plimsoll/release/internal/spec"
)

// pageFlags are those of "release page".
type pageFlags struct {
	common
	plugin, registry, images, out string
}

// releasePage makes all but the images and the checksums, which come last.
func releasePage(ctx context.Context, args []string) error {
	var f pageFlags
	set := flag.NewFlagSet("page", flag.ContinueOnError)
	f.bind(set)
	set.StringVar(&f.plugin, "plugin", "plugin.yaml", "what the plugin of kubectl is")
	set.StringVar(&f.images, "images", "", "the images of the release, the one for the newest Kubernetes first")
	set.StringVar(&f.registry, "registry", "", "where the images are pushed to; the manifests name them there")
	set.StringVar(&f.out, "out", "", "the folder that gets the files")
	if err := set.Parse(args); err != nil {
		return err
	}
	return f.make(ctx)
}

func (f *pageFlags) make(ctx context.Context) error {
	if f.out == "" {
		return errors.New("-out: must name the folder that gets the files")
	}
	plugin, err := spec.ReadPlugin(f.plugin)
	if err != nil {
		return err
	}
	platforms, err := spec.Only(plugin.Platforms, f.platforms)
	if err != nil {
		return fmt.Errorf("%w, which are those of %s", err, f.plugin)
	}
	release, err := f.release(plugin.Homepage)
	if err != nil {
		return err
	}
	if err := page.CheckVersion(f.version); err != nil {
		return err
	}
	if release.Revision == "" || strings.HasSuffix(release.Revision, "-dirty") {
		return errors.New("a release is made of a commit: commit or stash what has changed (git status)")
	}
	if err := f.notes(release); err != nil {
		return err
	}
	if err := f.install(release); err != nil {
		return err
	}
	return f.archives(ctx, plugin, platforms, release)
}

func (f *pageFlags) write(name string, content []byte) error {
	return os.WriteFile(filepath.Join(f.out, name), content, 0o644)
}

func (f *pageFlags) notes(release attest.Release) error {
	changelog, err := os.ReadFile(filepath.Join(f.root, "CHANGELOG.md"))
	if err != nil {
		return err
	}
	notes, err := page.Notes(string(changelog), f.version, release.Time)
	if err != nil {
		return err
	}
	return f.write("notes.md", []byte(notes))
}

// install makes the chart, and the manifests for each image.
func (f *pageFlags) install(release attest.Release) error {
	var repository string
	for _, image := range strings.Fields(f.images) {
		tag, manifests, err := manifestsFor(f.root, f.registry, image)
		if err != nil {
			return err
		}
		// plimsoll:v0.2.0-k8s1.36 is in install-k8s1.36.yaml.
		if err := f.write("install"+strings.TrimPrefix(tag.TagStr(), f.version)+".yaml", manifests); err != nil {
			return err
		}
		if f.registry != "" {
			repository = tag.RegistryStr() + "/" + tag.RepositoryStr()
		}
	}
	_, err := page.Chart(filepath.Join(f.root, "charts", "plimsoll"), f.out, f.version, repository, release.Time)
	return err
}

// writeManifests writes the manifests for one image.
func writeManifests(args []string) error {
	set := flag.NewFlagSet("manifests", flag.ContinueOnError)
	root := set.String("root", "..", "the root of the checkout")
	image := set.String("image", "", "the image, such as plimsoll:v0.2.0")
	registry := set.String("registry", "", "where the image is pushed to; the manifests name it there")
	out := set.String("out", "", "the file that gets them")
	if err := set.Parse(args); err != nil {
		return err
	}
	if *out == "" {
		return errors.New("-out: must name the file that gets them")
	}
	_, manifests, err := manifestsFor(*root, *registry, *image)
	if err != nil {
		return err
	}
	return os.WriteFile(*out, manifests, 0o644)
}

// manifestsFor returns the manifests that name the image in the registry, and its tag.
func manifestsFor(root, registry, image string) (tag name.Tag, manifests []byte, err error) {
	if tag, err = tagOf(registry, image); err != nil {
		return tag, nil, err
	}
	manifests, err = page.Manifests(filepath.Join(root, "manifests", "base"), tag)
	return tag, manifests, err
}

func (f *pageFlags) archives(ctx context.Context, plugin spec.Plugin, platforms []spec.Platform, release attest.Release) error {
	dir, err := os.MkdirTemp("", "plimsoll-plugin-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it is in the folder for such files
	var archives []page.PluginArchive
	for _, platform := range platforms {
		fmt.Printf("building %s for %s\n", plugin.Package, platform)
		binary, err := f.builder().Build(ctx, plugin.Package, platform, filepath.Join(dir, platform.Dashed(), page.ProgramName(plugin, platform)))
		if err != nil {
			return err
		}
		made, err := page.ArchivePlugin(f.out, plugin, f.version, filepath.Join(f.root, page.License), binary, release.Time)
		if err != nil {
			return err
		}
		if err := writeSBOM(f.out, "kubectl-"+plugin.Name+"-"+f.version, release, binary); err != nil {
			return err
		}
		archives = append(archives, made)
	}
	manifest, err := page.KrewManifest(plugin, f.version, archives)
	if err != nil {
		return err
	}
	return f.write(plugin.Name+".yaml", manifest)
}

// writeSBOM writes the bill of materials of a binary beside the files of a release.
func writeSBOM(dir, name string, release attest.Release, binary program.Binary) error {
	sbom, err := release.SBOM(binary)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name+"-"+binary.Platform.Dashed()+".spdx.json"), sbom, 0o644)
}

// tagOf returns what an image is called in a registry, or by itself if that is empty.
func tagOf(registry, image string) (name.Tag, error) {
	tag, err := name.NewTag(path.Join(registry, image), name.WithDefaultTag(""))
	if err == nil && tag.TagStr() == "" {
		err = errors.New("there is no tag")
	}
	if err != nil {
		return name.Tag{}, fmt.Errorf("image %q in registry %q: %w: must be NAME:TAG, such as plimsoll:v0.2.0", image, registry, err)
	}
	return tag, nil
}

// checksums writes those of all files of the release, and lists them.
func checksums(args []string) error {
	if len(args) != 1 {
		return errors.New("sums: name the folder of the release")
	}
	if err := page.Checksums(args[0]); err != nil {
		return err
	}
	entries, err := os.ReadDir(args[0])
	if err != nil {
		return err
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			return err
		}
		fmt.Printf("%7.1f MB  %s\n", float64(info.Size())/1e6, filepath.Join(args[0], entry.Name()))
	}
	return nil
}
