package load

import "context"

// PodLister is a PodSource that also tells in one call what all pods use. That
// is worth its size once, to know the running pods when the process starts; from
// then on single pods are asked for.
type PodLister interface {
	// ListPods returns the newest reading of each pod that the source knows, as
	// PollPods does of single ones: what could be read is returned together with
	// the error for the rest.
	ListPods(ctx context.Context) ([]PodReading, error)
}
