// Package attest tells what a program or an image is made of, and how: a bill of
// materials in SPDX, and provenance as in-toto statement. The same input gives the same bytes.
package attest

import (
	"bytes"
	"fmt"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx/v2/common"
	spdx "github.com/spdx/tools-golang/spdx/v2/v2_3"

	"github.com/plimsoll-scheduler/plimsoll/release/internal/digest"
	"github.com/plimsoll-scheduler/plimsoll/release/internal/program"
)

// SPDXMediaType is that of a bill of materials.
const SPDXMediaType = "application/spdx+json"

// A Release is which version of what is released, and when.
type Release struct {
	// Version is that of the program, such as v0.2.0.
	Version string
	// Source is the URL of the repository.
	Source string
	// Revision is the commit. Its name ends in -dirty if there were changes that are
	// in no commit, and is empty if it is not known.
	Revision string
	// Time is the one that all is dated.
	Time time.Time
}

const (
	unknown = "NOASSERTION"
	license = "Apache-2.0" // ours
)

// SBOM returns the bill of materials of a binary, in SPDX 2.3 as JSON: the program,
// and each module that is linked into it, with Go's standard library.
func (r Release) SBOM(binary program.Binary) ([]byte, error) {
	sum, err := digest.SHA256(binary.File)
	if err != nil {
		return nil, err
	}
	file := filepath.Base(binary.File)
	name := strings.Join([]string{strings.TrimSuffix(file, ".exe"), r.Version, binary.Platform.Dashed()}, "-")
	main := r.program(binary, file, sum)
	document := &spdx.Document{
		SPDXVersion:    spdx.Version,
		DataLicense:    spdx.DataLicense,
		SPDXIdentifier: "DOCUMENT",
		DocumentName:   name,
		// Two documents must not have the same one, so it names what is described.
		DocumentNamespace: r.Source + "/spdx/" + name + "-" + sum,
		CreationInfo: &spdx.CreationInfo{
			Created:  r.Time.UTC().Format(time.RFC3339),
			Creators: []common.Creator{{CreatorType: "Organization", Creator: "The Plimsoll authors"}, {CreatorType: "Tool", Creator: "plimsoll-release"}},
		},
		Packages:      []*spdx.Package{main},
		Relationships: []*spdx.Relationship{related("DOCUMENT", common.TypeRelationshipDescribe, main.PackageSPDXIdentifier)},
	}
	for i, module := range modules(binary.Info) {
		id := common.ElementID(fmt.Sprintf("Module-%d", i))
		document.Packages = append(document.Packages, packageOf(id, module))
		document.Relationships = append(document.Relationships, related(main.PackageSPDXIdentifier, common.TypeRelationshipDependsOn, id))
	}
	var out bytes.Buffer
	if err := spdxjson.Write(document, &out, spdxjson.Indent(" "), spdxjson.EscapeHTML(false)); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func (r Release) program(binary program.Binary, file, sum string) *spdx.Package {
	return &spdx.Package{
		PackageSPDXIdentifier:   "Program",
		PackageName:             binary.Info.Path,
		PackageVersion:          r.Version,
		PackageFileName:         file,
		PackageDownloadLocation: r.location(),
		PackageChecksums:        []common.Checksum{{Algorithm: common.SHA256, Value: sum}},
		PackageLicenseConcluded: license,
		PackageLicenseDeclared:  license,
		PackageCopyrightText:    unknown,
		PrimaryPackagePurpose:   "APPLICATION",
		PackageExternalReferences: []*spdx.PackageExternalReference{
			packageURL(binary.Info.Main.Path, r.Version),
		},
	}
}

// location is where the sources of the release are, in the form of SPDX.
func (r Release) location() string {
	location := "git+" + r.Source + ".git"
	if commit, ok := r.commit(); ok {
		location += "@" + commit
	}
	return location
}

func packageOf(id common.ElementID, module debug.Module) *spdx.Package {
	p := &spdx.Package{
		PackageSPDXIdentifier:     id,
		PackageName:               module.Path,
		PackageVersion:            module.Version,
		PackageDownloadLocation:   unknown,
		PackageLicenseConcluded:   unknown,
		PackageLicenseDeclared:    unknown,
		PackageCopyrightText:      unknown,
		PrimaryPackagePurpose:     "LIBRARY",
		PackageExternalReferences: []*spdx.PackageExternalReference{packageURL(module.Path, strings.TrimPrefix(module.Version, "go"))},
	}
	if module.Sum != "" {
		p.PackageComment = "go.sum: " + module.Sum
	}
	return p
}

// modules returns what is linked in, the standard library first.
func modules(info *debug.BuildInfo) []debug.Module {
	all := []debug.Module{{Path: "stdlib", Version: info.GoVersion}} // the name by which scanners know it
	for _, module := range info.Deps {
		if module.Replace != nil {
			module = module.Replace
		}
		all = append(all, *module)
	}
	slices.SortStableFunc(all[1:], func(a, b debug.Module) int { return strings.Compare(a.Path, b.Path) })
	return all
}

func packageURL(path, version string) *spdx.PackageExternalReference {
	return &spdx.PackageExternalReference{
		Category: common.CategoryPackageManager,
		RefType:  common.TypePackageManagerPURL,
		// The one character of versions that such a URL does not take as it is.
		Locator: "pkg:golang/" + path + "@" + strings.ReplaceAll(version, "+", "%2B"),
	}
}

func related(from common.ElementID, relation string, to common.ElementID) *spdx.Relationship {
	return &spdx.Relationship{
		RefA:         common.DocElementID{ElementRefID: from},
		RefB:         common.DocElementID{ElementRefID: to},
		Relationship: relation,
	}
}
