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
// two for its node or pod, leaves it without that resource, and the load model
// drops the reading. Nothing that is not known ever becomes a zero.
//
// # Pods
//
// Source reads what nodes use. What pods use is read by Pods, if the server is
// to be asked for that, with one query a resource for all pods that the load
// model wants to know of. Pods has all of them in the answer, or, where the
// expression lets it, those of the names that are asked for: then the work of
// the server does not grow with the cluster.
package prometheus

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/common/model"

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

// Source reads from a Prometheus server what nodes use.
type Source struct {
	server *server
	config Config
}

var _ load.Source = &Source{}

// New returns a source. It reads the files that config names, and makes no
// connection yet.
func New(config Config) (*Source, error) {
	server, err := newServer(config)
	if err != nil {
		return nil, err
	}
	return &Source{server: server, config: config}, nil
}

// Poll implements load.Source.
func (s *Source) Poll(ctx context.Context) ([]load.Reading, error) {
	answers, err := ask(ctx, func(ctx context.Context, r amount.Resource) (values[string], error) {
		found, err := s.query(ctx, s.config.Expressions[r])
		if err != nil {
			return nil, fmt.Errorf("ask Prometheus at %s for %s: %w; the expression is: %s",
				s.config.Address, r.Name(), err, onOneLine(s.config.Expressions[r]))
		}
		return found, nil
	})
	if err != nil {
		return nil, err
	}
	byNode := answers.readings(s.config.Window)
	readings := make([]load.Reading, 0, len(byNode))
	for _, node := range slices.Sorted(maps.Keys(byNode)) {
		reading := byNode[node]
		reading.Node = node
		readings = append(readings, reading)
	}
	return readings, nil
}

// query returns the value of the expression now, by node.
func (s *Source) query(ctx context.Context, expression string) (values[string], error) {
	vector, err := s.server.query(ctx, expression)
	if err != nil {
		return nil, err
	}
	if len(vector) == 0 {
		return nil, errEmpty(s.config.Window)
	}
	label := model.LabelName(s.config.NodeLabel)
	return valuesOf(vector, func(metric model.Metric) string { return string(metric[label]) },
		"a label "+s.config.NodeLabel+" of its own, which must be the name of a node")
}

func errEmpty(window time.Duration) error {
	return fmt.Errorf("the answer is empty: no series matches, or none has been scraped often enough in the last %s", window)
}
