package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/google/go-containerregistry/pkg/name"

	images "github.com/plimsoll-scheduler/plimsoll/release/internal/image"
	"github.com/plimsoll-scheduler/plimsoll/release/internal/program"
	"github.com/plimsoll-scheduler/plimsoll/release/internal/spec"
)

// imageFlags are those of "release image".
type imageFlags struct {
	common
	spec, image, registry string
	layout, archive       string
	sboms                 string
}

func image(ctx context.Context, args []string) error {
	var f imageFlags
	set := flag.NewFlagSet("image", flag.ContinueOnError)
	f.bind(set)
	set.StringVar(&f.spec, "spec", "image.yaml", "what is in the image")
	set.StringVar(&f.image, "image", "", "what the image is called, such as plimsoll:v0.2.0")
	set.StringVar(&f.registry, "registry", "", "where to push it to, such as registry.example.com/team; nowhere if empty")
	set.StringVar(&f.layout, "layout", "", "the folder that gets the OCI layout")
	set.StringVar(&f.archive, "archive", "", "a file that gets the layout as tar archive, too")
	set.StringVar(&f.sboms, "sboms", "", "a folder that gets the bills of materials, too")
	if err := set.Parse(args); err != nil {
		return err
	}
	return f.make(ctx)
}

func (f *imageFlags) make(ctx context.Context) error {
	if f.layout == "" {
		return errors.New("-layout: must name the folder that gets the OCI layout")
	}
	what, err := spec.ReadImage(f.spec)
	if err != nil {
		return err
	}
	platforms, err := spec.Only(what.Platforms, f.platforms)
	if err != nil {
		return fmt.Errorf("%w, which are those of %s", err, f.spec)
	}
	release, err := f.release(what.Labels[spec.LabelSource])
	if err != nil {
		return err
	}
	tag, err := tagOf(f.registry, f.image)
	if err != nil {
		return err
	}
	binaries, clean, err := f.build(ctx, what.Program, platforms)
	if err != nil {
		return err
	}
	defer clean()
	maker := images.Maker{Spec: what, Release: release, Parameters: map[string]any{
		"program": what.Program.Package, "version": f.version, "flags": f.flags, "ldflags": f.ldflags,
	}}
	made, err := maker.Make(binaries)
	if err != nil {
		return err
	}
	if f.sboms != "" {
		name := path.Base(tag.RepositoryStr()) + "-image-" + tag.TagStr()
		for _, binary := range binaries {
			if err := writeSBOM(f.sboms, name, release, binary); err != nil {
				return err
			}
		}
	}
	return f.write(ctx, made, tag, release.Time)
}

// build builds the program for each platform into a folder that clean removes.
func (f *imageFlags) build(ctx context.Context, what spec.Program, platforms []spec.Platform) (binaries []program.Binary, clean func(), err error) {
	dir, err := os.MkdirTemp("", "plimsoll-image-")
	if err != nil {
		return nil, nil, err
	}
	clean = func() { os.RemoveAll(dir) } //nolint:errcheck // it is in the folder for such files
	for _, platform := range platforms {
		fmt.Printf("building %s for %s\n", what.Package, platform)
		binary, err := f.builder().Build(ctx, what.Package, platform, filepath.Join(dir, platform.Dashed(), path.Base(what.Path)))
		if err != nil {
			clean()
			return nil, nil, err
		}
		binaries = append(binaries, binary)
	}
	return binaries, clean, nil
}

func (f *imageFlags) write(ctx context.Context, made images.Images, tag name.Tag, date time.Time) error {
	digest, err := made.Index.Digest()
	if err != nil {
		return err
	}
	if err := made.WriteLayout(f.layout, tag); err != nil {
		return fmt.Errorf("write the layout: %w", err)
	}
	fmt.Printf("%s\n  is %s\n  is in %s\n", tag, digest, f.layout)
	if f.archive != "" {
		if err := made.WriteArchive(f.archive, f.layout, tag, date); err != nil {
			return fmt.Errorf("write the archive: %w", err)
		}
		fmt.Printf("  is in %s, for ctr images import and docker load\n", f.archive)
	}
	if f.registry == "" {
		fmt.Println("  was not pushed: there is no REGISTRY=")
		return nil
	}
	if err := made.Push(ctx, tag); err != nil {
		return err
	}
	fmt.Printf("  was pushed: %s\n", tag.Digest(digest.String()))
	return nil
}
