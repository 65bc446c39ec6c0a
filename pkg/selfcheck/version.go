package selfcheck

import (
	"context"
	"encoding/json"
	"fmt"

	utilversion "k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/kubernetes"
)

// Version checks that the API server is no older than the minor of Kubernetes, such as
// 1.37, that the scheduler is built on. Else that waits for kinds of objects which the API
// server does not have, and nothing else tells why it never becomes ready.
func Version(client kubernetes.Interface, minor string) Check {
	return Check{Name: "version", Run: func(ctx context.Context) ([]Finding, error) {
		body, err := client.Discovery().RESTClient().Get().AbsPath("/version").DoRaw(ctx)
		if err != nil {
			return nil, err
		}
		var server version.Info
		if err := json.Unmarshal(body, &server); err != nil {
			return nil, fmt.Errorf("the API server's version: %w", err)
		}
		have, err := utilversion.ParseGeneric(server.GitVersion)
		if err != nil {
			return nil, fmt.Errorf("the API server's version: %w", err)
		}
		want, err := utilversion.ParseGeneric(minor)
		if err != nil || have.WithPatch(0).AtLeast(want) {
			return nil, err
		}
		return []Finding{{
			What:   fmt.Sprintf("The API server is older than the Kubernetes that this scheduler is built on, %s and not %s: it may never become ready", server.GitVersion, minor),
			Remedy: fmt.Sprintf("use the image of Plimsoll for Kubernetes %d.%d: see docs/kubernetes-versions.md", have.Major(), have.Minor()),
		}}, nil
	}}
}
