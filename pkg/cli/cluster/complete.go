package cluster

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Who presses the tab key waits no longer than completionTimeout, for no more than
// completionLimit names.
const (
	completionTimeout = 3 * time.Second
	completionLimit   = 500
)

// NodeNames returns the names of nodes, for completion: none if they cannot be had.
func (f *Flags) NodeNames(ctx context.Context) (names []string) {
	client, err := f.Client()
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, completionTimeout)
	defer cancel()
	list, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{Limit: completionLimit, ResourceVersion: "0"})
	if err != nil {
		return nil
	}
	for i := range list.Items {
		names = append(names, list.Items[i].Name)
	}
	return names
}

// PodNames returns the names of the pods of the namespace, for completion: none if they
// cannot be had.
func (f *Flags) PodNames(ctx context.Context) (names []string) {
	client, err := f.Client()
	if err != nil {
		return nil
	}
	namespace, err := f.Namespace()
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, completionTimeout)
	defer cancel()
	list, err := client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{Limit: completionLimit, ResourceVersion: "0"})
	if err != nil {
		return nil
	}
	for i := range list.Items {
		names = append(names, list.Items[i].Name)
	}
	return names
}
