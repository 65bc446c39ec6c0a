// Package cluster is how the commands of kubectl plimsoll reach a cluster: by the
// user's kubeconfig and rights, as kubectl does.
package cluster

import (
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// Flags are kubectl's own flags that say which cluster, namespace and user.
type Flags struct {
	config *genericclioptions.ConfigFlags
}

// AddFlags gives the command the flags, with completion where kubectl has it.
func AddFlags(cmd *cobra.Command) *Flags {
	f := &Flags{config: genericclioptions.NewConfigFlags(true)}
	f.config.AddFlags(cmd.Flags())
	return f
}

// REST returns the configuration of a client.
func (f *Flags) REST() (*rest.Config, error) {
	config, err := f.config.ToRESTConfig()
	if err != nil {
		return nil, fmt.Errorf("no cluster to talk to: %w; give --kubeconfig or --context, or set KUBECONFIG", err)
	}
	return config, nil
}

// Client returns a client of the API server.
func (f *Flags) Client() (kubernetes.Interface, error) {
	config, err := f.REST()
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}

// Namespace returns the namespace that --namespace or the kubeconfig names.
func (f *Flags) Namespace() (string, error) {
	namespace, _, err := f.config.ToRawKubeConfigLoader().Namespace()
	return namespace, err
}
