// Package page makes what a release page has beside the images: notes, the packaged
// chart, manifests, archives of the plugin of kubectl with their manifest for krew, and checksums.
package page

import (
	"fmt"
	"strings"
	"time"

	"golang.org/x/mod/semver"
)

// CheckVersion returns an error unless the version is a semantic one with v before it.
func CheckVersion(version string) error {
	if semver.Canonical(version) != version || version == "" {
		return fmt.Errorf("VERSION=%s: must be a semantic version with v before it and without build metadata, such as v0.2.0 or v0.2.0-rc.1", version)
	}
	return nil
}

// The heading in the changelog of what is in no version yet.
const unreleased = "Unreleased"

// Notes returns what the changelog says of the version: its section, without the
// heading. A version before a release, such as v0.2.0-rc.1, that has none gets what is
// unreleased. The date is for the error, which says what to add.
func Notes(changelog, version string, date time.Time) (string, error) {
	number := strings.TrimPrefix(version, "v")
	section, found := sectionOf(changelog, number)
	if !found && semver.Prerelease(version) != "" {
		number = unreleased
		section, found = sectionOf(changelog, number)
	}
	if !found {
		return "", fmt.Errorf("the changelog has no section of %s: make \"## %s\" into \"## %s - %s\", and begin a new \"## %[2]s\" above it",
			version, unreleased, number, date.UTC().Format(time.DateOnly))
	}
	if section == "" {
		return "", fmt.Errorf("the changelog's section %q is empty: say what users will notice", "## "+number)
	}
	return section + "\n", nil
}

// sectionOf returns what is below the heading of a version, such as "## 0.2.0 - 2026-12-24", up to the next.
func sectionOf(changelog, number string) (text string, found bool) {
	var section strings.Builder
	for line := range strings.Lines(changelog) {
		if heading, is := strings.CutPrefix(line, "## "); is {
			if found {
				break
			}
			found = strings.TrimSpace(strings.SplitN(heading, " - ", 2)[0]) == number
			continue
		}
		if found {
			section.WriteString(line)
		}
	}
	return strings.TrimSpace(section.String()), found
}
