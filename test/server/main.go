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
	ready, broken atomic.Bool
	burner        burn.Burner
	held          atomic.Pointer[[]byte]
	work          time.Duration
	variables     string
}

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
	start := set.Duration("start", 0, "how long it takes to be ready")
	drain := set.Duration("drain", 0, "how long it goes on to answer after SIGTERM")
	until := set.Duration("for", 0, "how long it runs before it ends by itself; for ever if 0")
	cores := set.Float64("cores", 0, "how much CPU it uses from the start")
	set.DurationVar(&s.work, "work", 0, "how long an answer takes")
	set.StringVar(&s.variables, "variables", "", "the environment variables that name devices, with commas between them")
	if err := set.Parse(args); err != nil {
		return err
	}
	s.burner.Set(*cores)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if *until > 0 {
		ctx, stop = context.WithTimeout(ctx, *until)
		defer stop()
	}
	listener := &http.Server{Addr: *listen, Handler: s.handler(), ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- listener.ListenAndServe() }()
	started := time.AfterFunc(*start, func() { s.ready.Store(ctx.Err() == nil) })
	defer started.Stop()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	s.ready.Store(false)
	log.Printf("ending: not ready any more, answering for another %v", *drain)
	select {
	case err := <-ended:
		return err
	case <-time.After(*drain):
	}
	if err := listener.Shutdown(context.Background()); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(s.work)
		host, _ := os.Hostname()
		fmt.Fprintln(w, host)
	})
	mux.HandleFunc("GET /healthz", check("broken", func() bool { return !s.broken.Load() }))
	mux.HandleFunc("GET /readyz", check("not ready", s.ready.Load))
	mux.HandleFunc("GET /devices", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(see(s.variables))
	})
	mux.HandleFunc("POST /load", number("cores", 64, s.burner.Set))
	mux.HandleFunc("POST /hold", number("mib", 1<<20, s.hold))
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
		value, err := strconv.ParseFloat(r.FormValue(parameter), 64)
		if err != nil || value < 0 || value > most {
			http.Error(w, fmt.Sprintf("%s=%s: must be 0 to %g", parameter, r.FormValue(parameter), most), http.StatusBadRequest)
			return
		}
		give(value)
	}
}

// hold holds so many MiB, all of which are written to.
func (s *server) hold(mib float64) {
	memory := make([]byte, int(mib)<<20)
	for i := 0; i < len(memory); i += 4096 {
		memory[i] = 1
	}
	s.held.Store(&memory)
}
