package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"k8s.io/klog/v2/ktesting"

	"github.com/plimsoll-scheduler/plimsoll/pkg/compat"
)

func TestTooNewForTheAPIServer(t *testing.T) {
	for _, test := range []struct {
		server, minor string
		advice        string // a part of it; empty is none
	}{
		{"v1.37.1", "1.37", ""},
		{"v1.37.0-alpha.1", "1.37", ""},
		{"v1.38.0", "1.37", ""},
		{"v2.0.0", "1.37", ""},
		{"v1.36.3", "1.37", "use the image for Kubernetes 1.36"},
		{"v1.36.3-gke.1200+abc", "1.37", "use the image for Kubernetes 1.36"},
		{"v1.9.1", "1.35", "use the image for Kubernetes 1.9"},
		{"", "1.37", ""},
		{"unknown", "1.37", ""},
	} {
		if got := tooNew(test.server, test.minor); got == "" != (test.advice == "") || !strings.Contains(got, test.advice) {
			t.Errorf("API server %q, built on %s: %q, want %q", test.server, test.minor, got, test.advice)
		}
	}
}

func TestTheLogSaysIfTheAPIServerIsTooOld(t *testing.T) {
	for answer, want := range map[string]bool{
		`{"gitVersion": "v1.34.7"}`:                 true,
		`{"gitVersion": "v` + compat.Minor + `.0"}`: false,
		`{"gitVersion": 1}`:                         false,
		``:                                          false,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/version" || answer == "" {
				http.NotFound(w, r)
				return
			}
			_, _ = w.Write([]byte(answer)) // the client tells if it does not arrive
		}))
		client, err := kubernetes.NewForConfig(&rest.Config{Host: server.URL})
		if err != nil {
			t.Fatal(err)
		}
		logger := ktesting.NewLogger(t, ktesting.NewConfig(ktesting.BufferLogs(true)))
		sayIfTooNew(klog.NewContext(t.Context(), logger), client.Discovery().RESTClient())
		server.Close()
		log := logger.GetSink().(ktesting.Underlier).GetBuffer().String()
		if said := strings.Contains(log, "use the image for Kubernetes 1.34"); said != want {
			t.Errorf("answer %s: said %t, want %t; the log: %s", answer, said, want, log)
		}
	}
}
