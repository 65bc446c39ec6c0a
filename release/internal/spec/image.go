package spec

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// An Image is what is in the container image.
type Image struct {
	Program Program `json:"program"`
	// Entrypoint is what runs: the program, and arguments.
	Entrypoint []string `json:"entrypoint"`
	// User is the number of the user and that of the group, UID:GID. It is not root.
	User      string     `json:"user"`
	Platforms []Platform `json:"platforms"`
	// Labels are those of the image's configuration, and the annotations of its
	// manifests. The labels of SetByTheBuild are not among them.
	Labels map[string]string `json:"labels"`
}

// A Program is the one file in the image.
type Program struct {
	// Package is the folder of the command below the root of the checkout, with ./
	// before it.
	Package string `json:"package"`
	// Path is where the program is in the image. It is absolute.
	Path string `json:"path"`
}

// The labels that the build sets.
const (
	LabelVersion  = "org.opencontainers.image.version"
	LabelRevision = "org.opencontainers.image.revision"
	LabelCreated  = "org.opencontainers.image.created"
	// LabelTitle is what the image is called. It is required.
	LabelTitle = "org.opencontainers.image.title"
	// LabelSource is where the sources are. It is required.
	LabelSource = "org.opencontainers.image.source"
)

// ReadImage reads and checks an image.yaml.
func ReadImage(file string) (Image, error) {
	var image Image
	if err := decode(file, &image); err != nil {
		return Image{}, err
	}
	if err := image.check().ToAggregate(); err != nil {
		return Image{}, fmt.Errorf("%s: %w", file, err)
	}
	return image, nil
}

var userAndGroup = regexp.MustCompile(`^[1-9][0-9]{0,9}:[1-9][0-9]{0,9}$`)

func (i Image) check() field.ErrorList {
	errs := checkPackage(field.NewPath("program", "package"), i.Program.Package)
	errs = append(errs, checkPlatforms(field.NewPath("platforms"), i.Platforms, "linux")...)
	at := i.Program.Path
	if !path.IsAbs(at) || path.Clean(at) != at || at == "/" {
		errs = append(errs, field.Invalid(field.NewPath("program", "path"), at, "must be the absolute path of a file, such as /scheduler"))
	}
	if len(i.Entrypoint) == 0 || i.Entrypoint[0] != at {
		errs = append(errs, field.Invalid(field.NewPath("entrypoint"), i.Entrypoint, fmt.Sprintf("must begin with program.path, %q, since there is nothing else in the image", at)))
	}
	if !userAndGroup.MatchString(i.User) {
		errs = append(errs, field.Invalid(field.NewPath("user"), i.User, `must be UID:GID in numbers, neither of them 0, such as "65532:65532"`))
	}
	return append(errs, i.checkLabels()...)
}

func (i Image) checkLabels() (errs field.ErrorList) {
	labels := field.NewPath("labels")
	for _, key := range []string{LabelTitle, LabelSource} {
		if i.Labels[key] == "" {
			errs = append(errs, field.Required(labels.Key(key), ""))
		}
	}
	for _, key := range []string{LabelVersion, LabelRevision, LabelCreated} {
		if _, given := i.Labels[key]; given {
			errs = append(errs, field.Forbidden(labels.Key(key), "is set by the build"))
		}
	}
	if keys := slices.Sorted(maps.Keys(i.Labels)); slices.ContainsFunc(keys, func(key string) bool { return key == "" || strings.ContainsAny(key, " \t\n") }) {
		errs = append(errs, field.Invalid(labels, keys, "must have keys without spaces, such as "+LabelTitle))
	}
	return errs
}
