package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/plimsoll-scheduler/plimsoll/test/burn"
)

// server is the state of the program.
type server struct {
	unready, ending, broken atomic.Bool
	burner                  burn.Burner
	held                    atomic.Pointer[[]byte]
	work                    time.Duration
	variables               string
}

// What the parameters of the same names may be at most.
const (
	maxCores = 64
	maxMiB   = 1 << 20
)

// errUnfinished is why a batch job ends that was told to before it had done its work.
var errUnfinished = errors.New("told to end before the work was done")

func main() {
	if err := run(os.Args[1:]); err != nil {
		log.Printf("server: %v", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	set := flag.NewFlagSet("server", flag.ContinueOnError)
	s := &server{}
	listen := set.String("listen", ":8080", "the `address` to serve at")
	start := set.Duration("start", 0, "how long it takes until it listens")
	drain := set.Duration("drain", 0, "how long it goes on to answer after SIGTERM")
	batch := set.Duration("for", 0, "how long the work of a batch job takes; 0 for a server, which has no end")
	set.Func("cores", "how much CPU it uses from the start, 0 to 64", func(value string) error {
		cores, err := parseNumber(value, maxCores)
		s.burner.Set(cores)
		return err
	})
	set.DurationVar(&s.work, "work", 0, "how long an answer takes")
	set.StringVar(&s.variables, "variables", "", "the environment variables that name devices, with commas between them")
	if err := set.Parse(args); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	select {
	case <-time.After(*start):
	case <-ctx.Done():
		return fmt.Errorf("%w: it has not even started", errUnfinished)
	}
	var done <-chan time.Time
	if *batch > 0 {
		done = time.After(*batch)
	}
	return s.serve(ctx, *listen, done, *drain)
}

// serve serves until the context ends, which is an error if there is work to be done; or
// until that is done.
func (s *server) serve(ctx context.Context, address string, done <-chan time.Time, drain time.Duration) (result error) {
	listener := &http.Server{Addr: address, Handler: s.handler(), ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- listener.ListenAndServe() }()
	select {
	case err := <-ended:
		return err
	case <-done:
	case <-ctx.Done():
		if done != nil {
			result = errUnfinished
		}
	}
	s.ending.Store(true)
	log.Printf("ending: not ready any more, answering for another %v", drain)
	select {
	case err := <-ended:
		return err
	case <-time.After(drain):
	}
	return errors.Join(result, listener.Shutdown(context.Background()))
}

func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(s.work)
		host, _ := os.Hostname()
		fmt.Fprintln(w, host)
	})
	mux.HandleFunc("GET /healthz", check("broken", func() bool { return !s.broken.Load() }))
	mux.HandleFunc("GET /readyz", check("not ready", func() bool { return !s.unready.Load() && !s.ending.Load() }))
	mux.HandleFunc("GET /devices", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(see(s.variables))
	})
	mux.HandleFunc("POST /load", number("cores", maxCores, s.burner.Set))
	mux.HandleFunc("POST /hold", number("mib", maxMiB, s.hold))
	mux.HandleFunc("POST /ready", s.setReady)
	mux.HandleFunc("POST /break", func(http.ResponseWriter, *http.Request) { s.broken.Store(true) })
	mux.HandleFunc("POST /quit", func(http.ResponseWriter, *http.Request) { os.Exit(3) })
	return mux
}

// check answers 200 if it holds, else 503 and why.
func check(why string, holds func() bool) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if holds() {
			return
		}
		http.Error(w, why, http.StatusServiceUnavailable)
	}
}

// number gives the value of the parameter, 0 to most, to the function.
func number(parameter string, most float64, give func(float64)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		value, err := parseNumber(r.FormValue(parameter), most)
		if err != nil {
			http.Error(w, fmt.Sprintf("%s=%s: %v", parameter, r.FormValue(parameter), err), http.StatusBadRequest)
			return
		}
		give(value)
	}
}

func parseNumber(text string, most float64) (float64, error) {
	value, err := strconv.ParseFloat(text, 64)
	if err != nil || !(value >= 0 && value <= most) { // NaN is neither
		return 0, fmt.Errorf("must be 0 to %g", most)
	}
	return value, nil
}

func (s *server) setReady(w http.ResponseWriter, r *http.Request) {
	ready, err := strconv.ParseBool(r.FormValue("value"))
	if err != nil {
		http.Error(w, fmt.Sprintf("value=%s: must be true or false", r.FormValue("value")), http.StatusBadRequest)
		return
	}
	s.unready.Store(!ready)
}

// hold holds so many MiB, all of which are written to.
func (s *server) hold(mib float64) {
	memory := make([]byte, int(mib)<<20)
	for i := 0; i < len(memory); i += 4096 {
		memory[i] = 1
	}
	s.held.Store(&memory)
}
