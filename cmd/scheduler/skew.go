package main

import (
	"context"
	"encoding/json"
	"fmt"

	utilversion "k8s.io/apimachinery/pkg/util/version"
	apiversion "k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"github.com/plimsoll-scheduler/plimsoll/pkg/compat"
)

// sayIfTooNew has the log say that the API server is older than the Kubernetes that
// this is built on. Such a scheduler waits for kinds of objects that the API server
// does not have, and nothing else tells why it never becomes ready. It is no error: it
// may work all the same. What cannot be asked or read is told by others.
func sayIfTooNew(ctx context.Context, client rest.Interface) {
	body, err := client.Get().AbsPath("/version").DoRaw(ctx)
	if err != nil {
		return
	}
	var server apiversion.Info
	if err := json.Unmarshal(body, &server); err != nil {
		return
	}
	if advice := tooNew(server.GitVersion, compat.Minor); advice != "" {
		klog.FromContext(ctx).Error(nil, advice, "apiServer", server.GitVersion, "builtOn", compat.Minor)
	}
}

// tooNew returns what to do if the API server's version, such as v1.36.3, is older than
// the minor; empty if it is not, or cannot be told.
func tooNew(server, minor string) string {
	have, err := utilversion.ParseGeneric(server)
	if err != nil {
		return ""
	}
	want := utilversion.MustParseGeneric(minor)
	if have.WithPatch(0).AtLeast(want) {
		return ""
	}
	return fmt.Sprintf("The API server is older than the Kubernetes that this scheduler is built on, so it may never become ready: use the image for Kubernetes %d.%d (see docs/kubernetes-versions.md)", have.Major(), have.Minor())
}
