package cluster

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// tokenLifetime is longer than a test or a demonstration takes.
const tokenLifetime = 24 * time.Hour

// ServiceAccountKubeconfig asks the API server for a token of an existing
// service account and writes a kubeconfig that authenticates with it, and with
// nothing else. It returns the file's path, which is in Dir.
func (c *Cluster) ServiceAccountKubeconfig(ctx context.Context, namespace, name string) (path string, err error) {
	seconds := int64(tokenLifetime.Seconds())
	request := &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds},
	}
	token, err := c.Clientset.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, name, request, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("token of service account %s/%s: %w", namespace, name, err)
	}
	config, err := clientcmd.LoadFromFile(c.Kubeconfig)
	if err != nil {
		return "", err
	}
	current := config.Contexts[config.CurrentContext]
	config.AuthInfos = map[string]*clientcmdapi.AuthInfo{name: {Token: token.Status.Token}}
	config.Contexts = map[string]*clientcmdapi.Context{
		name: {Cluster: current.Cluster, AuthInfo: name, Namespace: namespace},
	}
	config.CurrentContext = name

	path = filepath.Join(c.Dir, fmt.Sprintf("%s.%s.kubeconfig", namespace, name))
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		return "", fmt.Errorf("kubeconfig of service account %s/%s: %w", namespace, name, err)
	}
	return path, nil
}

// Authority returns the paths of the certificate of the authority that all of the cluster
// trusts, and of its key.
func (c *Cluster) Authority() (certificate, key string) {
	dir := filepath.Join(c.Dir, "clusters", c.Name, pkiDir)
	return filepath.Join(dir, "ca.crt"), filepath.Join(dir, "ca.key")
}

// Kubectl runs kubectl as the administrator and returns what it prints. The
// error has what it prints to standard error.
func (c *Cluster) Kubectl(ctx context.Context, args ...string) (stdout string, err error) {
	args = append([]string{"--kubeconfig", c.Kubeconfig, "--cache-dir", filepath.Join(c.Dir, "kubectl-cache")}, args...)
	cmd := exec.CommandContext(ctx, c.linked("kubectl"), args...)
	cmd.Env = append(os.Environ(), "KUBECTL_KUBERC=false") // nothing from the user's home
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("kubectl %s: %w: %s", strings.Join(args[4:], " "), err, strings.TrimSpace(errOut.String()))
	}
	return out.String(), nil
}

// Link makes a program part of the cluster: it returns a path in Dir that
// stands for the program, and what is started by that path, a scheduler for
// example, is killed when the cluster ends.
func (c *Cluster) Link(program string) (path string, err error) {
	program, err = filepath.Abs(program)
	if err != nil {
		return "", err
	}
	path = c.linked(filepath.Base(program))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	linkErr := os.Symlink(program, path)
	if target, err := os.Readlink(path); err == nil && target == program {
		return path, nil // also if it was linked before
	}
	return "", fmt.Errorf("link %s into the cluster: %w", program, linkErr)
}

func (c *Cluster) linked(name string) string {
	return filepath.Join(c.Dir, "bin", name)
}

// kwokctl runs kwokctl on this cluster. Variables of kwok in the environment
// would override the configuration.
func (c *Cluster) kwokctl(ctx context.Context, args ...string) error {
	args = append([]string{"--name", c.Name}, args...)
	cmd := exec.CommandContext(ctx, c.linked("kwokctl"), args...)
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "KWOK_") {
			cmd.Env = append(cmd.Env, variable)
		}
	}
	cmd.Env = append(cmd.Env, "KWOK_WORKDIR="+c.Dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx) // it says more than "killed"
		}
		return fmt.Errorf("kwokctl %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}
