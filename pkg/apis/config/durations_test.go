package config

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Of each pair of durations: the last values that make sense beside each other,
// and the first that do not. The defaults are interval 15s, timeout 10s,
// expiration 90s, window 5m, source.prometheus.window 1m.
func TestDurationsMakeSenseTogether(t *testing.T) {
	const address = `"address": "http://p:9090"`
	for _, test := range []struct {
		args string
		want []string // the beginnings of the faults, in order
	}{
		// A poll is over before the next is due.
		{`{"source": {"timeout": "15s"}}`, nil},
		{`{"source": {"timeout": "16s"}}`, []string{`args.source.timeout: Invalid value: "16s": must not exceed source.interval, which is 15s: `}},
		{`{"source": {"interval": "5s"}}`, []string{`args.source.timeout: Invalid value: "10s": must not exceed source.interval, which is 5s: `}},
		{`{"source": {"interval": "5s", "timeout": "5s"}}`, nil},

		// A sample is believed until the next can have arrived.
		{`{"expiration": "25s"}`, nil},
		{`{"expiration": "24999ms"}`, []string{`args.expiration: Invalid value: "24.999s": must be at least source.interval + source.timeout, which is 25s: `}},
		{`{"source": {"interval": "80s"}}`, nil},
		{`{"source": {"interval": "81s"}}`, []string{`args.expiration: Invalid value: "1m30s": must be at least source.interval + source.timeout, which is 1m31s: `}},

		// A history has two samples or more, and not too many.
		{`{"window": "0s"}`, nil},
		{`{"window": "1ns"}`, []string{`args.window: Invalid value: "1ns": must be 0s, which keeps the newest sample only, or from 2 to 500 times source.interval, which is 30s to 2h5m0s`}},
		{`{"window": "29s"}`, []string{`args.window: Invalid value: "29s": must be 0s, which keeps the newest sample only, or from 2 to 500 times`}},
		{`{"window": "30s"}`, nil},
		{`{"window": "125m"}`, nil},
		{`{"window": "126m"}`, []string{`args.window: Invalid value: "2h6m0s": must be 0s, which keeps the newest sample only, or from 2 to 500 times`}},

		// What the expressions of Prometheus look back over is neither longer than a sample is
		// believed, nor than the history.
		{`{"source": {"type": "Prometheus", "prometheus": {` + address + `, "window": "90s"}}}`, nil},
		{`{"source": {"type": "Prometheus", "prometheus": {` + address + `, "window": "91s"}}}`, []string{
			`args.source.prometheus.window: Invalid value: "1m31s": must not exceed expiration, which is 1m30s`,
		}},
		{`{"source": {"type": "Prometheus", "prometheus": {` + address + `}}, "window": "59s"}`, []string{
			`args.window: Invalid value: "59s": must be 0s, or at least source.prometheus.window, which is 1m0s: `,
		}},
		{`{"source": {"type": "Prometheus", "prometheus": {` + address + `}}, "window": "1m"}`, nil},
		{`{"source": {"type": "Prometheus", "prometheus": {` + address + `}}, "window": "0s"}`, nil},
		{`{"source": {"type": "Prometheus", "prometheus": {` + address + `, "window": "999ms"}}}`, []string{
			`args.source.prometheus.window: Invalid value: "999ms": must be between 1s and 24h0m0s`,
		}},

		// Warm-up and waiting are bounded by themselves only.
		{`{"window": "30s", "estimate": {"warmUp": "1h"}, "filter": {"maxWait": "1s"}}`, nil},
		{`{"window": "0s", "estimate": {"warmUp": "0s"}, "filter": {"maxWait": "24h"}}`, nil},
		{`{"estimate": {"warmUp": "61m"}, "filter": {"maxWait": "25h"}}`, []string{
			`args.estimate.warmUp: Invalid value: "1h1m0s": must be between 0s and 1h0m0s`,
			`args.filter.maxWait: Invalid value: "25h0m0s": must be between 0s and 24h0m0s`,
		}},

		// One fault is told once: what is out of range is compared with nothing.
		{`{"source": {"interval": "0s"}, "window": "10h"}`, []string{`args.source.interval: Invalid value: "0s": must be between 1s and 10m0s`}},
		{`{"source": {"timeout": "11m"}}`, []string{`args.source.timeout: Invalid value: "11m0s": must be between 1ms and 10m0s`}},
		{`{"source": {"timeout": "-1s"}, "expiration": "1s"}`, []string{`args.source.timeout: Invalid value: "-1s": must be between 1ms and 10m0s`}},
		{`{"expiration": "25h"}`, []string{`args.expiration: Invalid value: "25h0m0s": must be between 1s and 24h0m0s`}},
		{`{"source": {"type": "Prometheus", "prometheus": {` + address + `}}, "expiration": "0s", "window": "-1s"}`, []string{
			`args.expiration: Invalid value: "0s": must be between 1s and 24h0m0s`,
			`args.window: Invalid value: "-1s": must be between 0s and 83h20m0s`,
		}},
		{`{"source": {"timeout": "60s"}, "expiration": "30s"}`, []string{`args.source.timeout: Invalid value: "1m0s": must not exceed source.interval`}},

		// But every fault is.
		{`{"source": {"interval": "30s", "timeout": "30s"}, "expiration": "50s", "window": "50s"}`, []string{
			`args.expiration: Invalid value: "50s": must be at least source.interval + source.timeout, which is 1m0s: `,
			`args.window: Invalid value: "50s": must be 0s`,
		}},
	} {
		t.Run(test.args, func(t *testing.T) {
			_, errs := DecodeNodeLoad(raw(test.args), field.NewPath("args"))
			if len(errs) != len(test.want) {
				t.Fatalf("faults %v, want %q", errs.ToAggregate(), test.want)
			}
			for i, want := range test.want {
				if !strings.HasPrefix(errs[i].Error(), want) {
					t.Errorf("fault %q, want %q", errs[i], want)
				}
			}
		})
	}
}
