package integration

import (
	"io"
	"net"
	"sync"
	"testing"
)

// relay is what the ports of simulated pods lead to: it passes connections on to the
// scheduler of the test that holds it.
var relay = newRelayServer()

type relayServer struct {
	listener net.Listener
	held     sync.Mutex // by one test at a time

	mu     sync.Mutex
	target string // HOST:PORT; empty refuses
}

func newRelayServer() *relayServer {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	r := &relayServer{listener: listener}
	go r.serve()
	return r
}

func (r *relayServer) address() string { return r.listener.Addr().String() }

// to has connections passed on to the address until the test ends. Tests take turns.
func (r *relayServer) to(t *testing.T, address string) {
	t.Helper()
	r.held.Lock()
	r.set(address)
	t.Cleanup(func() {
		r.set("")
		r.held.Unlock()
	})
}

func (r *relayServer) set(address string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.target = address
}

func (r *relayServer) serve() {
	for {
		from, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.mu.Lock()
		target := r.target
		r.mu.Unlock()
		go pass(from, target)
	}
}

// pass passes on what comes from the connection, and back, until one side ends.
func pass(from net.Conn, target string) {
	defer func() { _ = from.Close() }() // it may be closed already
	to, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer func() { _ = to.Close() }()
	done := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{from, to}, {to, from}} {
		go func() {
			_, _ = io.Copy(way[0], way[1]) // it ends with either
			done <- struct{}{}
		}()
	}
	<-done
}
