package leader

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/cluster"
	"github.com/plimsoll-scheduler/plimsoll/pkg/status"
)

// timeout is for one answer.
const timeout = 30 * time.Second

// Client asks a scheduler. Close it.
type Client struct {
	base string
	http *http.Client
	stop func()
	// kube is for what the API server is asked on the way.
	kube   kubernetes.Interface
	config *rest.Config
	// lease is the one that the scheduler held when it was found; nil with --scheduler-url.
	lease *coordinationv1.Lease
	// Name is what is asked: the pod, or the address.
	Name string
}

// Connect reaches the leader with the user's own credentials: through the API server, or
// directly if --scheduler-url says where.
func (f *Flags) Connect(ctx context.Context, to *cluster.Flags) (*Client, error) {
	config, err := to.REST()
	if err != nil {
		return nil, err
	}
	kube, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	c := &Client{kube: kube, config: config, stop: func() {}}
	verify := false
	if f.url != "" {
		if c.base, verify, err = parseURL(f.url); err != nil {
			return nil, err
		}
		c.Name = c.base
	} else if err := c.forward(ctx, f); err != nil {
		return nil, err
	}
	if c.http, err = clientOf(config, verify); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// forward forwards a port to the leader.
func (c *Client) forward(ctx context.Context, f *Flags) error {
	lease, err := f.find(ctx, c.kube)
	if err != nil {
		return err
	}
	leader, port, err := pod(ctx, c.kube, lease)
	if err != nil {
		return err
	}
	if leader.Status.Phase != v1.PodRunning {
		return fmt.Errorf("the pod %s/%s, which holds the lease %s/%s, is %s: see kubectl -n %s describe pod %s",
			leader.Namespace, leader.Name, lease.Namespace, lease.Name, leader.Status.Phase, leader.Namespace, leader.Name)
	}
	local, stop, err := forward(ctx, c.kube, c.config, leader, port)
	if err != nil {
		return err
	}
	c.lease = lease
	c.base, c.stop = "https://"+net.JoinHostPort("127.0.0.1", strconv.Itoa(local)), stop
	c.Name = leader.Namespace + "/" + leader.Name
	return nil
}

// parseURL returns the URL without a path, and whether its certificate is verified.
func parseURL(text string) (base string, verify bool, err error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.Path != "" && u.Path != "/" {
		return "", false, fmt.Errorf("--scheduler-url %q: must be https://HOST:PORT", text)
	}
	ip := net.ParseIP(u.Hostname())
	loopback := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	return "https://" + u.Host, !loopback, nil
}

// clientOf returns a client with the user's credentials. Through a forwarded port it is
// the API server that vouches for the pod; the pod's own certificate is mostly one that
// it has made for itself.
func clientOf(config *rest.Config, verify bool) (*http.Client, error) {
	own := rest.CopyConfig(config)
	own.Impersonate = rest.ImpersonationConfig{} // asked for with mayGet
	own.Timeout = timeout
	own.Proxy = nil
	if !verify {
		own.Insecure = true
		own.CAData, own.CAFile, own.ServerName = nil, "", ""
	}
	return rest.HTTPClientFor(own)
}

// Close ends the connection.
func (c *Client) Close() { c.stop() }

// Get asks for what is at the path, into what the answer's JSON is decoded.
func (c *Client) Get(ctx context.Context, path string, query url.Values, into any) error {
	body, err := c.GetRaw(ctx, path, query)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("the answer of the scheduler (%s) to %s cannot be read; is it of another version than this command? %w", c.Name, path, err)
	}
	return nil
}

// ErrNotFound is in the error for what the scheduler does not know.
var ErrNotFound = errors.New("not found")

// GetRaw asks for what is at the path.
func (c *Client) GetRaw(ctx context.Context, path string, query url.Values) ([]byte, error) {
	if err := c.mayGet(ctx, path); err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path+"?"+query.Encode(), http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask the scheduler (%s): %w", c.Name, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("ask the scheduler (%s) for %s: the answer breaks off: %w", c.Name, path, err)
	}
	return body, c.check(response, path, body)
}

// check returns what is wrong with an answer.
func (c *Client) check(response *http.Response, path string, body []byte) error {
	said := status.Failure{}
	isOurs := json.Unmarshal(body, &said) == nil && said.Error != ""
	switch code := response.StatusCode; {
	case code == http.StatusOK:
		return nil
	case code == http.StatusUnauthorized:
		return fmt.Errorf("the scheduler (%s) does not know you: it knows bearer tokens and client certificates that the API server knows", c.Name)
	case code == http.StatusForbidden:
		return mayNot(path, "")
	case code == http.StatusNotFound && isOurs:
		return fmt.Errorf("%w: %s", ErrNotFound, said.Error)
	case code == http.StatusNotFound:
		return fmt.Errorf("the scheduler (%s) has no %s: it is older than this command; update it, or use the command of its version", c.Name, path)
	case isOurs:
		return fmt.Errorf("the scheduler (%s) says to %s: %s", c.Name, path, said.Error)
	}
	return fmt.Errorf("the scheduler (%s) answers %s with %s", c.Name, path, response.Status)
}

// mayGet asks the API server, when somebody is impersonated, whether they may get the
// path: the scheduler knows no impersonation, and would answer who asks.
func (c *Client) mayGet(ctx context.Context, path string) error {
	if c.config.Impersonate.UserName == "" {
		return nil
	}
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		NonResourceAttributes: &authorizationv1.NonResourceAttributes{Path: path, Verb: "get"},
	}}
	answer, err := c.kube.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
	switch {
	case apierrors.IsForbidden(err):
		return err
	case err != nil:
		return fmt.Errorf("ask whether %s may get %s: %w", c.config.Impersonate.UserName, path, err)
	case !answer.Status.Allowed:
		return mayNot(path, c.config.Impersonate.UserName)
	}
	return nil
}

// mayNot says which rule somebody lacks.
func mayNot(path, who string) error {
	if who == "" {
		who = "you"
	}
	return fmt.Errorf("%s may not get %s of the scheduler. The rule to add to a ClusterRole (the ClusterRole plimsoll:viewer has it):\n  nonResourceURLs: [%q]\n  verbs: [get]", who, path, status.Root+"*")
}
