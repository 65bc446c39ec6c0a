package main

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"sync"

	"k8s.io/apiserver/pkg/server/healthz"
	"k8s.io/client-go/informers"
	appconfig "k8s.io/kubernetes/cmd/kube-scheduler/app/config"
)

// polledCheck is the check of /readyz that fails until node metrics were polled.
const polledCheck = "node-metrics-polled"

// readiness holds the scheduler up until its first poll was tried: a node that has
// not been asked about yet is none of which nothing is known, and pods that waited
// for it to cool down would all get in.
//
// kube-scheduler schedules no pod, does not ask for the lease and is not ready until
// its informers are synced, so the poll is waited for there, whatever extension points
// a profile enables, and on a standby as well.
type readiness struct {
	// await returns when the first poll was tried, or is not waited for any more.
	await func(context.Context)
	ready chan struct{} // closed then
}

func newReadiness(await func(context.Context)) *readiness {
	return &readiness{await: await, ready: make(chan struct{})}
}

// hold has kube-scheduler wait. Call it before kube-scheduler runs.
func (r *readiness) hold(ctx context.Context, cc *appconfig.CompletedConfig) {
	cc.InformerFactory = &heldInformers{SharedInformerFactory: cc.InformerFactory, hold: sync.OnceFunc(func() {
		r.await(ctx)
		close(r.ready)
	})}
}

// check returns the check of /readyz that tells for what kube-scheduler waits.
func (r *readiness) check() healthz.HealthChecker {
	return healthz.NamedCheck(polledCheck, func(*http.Request) error {
		select {
		case <-r.ready:
			return nil
		default:
			return errors.New("node metrics have not been polled since the start; no pod is scheduled until that was tried")
		}
	})
}

// heldInformers are informers that are not synced before hold returns.
type heldInformers struct {
	informers.SharedInformerFactory
	hold func()
}

// WaitForCacheSync implements informers.SharedInformerFactory.
func (h *heldInformers) WaitForCacheSync(stop <-chan struct{}) map[reflect.Type]bool {
	synced := h.SharedInformerFactory.WaitForCacheSync(stop)
	h.hold()
	return synced
}
