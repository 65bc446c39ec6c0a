package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	genericapifilters "k8s.io/apiserver/pkg/endpoints/filters"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	genericfilters "k8s.io/apiserver/pkg/server/filters"
	"k8s.io/apiserver/pkg/server/healthz"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/kubernetes/cmd/kube-scheduler/app/config"

	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
)

// shutdownTimeout is how long requests under way may take when the process ends.
const shutdownTimeout = 5 * time.Second

// endpoints are Plimsoll's own: decisions, what is known of the cluster, and whether
// we are ready.
type endpoints struct {
	decisions http.Handler
	status    interface{ Install(mux *http.ServeMux) }
	ready     healthz.HealthChecker
}

// serve serves them until ctx ends, as kube-scheduler serves its own endpoints: with
// its certificates, TLS settings, authentication and authorization. Who may get a path
// there (nonResourceURLs) may get it here. Call it before kube-scheduler serves.
func (e *endpoints) serve(ctx context.Context, cc *config.CompletedConfig, port, securePort int) error {
	if port < 0 && securePort > 0 {
		port = securePort + 1
	}
	if cc.SecureServing == nil || port <= 0 {
		return nil
	}
	host, _, err := net.SplitHostPort(cc.SecureServing.Listener.Addr().String())
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return fmt.Errorf("serve %s (--decisions-secure-port): %w", explain.Path, err)
	}
	handler := e.handler(cc.Authentication, cc.Authorization)
	if _, _, err := withListener(cc.SecureServing, listener).Serve(handler, shutdownTimeout, ctx.Done()); err != nil {
		listener.Close()
		return fmt.Errorf("serve %s (--decisions-secure-port): %w", explain.Path, err)
	}
	return nil
}

// handler serves them to whom may get their paths.
func (e *endpoints) handler(authentication server.AuthenticationInfo, authorization server.AuthorizationInfo) http.Handler {
	mux := http.NewServeMux()
	mux.Handle(explain.Path, e.decisions)
	e.status.Install(mux)
	healthz.InstallReadyzHandler(mux, e.ready) // kube-scheduler's own has no room for further checks
	resolver := &apirequest.RequestInfoFactory{}
	codecs := scheme.Codecs
	handler := genericapifilters.WithAuthorization(mux, authorization.Authorizer, codecs)
	handler = genericapifilters.WithAuthentication(handler, authentication.Authenticator, genericapifilters.Unauthorized(codecs), nil, nil)
	handler = genericapifilters.WithRequestInfo(handler, resolver)
	handler = genericapifilters.WithCacheControl(handler)
	handler = genericfilters.WithHTTPLogging(handler)
	handler = genericfilters.WithPanicRecovery(handler, resolver)
	return withDeadlines(handler)
}

// How long the rest of a request may take to arrive once its header has, and how
// long the answer may take to be made and taken. The answer may take longer: it
// is not made before the request has been read, or given up. How long a client
// may take for the header, and between requests, is bounded by
// SecureServingInfo.Serve, and so is the size of the header.
const (
	readTimeout  = 30 * time.Second
	writeTimeout = time.Minute
)

func withDeadlines(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control, now := http.NewResponseController(w), time.Now()
		if err := errors.Join(control.SetReadDeadline(now.Add(readTimeout)), control.SetWriteDeadline(now.Add(writeTimeout))); err != nil {
			http.Error(w, "the connection takes no deadline: "+err.Error(), http.StatusInternalServerError) // or it is closed
			return
		}
		handler.ServeHTTP(w, r)
	})
}

// withListener returns info for another listener. Both follow the certificates when
// these are replaced, but only the server of info itself watches them.
func withListener(info *server.SecureServingInfo, listener net.Listener) *server.SecureServingInfo {
	other := *info
	other.Listener = listener
	if info.Cert != nil {
		other.Cert = certificate{info.Cert}
	}
	if info.ClientCA != nil {
		other.ClientCA = clientCA{info.ClientCA}
	}
	other.SNICerts = nil
	for _, named := range info.SNICerts {
		other.SNICerts = append(other.SNICerts, namedCertificate{named})
	}
	return &other
}

// These have no more than the interface that they contain. What they are made of
// may also be a controller that runs; that must be run once.
type (
	certificate struct {
		dynamiccertificates.CertKeyContentProvider
	}
	clientCA struct {
		dynamiccertificates.CAContentProvider
	}
	namedCertificate struct {
		dynamiccertificates.SNICertKeyContentProvider
	}
)
