// Package metrics has the test that writes docs/metrics.md, the list of all metrics,
// from the code:
//
//	go test ./test/metrics            # fails if the list is not that of the code
//	go test ./test/metrics -rewrite   # writes it anew
//
// and that holds their names to one form.
package metrics
