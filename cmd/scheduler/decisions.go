package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	genericapifilters "k8s.io/apiserver/pkg/endpoints/filters"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"
	genericfilters "k8s.io/apiserver/pkg/server/filters"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/cmd/kube-scheduler/app/config"

	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
)

// serveDecisions serves the log of decisions until ctx ends, with the
// certificate, the authentication and the authorization of kube-scheduler's
// own endpoints: who may get the path there (nonResourceURLs) may get it here.
func serveDecisions(ctx context.Context, cc *config.CompletedConfig, decisions *explain.Log, port, securePort int) error {
	if port < 0 && securePort > 0 {
		port = securePort + 1
	}
	if cc.SecureServing == nil || decisions == nil || port <= 0 {
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
	mux := http.NewServeMux()
	mux.Handle(explain.Path, decisions)
	resolver := &apirequest.RequestInfoFactory{}
	codecs := scheme.Codecs
	handler := genericapifilters.WithAuthorization(mux, cc.Authorization.Authorizer, codecs)
	handler = genericapifilters.WithAuthentication(handler, cc.Authentication.Authenticator, genericapifilters.Unauthorized(codecs), nil, nil)
	handler = genericapifilters.WithRequestInfo(handler, resolver)
	handler = genericapifilters.WithCacheControl(handler)
	handler = genericfilters.WithHTTPLogging(handler)
	handler = genericfilters.WithPanicRecovery(handler, resolver)
	httpServer := &http.Server{
		Handler: handler,
		TLSConfig: &tls.Config{
			MinVersion:     tls.VersionTLS12,
			ClientAuth:     tls.RequestClientCert, // the authenticator verifies it
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return currentCertificate(cc) },
		},
		ReadHeaderTimeout: 10 * time.Second,
	}
	go func() {
		<-ctx.Done()
		_ = httpServer.Close() // nothing is lost: it is only read from
	}()
	go func() {
		if err := httpServer.ServeTLS(listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
			klog.FromContext(ctx).Error(err, "Decisions are no longer explained; scheduling goes on")
		}
	}()
	return nil
}

// currentCertificate returns kube-scheduler's serving certificate, which may be
// replaced while it runs.
func currentCertificate(cc *config.CompletedConfig) (*tls.Certificate, error) {
	certificate, key := cc.SecureServing.Cert.CurrentCertKeyContent()
	pair, err := tls.X509KeyPair(certificate, key)
	return &pair, err
}
