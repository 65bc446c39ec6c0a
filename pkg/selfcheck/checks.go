package selfcheck

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/metrics/pkg/apis/metrics/v1beta1"
	"k8s.io/utils/clock"
)

// MetricsAPI checks that metrics.k8s.io is served, which metrics-server does.
func MetricsAPI(client kubernetes.Interface) Check {
	return Check{Name: "metrics_api", Run: func(ctx context.Context) ([]Finding, error) {
		err := client.Discovery().RESTClient().Get().AbsPath("/apis/" + v1beta1.SchemeGroupVersion.String()).Do(ctx).Error()
		const without = "; until then nodes are judged by requests"
		switch {
		case err == nil:
			return nil, nil
		case apierrors.IsNotFound(err):
			return []Finding{{
				What:   "The cluster serves no metrics.k8s.io" + without,
				Remedy: "install metrics-server (github.com/kubernetes-sigs/metrics-server), or have NodeLoad read a Prometheus (source.type)",
			}}, nil
		case apierrors.IsServiceUnavailable(err):
			return []Finding{{
				What:   "metrics.k8s.io is registered, and nobody answers for it" + without,
				Remedy: "see why: kubectl describe apiservice v1beta1.metrics.k8s.io; kubectl -n kube-system logs deployment/metrics-server",
			}}, nil
		}
		return nil, err
	}}
}

// Right is something that the scheduler must be allowed to do.
type Right struct {
	Group, Resource, Subresource, Verb string
	// Namespace and Name are empty for all.
	Namespace, Name string
	// For is what does not work without it.
	For string
}

func (r *Right) String() string {
	resource := r.Resource
	if r.Subresource != "" {
		resource += "/" + r.Subresource
	}
	if r.Group != "" {
		resource += "." + r.Group
	}
	where := "in all namespaces"
	if r.Namespace != "" {
		where = "in the namespace " + r.Namespace
	}
	return fmt.Sprintf("%s %s %s", r.Verb, resource, where)
}

// Rights checks that the scheduler is allowed to do these. roles says which roles have
// them.
func Rights(client kubernetes.Interface, rights []Right, roles string) Check {
	return Check{Name: "rbac", Run: func(ctx context.Context) (found []Finding, err error) {
		for i := range rights {
			r := &rights[i]
			review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
				ResourceAttributes: &authorizationv1.ResourceAttributes{
					Group: r.Group, Resource: r.Resource, Subresource: r.Subresource, Verb: r.Verb, Namespace: r.Namespace, Name: r.Name,
				},
			}}
			answer, err := client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
			if err != nil {
				return nil, err
			}
			if !answer.Status.Allowed {
				found = append(found, Finding{What: "The scheduler may not " + r.String() + ": " + r.For, Remedy: roles})
			}
		}
		return found, nil
	}}
}

// maxSkew is by how much the API server's clock may differ from ours. Samples, whose age
// counts, come from nodes, but the events and leases that others read are stamped by both.
const maxSkew = 5 * time.Second

// Clock checks that the clock is that of the API server, by the dates of its answers, which
// are of whole seconds.
func Clock(client *http.Client, host string, clock clock.PassiveClock) Check {
	return Check{Name: "clock", Run: func(ctx context.Context) ([]Finding, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(host, "/")+"/version", http.NoBody)
		if err != nil {
			return nil, err
		}
		asked := clock.Now()
		response, err := client.Do(request)
		if err != nil {
			return nil, err
		}
		_ = response.Body.Close() // only its header counts
		date, err := http.ParseTime(response.Header.Get("Date"))
		if err != nil {
			return nil, fmt.Errorf("the date of the API server's answer: %w", err)
		}
		answered := clock.Now()
		// It was made at some time in between.
		ahead, behind := asked.Sub(date.Add(time.Second)), date.Sub(answered)
		remedy := "have both synchronized, as by chrony or systemd-timesyncd"
		switch {
		case ahead > maxSkew:
			return []Finding{{What: fmt.Sprintf("The clock here is %v ahead of the API server's", ahead.Round(time.Second)), Remedy: remedy}}, nil
		case behind > maxSkew:
			return []Finding{{What: fmt.Sprintf("The clock here is %v behind the API server's", behind.Round(time.Second)), Remedy: remedy}}, nil
		}
		return nil, nil
	}}
}
