package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

const deadline = 30 * time.Second

// running is a server that serves.
type running struct {
	*server
	url   string
	stop  context.CancelFunc
	ended chan error
}

// begin has a server serve, as a batch job if there is work to be done.
func begin(t *testing.T, s *server, done <-chan time.Time, drain time.Duration) *running {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0") // for an address that is free
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	r := &running{server: s, url: "http://" + address, stop: stop, ended: make(chan error, 1)}
	t.Cleanup(stop)
	go func() { r.ended <- s.serve(ctx, address, done, drain) }()
	r.wait(t, "/healthz", http.StatusOK)
	return r
}

// ask returns the status and the body of an answer.
func (r *running) ask(method, path string) (int, string, error) {
	request, err := http.NewRequest(method, r.url+path, http.NoBody)
	if err != nil {
		return 0, "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, string(body), err
}

// wait waits until the path is answered so.
func (r *running) wait(t *testing.T, path string, want int) {
	t.Helper()
	var got int
	var err error
	for end := time.Now().Add(deadline); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if got, _, err = r.ask(http.MethodGet, path); got == want {
			return
		}
	}
	t.Fatalf("GET %s: %d, %v, want %d", path, got, err, want)
}

func (r *running) end(t *testing.T) error {
	t.Helper()
	select {
	case err := <-r.ended:
		return err
	case <-time.After(deadline):
		t.Fatal("it does not end")
		return nil
	}
}

// A request that is being answered when the server is told to end is answered, and new
// ones are while it drains, though it is not ready any more.
func TestDrain(t *testing.T) {
	r := begin(t, &server{work: 300 * time.Millisecond}, nil, 200*time.Millisecond)
	r.wait(t, "/readyz", http.StatusOK)
	r.stop()
	r.wait(t, "/readyz", http.StatusServiceUnavailable)
	if status, body, err := r.ask(http.MethodGet, "/"); status != http.StatusOK || body == "" {
		t.Errorf("a request that came while it drains: %d, %q, %v", status, body, err)
	}
	if err := r.end(t); err != nil {
		t.Errorf("a server that was told to end: %v", err)
	}
}

// A batch job ends well when its work is done, and not before.
func TestBatch(t *testing.T) {
	done := make(chan time.Time)
	finished := begin(t, &server{}, done, 0)
	close(done)
	if err := finished.end(t); err != nil {
		t.Errorf("a job that has done its work: %v", err)
	}
	interrupted := begin(t, &server{}, make(chan time.Time), 0)
	interrupted.stop()
	if err := interrupted.end(t); !errors.Is(err, errUnfinished) {
		t.Errorf("a job that was told to end: %v, want %v", err, errUnfinished)
	}
}

// Readiness and liveness are of their own.
func TestProbes(t *testing.T) {
	s := httptest.NewServer((&server{}).handler())
	defer s.Close()
	r := &running{url: s.URL}
	for _, step := range []struct {
		told           string
		ready, healthy int
	}{
		{"/ready?value=true", http.StatusOK, http.StatusOK},
		{"/ready?value=false", http.StatusServiceUnavailable, http.StatusOK},
		{"/ready?value=true", http.StatusOK, http.StatusOK},
		{"/break", http.StatusOK, http.StatusServiceUnavailable},
	} {
		if status, body, err := r.ask(http.MethodPost, step.told); status != http.StatusOK {
			t.Fatalf("POST %s: %d, %s, %v", step.told, status, body, err)
		}
		ready, _, _ := r.ask(http.MethodGet, "/readyz")
		healthy, _, _ := r.ask(http.MethodGet, "/healthz")
		if ready != step.ready || healthy != step.healthy {
			t.Errorf("after %s: ready %d, healthy %d, want %d, %d", step.told, ready, healthy, step.ready, step.healthy)
		}
	}
}

func TestLoad(t *testing.T) {
	s := &server{}
	h := httptest.NewServer(s.handler())
	defer h.Close()
	defer s.burner.Set(0)
	r := &running{url: h.URL}
	for _, path := range []string{"/load?cores=0.01", "/hold?mib=3"} {
		if status, body, err := r.ask(http.MethodPost, path); status != http.StatusOK {
			t.Errorf("POST %s: %d, %s, %v", path, status, body, err)
		}
	}
	if held := s.held.Load(); s.burner.Cores() != 0.01 || held == nil || len(*held) != 3<<20 {
		t.Errorf("uses %g cores and holds %v", s.burner.Cores(), held)
	}
}

func TestBadValues(t *testing.T) {
	h := httptest.NewServer((&server{}).handler())
	defer h.Close()
	r := &running{url: h.URL}
	for path, want := range map[string]string{
		"/load?cores=many":  "cores=many: must be 0 to 64",
		"/load?cores=NaN":   "cores=NaN: must be 0 to 64",
		"/load?cores=-1":    "cores=-1: must be 0 to 64",
		"/load":             "cores=: must be 0 to 64",
		"/hold?mib=NaN":     "mib=NaN: must be 0 to",
		"/hold?mib=1e9":     "mib=1e9: must be 0 to",
		"/ready?value=soon": "value=soon: must be true or false",
	} {
		if status, body, err := r.ask(http.MethodPost, path); status != http.StatusBadRequest || !strings.Contains(body, want) {
			t.Errorf("POST %s: %d, %q, %v, want %q", path, status, body, err, want)
		}
	}
	if err := run([]string{"--cores=NaN"}); err == nil || !strings.Contains(err.Error(), "must be 0 to 64") {
		t.Errorf("--cores=NaN: %v", err)
	}
}

// What is no device is not taken for one.
func TestSeesVariables(t *testing.T) {
	t.Setenv("EXAMPLE_COM_NPU", "npu-1,npu-0")
	t.Setenv("EXAMPLE_COM_LINK", "")
	if err := os.Unsetenv("EXAMPLE_COM_OTHER"); err != nil {
		t.Fatal(err)
	}
	if got := see("EXAMPLE_COM_NPU,EXAMPLE_COM_LINK,EXAMPLE_COM_OTHER").Variables; strings.Join(got, " ") != "npu-0 npu-1" {
		t.Errorf("sees %v", got)
	}
}
