// Command scheduler is kube-scheduler with Plimsoll's plugins, NodeLoad and
// DeviceFit, and with Trimaran's, so that profiles of both can be compared in
// one process. All flags, endpoints and the leader election are kube-scheduler's.
package main

import (
	"errors"
	"fmt"
	"os"

	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"          // as kube-scheduler does: the JSON log format
	_ "k8s.io/component-base/metrics/prometheus/clientgo" // metrics of the API client
	_ "k8s.io/component-base/metrics/prometheus/version"  // and of the version
	"k8s.io/klog/v2"

	"github.com/plimsoll-scheduler/plimsoll/pkg/configfile"
)

// version is set by the linker (see the Makefile).
var version = "v0.1.0-dev"

func main() {
	os.Exit(run(version))
}

// run is cli.Run, except that faults of the configuration are printed for a
// person to read, a line each, and not as one quoted string in a log line.
func run(version string) (exitCode int) {
	err := cli.RunNoErrOutput(newCommand(version))
	var faults *configfile.Error
	switch {
	case err == nil:
		return 0
	case errors.As(err, &faults):
		fmt.Fprintln(os.Stderr, "Error:", faults)
	default:
		klog.ErrorS(err, "command failed")
	}
	return 1
}
