package explain

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	testingclock "k8s.io/utils/clock/testing"
)

func newLog() (*Log, *testingclock.FakePassiveClock) {
	now := testingclock.NewFakePassiveClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	return NewLog(now), now
}

func decision(now time.Time, pod, node string) *Decision {
	return &Decision{Summary: Summary{Pod: pod, Time: now, Node: node, Considered: 1}, Nodes: []Node{{Name: node}}}
}

func TestLogKeepsTheLastDecisionOnAPod(t *testing.T) {
	l, now := newLog()
	l.put(decision(now.Now(), "a/p", ""))
	l.put(decision(now.Now(), "a/q", "n1"))
	l.put(decision(now.Now(), "a/p", "n2"))
	if d := l.Get("a/p"); d == nil || d.Node != "n2" {
		t.Errorf("%+v, want the last decision", d)
	}
	if all, _ := l.All(); len(all) != 2 || all[0].Pod != "a/p" || all[1].Pod != "a/q" {
		t.Errorf("%v, want two, the newest first", all)
	}
}

func TestLogIsBounded(t *testing.T) {
	l, now := newLog()
	for i := range 2 * maxDecisions {
		l.put(decision(now.Now(), fmt.Sprint("a/p", i), "n"))
	}
	if all, _ := l.All(); len(all) != maxDecisions || len(l.byPod) != maxDecisions || l.Get("a/p0") != nil {
		t.Errorf("%d decisions, want the last %d", len(all), maxDecisions)
	}
	now.SetTime(now.Now().Add(maxAge + 1))
	if all, _ := l.All(); len(all)+len(l.byPod) != 0 {
		t.Errorf("%d decisions are older than %v", len(all), maxAge)
	}
}

func TestAddNeverBlocks(t *testing.T) {
	l, now := newLog()
	for i := range maxPending + 10 { // nobody takes them in
		l.Add(func() *Decision { return decision(now.Now(), fmt.Sprint("a/p", i), "n") })
	}
	if _, dropped := l.All(); dropped != 10 {
		t.Errorf("%d dropped, want 10", dropped)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); l.Run(ctx) }()
	last := make(chan struct{})
	for added := false; !added; {
		select {
		case l.pending <- func() *Decision { close(last); return decision(now.Now(), "a/last", "n") }:
			added = true
		case <-t.Context().Done():
			t.Fatal("the log takes nothing in")
		}
	}
	<-last
	cancel()
	<-ended
	if all, _ := l.All(); len(all) != maxPending+1 {
		t.Errorf("%d decisions, want %d", len(all), maxPending+1)
	}
}

func TestMarks(t *testing.T) {
	m := make(Marks, 5)
	m.Score(0, 0)
	m.Score(1, 100)
	m.Reject(2, 3)
	m.Fit(3)
	m.Score(5, 50) // a node that came after the view
	for slot, want := range []string{"true false 0", "true false 100", "true true 3", "true false -1", "false false -1", "false false -1"} {
		seen, rejected, value := m.At(slot)
		if got := fmt.Sprint(seen, rejected, value); got != want {
			t.Errorf("slot %d: %s, want %s", slot, got, want)
		}
	}
}

func TestHandler(t *testing.T) {
	l, now := newLog()
	score := int64(42)
	d := decision(now.Now(), "default/p", "n")
	d.Nodes[0].NodeLoad.Score = &score
	d.WaitsFor = "something"
	l.put(d)
	for _, test := range []struct {
		method, query string
		code          int
		want          []string
	}{
		{"GET", "", 200, []string{`"pod": "default/p"`, `"waitsFor": "something"`, `"dropped": 0`}},
		{"GET", "?pod=default/p", 200, []string{`"name": "n"`, `"score": 42`}},
		{"GET", "?pod=default/q", 404, []string{"no decision on pod default/q", "only the leader"}},
		{"GET", "?pod=p", 400, []string{`pod \"p\": must be NAMESPACE/NAME`}},
		{"GET", "?pod=a/b/c", 400, []string{"must be NAMESPACE/NAME"}},
		{"GET", "?name=p", 400, []string{`unknown parameter \"name\"`, "pod=NAMESPACE/NAME"}},
		{"POST", "", 405, []string{"use GET"}},
	} {
		t.Run(test.method+test.query, func(t *testing.T) {
			recorder := httptest.NewRecorder()
			l.ServeHTTP(recorder, httptest.NewRequest(test.method, Path+test.query, http.NoBody))
			body := recorder.Body.String()
			if recorder.Code != test.code || !json.Valid([]byte(body)) {
				t.Errorf("code %d, want %d: %s", recorder.Code, test.code, body)
			}
			for _, want := range test.want {
				if !strings.Contains(body, want) {
					t.Errorf("no %s in %s", want, body)
				}
			}
			if test.query == "" && strings.Contains(body, `"nodes"`) {
				t.Error("the list has the nodes of each decision")
			}
		})
	}
}
