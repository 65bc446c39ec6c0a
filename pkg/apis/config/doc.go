// Package config holds the arguments of Plimsoll's plugins as they stand in a
// KubeSchedulerConfiguration (pluginConfig[].args): their types, defaults,
// strict decoding and validation.
//
// Decode reports every fault of the arguments at once, each with its field
// path, so that a configuration is mended in one round.
package config
