package integration

import (
	"strings"
	"testing"

	"github.com/plimsoll-scheduler/plimsoll/pkg/compat"
)

// The tests of what is built for a minor of Kubernetes run on that minor, and not on
// what happens to be there.
func TestControlPlaneIsOfTheMinorThatIsBuiltFor(t *testing.T) {
	t.Parallel()
	got, err := local.Clientset.Discovery().ServerVersion()
	if err != nil {
		t.Fatal(err)
	}
	if want := "v" + compat.Minor + "."; !strings.HasPrefix(got.GitVersion, want) {
		t.Errorf("the API server is %s, want %s*: run \"make tools K8S=%s\"", got.GitVersion, want, compat.Minor)
	}
}
