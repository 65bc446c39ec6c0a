package isolate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
)

// runner runs the command once.
type runner struct {
	*options
	client    kubernetes.Interface
	namespace string
	out       io.Writer
	now       func() time.Time
}

func (r *runner) run(ctx context.Context, args []string) error {
	switch {
	case r.list:
		all, err := r.isolated(ctx)
		if err != nil {
			return err
		}
		return r.printList(ctx, all)
	case r.undo && r.overdue:
		return r.undoOverdue(ctx)
	}
	p, err := r.one(ctx, r.namespace, args[0])
	if err != nil {
		return err
	}
	return r.printDone(ctx, p)
}

// one isolates a pod, or undoes it.
func (r *runner) one(ctx context.Context, namespace, name string) (*Plan, error) {
	plan := r.isolation
	if r.undo {
		plan = r.undoing
	}
	return change(ctx, r.client, namespace, name, func(pod *v1.Pod) (*Plan, error) { return plan(ctx, pod) }, r.printPlan, r.dryRun)
}

// isolation plans to isolate the pod.
func (r *runner) isolation(ctx context.Context, pod *v1.Pod) (*Plan, error) {
	a, err := lookAround(ctx, r.client, pod.Namespace)
	if err != nil {
		return nil, err
	}
	p, err := planIsolation(pod, a, r.unreplaced)
	if err != nil {
		return nil, err
	}
	if err := checkDaemon(ctx, r.client, pod); err != nil {
		return nil, err
	}
	now := r.now().UTC().Truncate(time.Second)
	p.Record = &Record{Labels: p.Labels, Reason: r.reason, By: r.user(ctx), Since: now, Annotations: set(p.annotations, guards())}
	if r.length > 0 {
		p.Record.Until = new(now.Add(r.length))
	}
	if c := metav1.GetControllerOf(pod); c != nil {
		p.Record.Controller = &Controller{Kind: c.Kind, Name: c.Name, UID: c.UID}
	}
	text, err := json.Marshal(p.Record)
	if err != nil {
		return nil, err
	}
	p.annotations[config.IsolatedAnnotation] = string(text)
	return p, nil
}

// user returns the name by which the API server knows the user, "" if it does not tell.
func (r *runner) user(ctx context.Context) string {
	review, err := r.client.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		return "" // an API server may have this turned off; who it was is in its audit log
	}
	return review.Status.UserInfo.Username
}

// undoing plans to put the pod back, or to delete it.
func (r *runner) undoing(ctx context.Context, pod *v1.Pod) (*Plan, error) {
	if r.del {
		return planDeletion(pod)
	}
	if !isolated(pod) {
		_, _, err := planOf(pod, actionRestore)
		return nil, err
	}
	a, err := lookAround(ctx, r.client, pod.Namespace)
	if err != nil {
		return nil, err
	}
	return planUndo(pod, a)
}

// isolated returns the pods that are isolated, or with --overdue those for too long.
func (r *runner) isolated(ctx context.Context) ([]Isolated, error) {
	namespace := r.namespace
	if r.allNamespaces {
		namespace = metav1.NamespaceAll
	}
	all, err := listIsolated(ctx, r.client, namespace, r.now())
	if err != nil || !r.overdue {
		return all, err
	}
	overdue := []Isolated{}
	for _, i := range all {
		if i.Overdue {
			overdue = append(overdue, i)
		}
	}
	return overdue, nil
}

// undoOverdue undoes the isolation of all pods that are overdue. A fault of one does not
// keep it from the others.
func (r *runner) undoOverdue(ctx context.Context) error {
	all, err := r.isolated(ctx)
	if err != nil {
		return err
	}
	var errs []error
	plans := []*Plan{} // none is no null
	for _, i := range all {
		p, err := r.one(ctx, i.Namespace, i.Pod)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		plans = append(plans, p)
		if r.show.Text() {
			errs = append(errs, r.printDone(ctx, p))
		}
	}
	switch {
	case !r.show.Text():
		errs = append(errs, r.print(ctx, plans, nil))
	case len(all) == 0:
		fmt.Fprintln(r.out, "no isolated pod is overdue")
	}
	return errors.Join(errs...)
}
