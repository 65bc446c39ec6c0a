// Package prometheus is the load source that asks a Prometheus server, or a
// database that speaks its API, with one PromQL query a resource and poll.
//
// # What a reading's time says
//
// A value that Prometheus computes is stamped with the time at which it was
// computed, not with that of the scrapes it was computed from. A reading's
// Timestamp is that time, by the server's clock, and its Window is the range
// that the expression looks back over. So all that was measured lies within the
// reading's window, and the load model's rule holds: what a reading shows of a
// pod began after the window did. It may have ended before the window did, by
// the age of the last scrape: usually less than the scrape interval, and never
// more than the range, because a series without a value in its range has no
// result. This is why expressions must take what they measure from a range
// (rate, avg_over_time): a plain selector answers with a value up to five
// minutes old.
//
// # What is not known
//
// A query that fails, or whose answer is empty or comes with warnings (which is
// how a part of the data being out of reach is told), fails the poll: nothing
// is known of any node. A series whose value is no number, or that is one of
// two for its node, leaves its node without that resource, and the load model
// drops the reading. Nothing that is not known ever becomes a zero.
package prometheus

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	commonconfig "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	"golang.org/x/sync/errgroup"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

// Config says which server to ask, and for what.
type Config struct {
	// Address is the server's URL.
	Address string
	// BearerTokenFile, CAFile, CertFile and KeyFile are paths, empty for none.
	// The files are read again when they change.
	BearerTokenFile           string
	CAFile, CertFile, KeyFile string
	// ServerName is the name in the server's certificate if it is not Address's.
	ServerName         string
	InsecureSkipVerify bool
	// NodeLabel is the label of the answers that has the node's name.
	NodeLabel string
	// Window is the range that the expressions look back over.
	Window time.Duration
	// Expressions are what is asked for, with values in cores and bytes.
	Expressions [amount.NumResources]string
}

// Source asks a Prometheus server.
type Source struct {
	config Config
	api    v1.API
}

var _ load.Source = &Source{}

// New returns a source. It reads the files that config names, and makes no
// connection yet.
func New(config Config) (*Source, error) {
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
	apiClient, err := api.NewClient(api.Config{Address: config.Address, Client: httpClient})
	if err != nil {
		return nil, fmt.Errorf("client for Prometheus at %s: %w", config.Address, err)
	}
	return &Source{config: config, api: v1.NewAPI(apiClient)}, nil
}

// measurement is the value of one series.
type measurement struct {
	usage float64 // in cores or bytes; NaN if it cannot be used
	at    time.Time
}

// Poll implements load.Source.
func (s *Source) Poll(ctx context.Context) ([]load.Reading, error) {
	var answers [amount.NumResources]map[string]measurement
	group, ctx := errgroup.WithContext(ctx)
	for r := range amount.NumResources {
		group.Go(func() error {
			expression := s.config.Expressions[r]
			answer, err := s.query(ctx, expression)
			if err != nil {
				return fmt.Errorf("ask Prometheus at %s for %s: %w; the expression is: %s", s.config.Address, r.Name(), err, onOneLine(expression))
			}
			answers[r] = answer
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return s.join(answers), nil
}

// query returns the value of the expression now, by the server's clock, by node.
func (s *Source) query(ctx context.Context, expression string) (map[string]measurement, error) {
	value, warnings, err := s.api.Query(ctx, expression, time.Time{})
	if err != nil {
		return nil, explain(err)
	}
	if len(warnings) > 0 {
		return nil, fmt.Errorf("the answer may lack a part, for it has warnings: %s", strings.Join(warnings, "; "))
	}
	vector, ok := value.(model.Vector)
	if !ok {
		return nil, fmt.Errorf("the answer is a %s, must be an instant vector with one series a node", value.Type())
	}
	return s.byNode(vector)
}

// byNode returns the vector's values by node. Series without the label are kept
// as those of a node without a name, for the load model to count as unknown. It
// is an error if nothing can be used: that is a fault of the expression or of
// the label, not of a node.
func (s *Source) byNode(vector model.Vector) (map[string]measurement, error) {
	if len(vector) == 0 {
		return nil, fmt.Errorf("the answer is empty: no series matches, or none has been scraped often enough in the last %s", s.config.Window)
	}
	label := model.LabelName(s.config.NodeLabel)
	values := make(map[string]measurement, len(vector))
	for _, sample := range vector {
		node := string(sample.Metric[label])
		measured := measurement{usage: float64(sample.Value), at: sample.Timestamp.Time()}
		_, repeated := values[node] // which of them is the node's?
		// The library leaves the value of a histogram, and of a series without
		// a value, at zero.
		if repeated || sample.Histogram != nil || sample.Timestamp <= 0 {
			measured.usage = math.NaN()
		}
		values[node] = measured
	}
	for node, measured := range values {
		if node != "" && !math.IsNaN(measured.usage) && !math.IsInf(measured.usage, 0) {
			return values, nil
		}
	}
	return nil, fmt.Errorf("none of %d series has a finite value and a label %s of its own, which must be the name of a node; the first is %s",
		len(vector), label, vector[0])
}

// join makes one reading a node of the answers. A node that is missing in one
// has no usage of that resource.
func (s *Source) join(answers [amount.NumResources]map[string]measurement) []load.Reading {
	readings := map[string]*load.Reading{}
	for r, answer := range answers {
		for node, measured := range answer {
			reading, ok := readings[node]
			if !ok {
				reading = &load.Reading{Node: node, Timestamp: measured.at, Window: s.config.Window}
				for r := range reading.Usage {
					reading.Usage[r] = math.NaN()
				}
				readings[node] = reading
			}
			// The queries are evaluated a little apart. With the earlier time no
			// value is from before the reading's window.
			if measured.at.Before(reading.Timestamp) {
				reading.Timestamp = measured.at
			}
			reading.Usage[r] = measured.usage
		}
	}
	result := make([]load.Reading, 0, len(readings))
	for _, node := range slices.Sorted(maps.Keys(readings)) {
		result = append(result, *readings[node])
	}
	return result
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
	case errors.As(err, &network), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
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
