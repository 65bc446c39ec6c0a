package spec

import (
	"fmt"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// A Plugin is a plugin of kubectl, as krew lists it.
type Plugin struct {
	// Name is what follows kubectl on the command line.
	Name string `json:"name"`
	// Package is the folder of the command below the root of the checkout, with ./
	// before it.
	Package   string     `json:"package"`
	Platforms []Platform `json:"platforms"`
	Homepage  string     `json:"homepage"`
	// Downloads is the URL below which each version has a folder with the files of
	// its release.
	Downloads        string `json:"downloads"`
	ShortDescription string `json:"shortDescription"`
	Description      string `json:"description"`
	Caveats          string `json:"caveats"`
}

// ReadPlugin reads and checks a plugin.yaml.
func ReadPlugin(file string) (Plugin, error) {
	var plugin Plugin
	if err := decode(file, &plugin); err != nil {
		return Plugin{}, err
	}
	if err := plugin.check().ToAggregate(); err != nil {
		return Plugin{}, fmt.Errorf("%s: %w", file, err)
	}
	return plugin, nil
}

var pluginName = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

// The index of krew takes no longer ones.
const longestShortDescription = 50

func (p Plugin) check() field.ErrorList {
	errs := checkPackage(field.NewPath("package"), p.Package)
	errs = append(errs, checkPlatforms(field.NewPath("platforms"), p.Platforms, "linux", "darwin", "windows")...)
	if !pluginName.MatchString(p.Name) {
		errs = append(errs, field.Invalid(field.NewPath("name"), p.Name, "must be lower case, such as plimsoll"))
	}
	for name, url := range map[string]string{"homepage": p.Homepage, "downloads": p.Downloads} {
		if !strings.HasPrefix(url, "https://") {
			errs = append(errs, field.Invalid(field.NewPath(name), url, "must begin with https://"))
		}
	}
	short := field.NewPath("shortDescription")
	if p.ShortDescription == "" {
		errs = append(errs, field.Required(short, ""))
	} else if len(p.ShortDescription) > longestShortDescription {
		errs = append(errs, field.TooLong(short, p.ShortDescription, longestShortDescription))
	}
	if p.Description == "" {
		errs = append(errs, field.Required(field.NewPath("description"), ""))
	}
	return errs
}
