// Command tiny stands for the scheduler in tests, as it builds in a second.
package main

import (
	"fmt"

	"golang.org/x/mod/semver"
)

var version = "v0.0.0"

func main() { fmt.Println(semver.Canonical(version)) }
