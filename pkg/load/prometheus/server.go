package prometheus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	commonconfig "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
)

// server is a Prometheus server, or what speaks its API.
type server struct {
	address string
	api     v1.API
}

// newServer returns the server that config leads to. It reads the files that
// config names, and makes no connection yet.
func newServer(config Config) (*server, error) {
	client := commonconfig.HTTPClientConfig{
		TLSConfig: commonconfig.TLSConfig{
			CAFile: config.CAFile, CertFile: config.CertFile, KeyFile: config.KeyFile,
			ServerName: config.ServerName, InsecureSkipVerify: config.InsecureSkipVerify,
		},
		EnableHTTP2: true,
		// A redirect leads to a login page, or to where the token is not meant to go.
		FollowRedirects: false,
		ProxyConfig:     commonconfig.ProxyConfig{ProxyFromEnvironment: true}, // as the client of the API server does
	}
	if config.BearerTokenFile != "" {
		client.Authorization = &commonconfig.Authorization{Type: "Bearer", CredentialsFile: config.BearerTokenFile}
	}
	httpClient, err := commonconfig.NewClientFromConfig(client, "prometheus")
	if err != nil {
		return nil, fmt.Errorf("client for Prometheus at %s: %w", config.Address, err)
	}
	httpClient.Transport = boundedTransport{RoundTripper: httpClient.Transport, limit: maxAnswer}
	apiClient, err := api.NewClient(api.Config{Address: config.Address, Client: httpClient})
	if err != nil {
		return nil, fmt.Errorf("client for Prometheus at %s: %w", config.Address, err)
	}
	return &server{address: config.Address, api: v1.NewAPI(apiClient)}, nil
}

// query returns what the expression yields now, by the server's clock.
func (s *server) query(ctx context.Context, expression string) (model.Vector, error) {
	value, warnings, err := s.api.Query(ctx, expression, time.Time{})
	if err != nil {
		return nil, explain(err)
	}
	if len(warnings) > 0 {
		return nil, fmt.Errorf("the answer may lack a part, for it has warnings: %s", strings.Join(warnings, "; "))
	}
	vector, ok := value.(model.Vector)
	if !ok {
		return nil, fmt.Errorf("the answer is a %s, must be an instant vector", value.Type())
	}
	return vector, nil
}

// maxAnswer bounds the size of an answer, in bytes. A series takes about 150, so
// it is enough for 400,000 nodes or pods.
const maxAnswer = 64 << 20

// errTooLarge is the error of an answer that is larger than its limit.
var errTooLarge = errors.New("the answer is too large")

// boundedTransport breaks answers off that are larger than limit, in bytes.
type boundedTransport struct {
	http.RoundTripper
	limit int64
}

// RoundTrip implements http.RoundTripper.
func (t boundedTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := t.RoundTripper.RoundTrip(request)
	if err == nil {
		response.Body = &boundedBody{ReadCloser: response.Body, limit: t.limit, left: t.limit}
	}
	return response, err
}

type boundedBody struct {
	io.ReadCloser
	limit, left int64
}

// Read implements io.Reader. What it reads is not compressed any more.
func (b *boundedBody) Read(into []byte) (int, error) {
	n, err := b.ReadCloser.Read(into)
	if b.left -= int64(n); b.left < 0 {
		return n, fmt.Errorf("%w: more than %d bytes; the expression must yield fewer series", errTooLarge, b.limit)
	}
	return n, err
}

// maxDetail bounds what an error quotes of an answer that is none of
// Prometheus', such as a proxy's page.
const maxDetail = 200

// explain adds to an error of the library what it lacks: what the server said
// if it is not Prometheus that refuses, and that it may not be Prometheus.
func explain(err error) error {
	var refused *v1.Error
	var network *url.Error
	switch {
	case errors.As(err, &refused):
		if refused.Type == v1.ErrBadResponse {
			err = notPrometheus(err)
		}
		if refused.Detail == "" {
			return err
		}
		detail := onOneLine(refused.Detail)
		if len(detail) > maxDetail {
			detail = strings.ToValidUTF8(detail[:maxDetail], "") + "..."
		}
		return fmt.Errorf("%w: %s", err, detail)
	case errors.As(err, &network), errors.Is(err, errTooLarge), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return err
	}
	return notPrometheus(err)
}

func notPrometheus(err error) error {
	return fmt.Errorf("the answer is not one of Prometheus' API: %w", err)
}

// onOneLine replaces line breaks and indentation, with which long expressions
// are written.
func onOneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
