package prometheus

import (
	"context"
	"encoding/pem"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

// answer is what the server of a test says to a query. The real server is asked
// in test/integration; what it cannot be made to say is tested here.
type answer struct {
	status int // 0 means 200
	body   string
}

// vector is an answer whose series are those given, at the time t.
func vector(series ...string) answer {
	return answer{body: `{"status":"success","data":{"resultType":"vector","result":[` + strings.Join(series, ",") + `]}}`}
}

// at and later are two times of evaluation, in seconds.
const at, later = 1700000000.25, 1700000000.75

func series(node string, time float64, value string) string {
	return fmt.Sprintf(`{"metric":{"nodename":%q},"value":[%f,%q]}`, node, time, value)
}

// source returns a source that asks a server which answers the two queries so.
func source(t *testing.T, cpu, memory answer) *Source {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reply := map[string]answer{"the cpu": cpu, "the memory": memory}[r.FormValue("query")]
		if r.URL.Path != "/below/api/v1/query" || r.FormValue("time") != "" {
			t.Errorf("asked for %s at %q", r.URL.Path, r.FormValue("time"))
		}
		if reply.status != 0 {
			w.WriteHeader(reply.status)
		}
		fmt.Fprint(w, reply.body)
	}))
	t.Cleanup(server.Close)
	return newSource(t, Config{Address: server.URL + "/below"})
}

func newSource(t *testing.T, config Config) *Source {
	t.Helper()
	config.NodeLabel, config.Window = "nodename", time.Minute
	config.Expressions = [amount.NumResources]string{"the cpu", "the memory"}
	s, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var good = vector(series("a", at, "2"))

func TestReadings(t *testing.T) {
	nan := math.NaN()
	for _, test := range []struct {
		name        string
		cpu, memory answer
		want        []load.Reading // Timestamp and Window are checked apart
	}{
		{
			"each node that is in both answers is complete",
			vector(series("b", at, "0.25"), series("a", at, "2")),
			vector(series("a", at, "1e9"), series("b", at, "2e9")),
			[]load.Reading{{Node: "a", Usage: usage(2, 1e9)}, {Node: "b", Usage: usage(0.25, 2e9)}},
		},
		{
			"a node that is in one answer only lacks the other resource",
			vector(series("a", at, "2"), series("b", at, "1")),
			vector(series("a", at, "1e9"), series("c", at, "1e9")),
			[]load.Reading{{Node: "a", Usage: usage(2, 1e9)}, {Node: "b", Usage: usage(1, nan)}, {Node: "c", Usage: usage(nan, 1e9)}},
		},
		{
			"what is no number stays none",
			vector(series("a", at, "NaN"), series("b", at, "+Inf"), series("c", at, "1")),
			vector(series("a", at, "1e9"), series("b", at, "-Inf"), series("c", at, "1e9")),
			[]load.Reading{
				{Node: "a", Usage: usage(nan, 1e9)},
				{Node: "b", Usage: usage(math.Inf(1), math.Inf(-1))}, // dropped as absurd
				{Node: "c", Usage: usage(1, 1e9)},
			},
		},
		{
			"of two or three series for a node none is believed",
			vector(series("a", at, "1"), series("a", at, "2"), series("b", at, "1"), series("a", at, "1")),
			vector(series("a", at, "1e9"), series("b", at, "1e9")),
			[]load.Reading{{Node: "a", Usage: usage(nan, 1e9)}, {Node: "b", Usage: usage(1, 1e9)}},
		},
		{
			"series without the label are of no node",
			vector(`{"metric":{"instance":"x"},"value":[1700000000.25,"3"]}`, series("a", at, "2")),
			vector(series("a", at, "1e9")),
			[]load.Reading{{Node: "", Usage: usage(3, nan)}, {Node: "a", Usage: usage(2, 1e9)}},
		},
		{
			"a histogram and a missing value are no zeros",
			vector(
				`{"metric":{"nodename":"a"},"histogram":[1700000000.25,{"count":"0","sum":"0","buckets":[]}]}`,
				`{"metric":{"nodename":"b"}}`,
				series("c", at, "1")),
			vector(series("a", at, "1e9"), series("c", at, "1e9")),
			[]load.Reading{{Node: "a", Usage: usage(nan, 1e9)}, {Node: "b", Usage: usage(nan, nan)}, {Node: "c", Usage: usage(1, 1e9)}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := source(t, test.cpu, test.memory).Poll(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != len(test.want) {
				t.Fatalf("got %v, want %v", got, test.want)
			}
			for i, want := range test.want {
				if got[i].Node != want.Node || got[i].Window != time.Minute || !same(got[i].Usage, want.Usage) {
					t.Errorf("got %+v, want %+v", got[i], want)
				}
			}
		})
	}
}

func usage(cpu, memory float64) [amount.NumResources]float64 {
	return [amount.NumResources]float64{amount.CPU: cpu, amount.Memory: memory}
}

func same(a, b [amount.NumResources]float64) bool {
	for r := range a {
		if a[r] != b[r] && !(math.IsNaN(a[r]) && math.IsNaN(b[r])) {
			return false
		}
	}
	return true
}

// A window that began at the later of two evaluations would leave out a part of
// what the other query saw.
func TestTimestampIsTheEarlierEvaluation(t *testing.T) {
	for _, times := range [][2]float64{{at, later}, {later, at}} {
		got, err := source(t, vector(series("a", times[0], "2")), vector(series("a", times[1], "1e9"))).Poll(t.Context())
		if err != nil || len(got) != 1 || got[0].Timestamp.UnixMilli() != 1700000000250 {
			t.Errorf("got %v, %v", got, err)
		}
	}
}

func TestFailedAnswersFailThePoll(t *testing.T) {
	const success = `{"status":"success","data":{"resultType":`
	for _, test := range []struct {
		name  string
		reply answer
		want  string
	}{
		{"no series", vector(), "the answer is empty: no series matches, or none has been scraped often enough in the last 1m0s"},
		{"null for a result", answer{body: success + `"vector","result":null}}`}, "the answer is not one of Prometheus' API: "},
		{"only NaN", vector(series("a", at, "NaN"), series("b", at, "NaN")), `none of 2 series has a finite value and a label nodename of its own`},
		{"no series has the label", vector(`{"metric":{"instance":"x"},"value":[1,"3"]}`), `must be the name of a node; the first is {instance="x"} => 3`},
		{"every node twice", vector(series("a", at, "1"), series("a", at, "1")), "none of 2 series"},
		{"a scalar", answer{body: success + `"scalar","result":[1,"3"]}}`}, "the answer is a scalar, must be an instant vector"},
		{"a matrix", answer{body: success + `"matrix","result":[]}}`}, "the answer is a matrix, must be an instant vector"},
		{"a string", answer{body: success + `"string","result":[1,"3"]}}`}, "the answer is not one of Prometheus' API: "},
		{"an unknown type", answer{body: success + `"tensor","result":[]}}`}, "the answer is not one of Prometheus' API: "},
		{"no data", answer{body: `{"status":"success"}`}, "the answer is not one of Prometheus' API: "},
		{"null data", answer{body: `{"status":"success","data":null}`}, "the answer is not one of Prometheus' API: "},
		{"a warning", answer{body: strings.TrimSuffix(good.body, "}") + `,"warnings":["store x is down"]}`}, "may lack a part, for it has warnings: store x is down"},
		{"an expression that does not parse", answer{400, `{"status":"error","errorType":"bad_data","error":"1:5: parse error"}`}, "bad_data: 1:5: parse error"},
		{"an expression that cannot be evaluated", answer{422, `{"status":"error","errorType":"execution","error":"found duplicate series"}`}, "execution: found duplicate series"},
		{"a login page", answer{302, ""}, "the answer is not one of Prometheus' API: bad_response: bad response code 302"},
		{"no authorization", answer{401, "Unauthorized\n"}, "client error: 401: Unauthorized;"},
		{"forbidden", answer{403, "no such\n  role"}, "client error: 403: no such role;"},
		{"an internal error", answer{500, strings.Repeat("x", 1000)}, "server error: 500: " + strings.Repeat("x", maxDetail) + "...;"},
		{"unavailable", answer{503, ""}, "server error: 503"},
		{"no JSON", answer{body: "<html>"}, "the answer is not one of Prometheus' API: "},
		{"half an answer", answer{body: good.body[:60]}, "the answer is not one of Prometheus' API: "},
	} {
		for _, s := range []*Source{source(t, test.reply, good), source(t, good, test.reply)} {
			t.Run(test.name, func(t *testing.T) {
				readings, err := s.Poll(t.Context())
				if err == nil || len(readings) > 0 {
					t.Fatalf("got %v, %v", readings, err)
				}
				if !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), s.config.Address+" for ") ||
					!strings.Contains(err.Error(), "; the expression is: the ") {
					t.Errorf("error %q, want the address, the expression, and %q", err, test.want)
				}
			})
		}
	}
}

func TestServerThatDoesNotAnswer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		// The server sees that the client is gone only when it has read the request.
		_ = r.ParseForm()
		<-r.Context().Done()
	}))
	s := newSource(t, Config{Address: server.URL})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Poll(ctx); err == nil || !strings.Contains(err.Error(), "deadline exceeded") || !strings.Contains(err.Error(), server.URL) {
		t.Errorf("a server that hangs: %v", err)
	}
	server.Close()
	if _, err := s.Poll(t.Context()); err == nil || !strings.Contains(err.Error(), "connection refused") || !strings.Contains(err.Error(), server.URL) {
		t.Errorf("a server that is gone: %v", err)
	}
}

// The token is in a file that is replaced from time to time, and the
// certificate is signed by a CA of the cluster's own.
func TestTokenAndCA(t *testing.T) {
	var asked atomic.Int32
	var token atomic.Value
	token.Store("first")
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.Header.Get("Authorization") != "Bearer "+token.Load().(string) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, good.body)
	}))
	t.Cleanup(server.Close)
	dir := t.TempDir()
	tokenFile, caFile := filepath.Join(dir, "token"), filepath.Join(dir, "ca.pem")
	write(t, tokenFile, []byte("first\n"))
	write(t, caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	// The certificate of httptest is for example.com, and for 127.0.0.1.
	s := newSource(t, Config{Address: server.URL, BearerTokenFile: tokenFile, CAFile: caFile, ServerName: "example.com"})

	if _, err := s.Poll(t.Context()); err != nil || asked.Load() != 2 {
		t.Errorf("%d requests, want one a resource; %v", asked.Load(), err)
	}
	token.Store("second")
	if _, err := s.Poll(t.Context()); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("with the old token: %v", err)
	}
	write(t, tokenFile, []byte("second"))
	if _, err := s.Poll(t.Context()); err != nil {
		t.Errorf("with the new token: %v", err)
	}
	if _, err := newSource(t, Config{Address: server.URL, BearerTokenFile: tokenFile}).Poll(t.Context()); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("without the CA: %v", err)
	}
	if _, err := newSource(t, Config{Address: server.URL, BearerTokenFile: tokenFile, CAFile: caFile, ServerName: "other.example"}).Poll(t.Context()); err == nil || !strings.Contains(err.Error(), "other.example") {
		t.Errorf("for another name: %v", err)
	}
	if _, err := newSource(t, Config{Address: server.URL, BearerTokenFile: tokenFile, InsecureSkipVerify: true}).Poll(t.Context()); err != nil {
		t.Errorf("without a check: %v", err)
	}
	if _, err := New(Config{Address: server.URL, CAFile: filepath.Join(dir, "missing")}); err == nil || !strings.Contains(err.Error(), "missing") {
		t.Errorf("a CA file that is missing: %v", err)
	}
}

func write(t *testing.T, file string, content []byte) {
	t.Helper()
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A redirect is not followed: it may lead where the token must not go.
func TestRedirectsAreNotFollowed(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("followed") }))
	t.Cleanup(elsewhere.Close)
	server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	t.Cleanup(server.Close)
	if _, err := newSource(t, Config{Address: server.URL}).Poll(t.Context()); err == nil || !strings.Contains(err.Error(), "bad response code 307") {
		t.Error(err)
	}
}
