package main

import (
	"strings"
	"testing"
)

func TestBenchstatTable(t *testing.T) {
	const summary = `goos: linux
pkg: example.com/m/pkg/load
cpu: some
,go.txt,
,sec/op,CI
Poll/5000-2,0.026930764,3%
Poll/15000-2,0.078,∞
geomean,0.01

,go.txt,
,B/op,CI
Poll/5000-2,2097152,0%

,go.txt,
,B/node,CI
Poll/5000-2,2823,1%

pkg: example.com/m/pkg/plugins/nodeload
,go.txt,
,sec/op,CI
Filter-2,1.5e-07,2%
`
	benchmarks, err := parseBenchstat(summary)
	if err != nil {
		t.Fatal(err)
	}
	const want = `| benchmark | sec/op | B/op | allocs/op | B/node |
|---|---|---|---|---|
| load Poll/5000 | 26.9ms ± 3% | 2 MiB |  | 2.8 KiB ± 1% |
| load Poll/15000 | 78ms |  |  |  |
| nodeload Filter | 150ns ± 2% |  |  |  |
`
	if got := goReport(benchmarks); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestBenchstatOfNothing(t *testing.T) {
	for text, want := range map[string]string{
		"":                                  "no benchmark",
		"pkg: p\n,f,\n,sec/op,CI\nA-2,x,1%": "sec/op of p A",
	} {
		if _, err := parseBenchstat(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one with %q", text, err, want)
		}
	}
}
