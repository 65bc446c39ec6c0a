package prometheus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
)

// Ranges reads from a Prometheus server what expressions yielded over time.
type Ranges struct{ server *server }

// NewRanges returns what reads from the server that config leads to. Of config only what
// says how it is reached counts. It makes no connection yet.
func NewRanges(config Config) (*Ranges, error) {
	server, err := newServer(config)
	if err != nil {
		return nil, err
	}
	return &Ranges{server: server}, nil
}

// most is how many steps a server takes to answer at once; Prometheus refuses more than
// 11,000.
const most = 1000

// Each calls do with what the expression yields at each step from a time to another, both
// included, in parts one after the other: each has some of the steps, of all series. A
// part whose answer is too large is asked for in halves. An answer of which a part may
// lack is an error, and so is one of which no part has a series, unless it may be empty.
func (r *Ranges) Each(ctx context.Context, expression string, from, to time.Time, step time.Duration, mayBeEmpty bool, do func(model.Matrix) error) error {
	found := false
	for begin := from; !begin.After(to); begin = begin.Add(most * step) {
		end := begin.Add((most - 1) * step)
		if end.After(to) {
			end = to
		}
		err := r.part(ctx, expression, v1.Range{Start: begin, End: end, Step: step}, func(part model.Matrix) error {
			found = found || len(part) > 0
			return do(part)
		})
		if err != nil {
			return fmt.Errorf("ask Prometheus at %s for %s to %s: %w; the expression is: %s",
				r.server.address, begin.UTC().Format(time.RFC3339), end.UTC().Format(time.RFC3339), err, onOneLine(expression))
		}
	}
	if !found && !mayBeEmpty {
		return fmt.Errorf("ask Prometheus at %s: the answer is empty from %s to %s: nothing that it scrapes matches; the expression is: %s",
			r.server.address, from.UTC().Format(time.RFC3339), to.UTC().Format(time.RFC3339), onOneLine(expression))
	}
	return nil
}

// part asks for a part, and if the answer is too large for its halves.
func (r *Ranges) part(ctx context.Context, expression string, span v1.Range, do func(model.Matrix) error) error {
	matrix, err := r.server.queryRange(ctx, expression, span)
	steps := span.End.Sub(span.Start) / span.Step
	if err == nil {
		return do(matrix)
	}
	if steps < 1 || !tooLarge(err) {
		return err
	}
	first, second := span, span
	first.End = span.Start.Add(steps / 2 * span.Step)
	second.Start = first.End.Add(span.Step)
	if err := r.part(ctx, expression, first, do); err != nil {
		return err
	}
	return r.part(ctx, expression, second, do)
}

// tooLarge reports whether less could be asked for with success: the answer is larger
// than its limit, or the server's limit of samples or time ended the query.
func tooLarge(err error) bool {
	if errors.Is(err, errTooLarge) {
		return true
	}
	var refused *v1.Error
	return errors.As(err, &refused) && (refused.Type == v1.ErrTimeout || strings.Contains(refused.Msg, "too many samples"))
}

// queryRange returns what the expression yields at each step of a range.
func (s *server) queryRange(ctx context.Context, expression string, span v1.Range) (model.Matrix, error) {
	value, warnings, err := s.api.QueryRange(ctx, expression, span)
	if err != nil {
		return nil, explain(err)
	}
	if len(warnings) > 0 {
		return nil, fmt.Errorf("the answer may lack a part, for it has warnings: %s", strings.Join(warnings, "; "))
	}
	matrix, ok := value.(model.Matrix)
	if !ok {
		return nil, fmt.Errorf("the answer is a %s, must be a range vector", value.Type())
	}
	return matrix, nil
}
