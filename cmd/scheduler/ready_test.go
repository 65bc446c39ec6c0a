package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"k8s.io/apiserver/pkg/server/healthz"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	appconfig "k8s.io/kubernetes/cmd/kube-scheduler/app/config"
)

// The informers are synced, and the check passes, when the poll was waited for.
func TestReadyWhenTheFirstPollWasTried(t *testing.T) {
	awaits, tried := make(chan struct{}), make(chan struct{})
	r := newReadiness(func(context.Context) { close(awaits); <-tried })
	mux := http.NewServeMux()
	healthz.InstallReadyzHandler(mux, r.check())
	asks := func(wantStatus int, want string) {
		t.Helper()
		answer := httptest.NewRecorder()
		mux.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/readyz?verbose", http.NoBody))
		if body := answer.Body.String(); answer.Code != wantStatus || !strings.Contains(body, want) {
			t.Errorf("status %d, want %d and %q:\n%s", answer.Code, wantStatus, want, body)
		}
	}
	config := appconfig.Config{InformerFactory: informers.NewSharedInformerFactory(fake.NewClientset(), 0)}
	cc := config.Complete()
	r.hold(t.Context(), &cc)
	asks(http.StatusInternalServerError, "[-]node-metrics-polled failed")

	synced := make(chan struct{})
	go func() {
		defer close(synced)
		cc.InformerFactory.WaitForCacheSync(t.Context().Done())
	}()
	<-awaits
	asks(http.StatusInternalServerError, "[-]node-metrics-polled failed")
	select {
	case <-synced:
		t.Error("the informers are synced before the poll was tried")
	default:
	}
	close(tried)
	<-synced
	asks(http.StatusOK, "[+]node-metrics-polled ok")
}
