// Package config has the example configurations, for programs that need them at
// hand.
package config

import _ "embed" // of the configuration

//go:embed plimsoll.yaml
var plimsoll []byte

// Plimsoll returns the recommended configuration, plimsoll.yaml.
func Plimsoll() []byte { return plimsoll }
