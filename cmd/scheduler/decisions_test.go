package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apiserver/pkg/authentication/request/anonymous"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	"k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	"k8s.io/apiserver/pkg/server/healthz"
	"k8s.io/client-go/util/cert"

	"github.com/plimsoll-scheduler/plimsoll/pkg/compat"
	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
	"github.com/plimsoll-scheduler/plimsoll/pkg/status"
)

// startPorts runs the scheduler with these flags and returns the addresses of
// kube-scheduler's own port and of that for decisions. It ends with the test.
func startPorts(t *testing.T, flags ...string) (own, decisions string) {
	t.Helper()
	own, decisions = freeAddress(t), freeAddress(t)
	_, ownPort, _ := net.SplitHostPort(own)
	_, decisionsPort, _ := net.SplitHostPort(decisions)
	dir, kubeconfig := t.TempDir(), kubeconfig(t)
	config := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(config, []byte(header+"leaderElection: {leaderElect: false}\nclientConnection: {kubeconfig: "+kubeconfig+"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], append(flags, "--config="+config,
		"--bind-address=127.0.0.1", "--secure-port="+ownPort, "--decisions-secure-port="+decisionsPort,
		"--authentication-kubeconfig="+kubeconfig, "--authorization-kubeconfig="+kubeconfig)...)
	cmd.Env = append(os.Environ(), runAsScheduler+"=1", "KUBE_CONFIG="+kubeconfig)
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // that it ends is told below
		close(ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		<-ended
	})
	for _, address := range []string{own, decisions} {
		err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
			select {
			case <-ended:
				return false, errors.New("the scheduler has ended")
			default:
			}
			conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
			if err == nil {
				_ = conn.Close() // it was only to see whether it can be made
			}
			return err == nil, nil
		})
		if err != nil {
			content, _ := os.ReadFile(log.Name())
			t.Fatalf("nobody listens at %s: %v; the log:\n%s", address, err, content)
		}
	}
	return own, decisions
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// Whatever kube-scheduler's flags say of TLS holds at both ports.
func TestDecisionsAreServedWithTheTLSSettingsOfTheSecurePort(t *testing.T) {
	const strong, weak = tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
	clients := map[string]*tls.Config{
		"TLS 1.1":              {MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11},
		"TLS 1.2, AES 128":     {MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{weak}},
		"TLS 1.2, AES 256":     {MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{strong}},
		"TLS 1.3":              {MinVersion: tls.VersionTLS13},
		"TLS 1.3, X25519":      {MinVersion: tls.VersionTLS13, CurvePreferences: []tls.CurveID{tls.X25519}},
		"TLS 1.3, P-256":       {MinVersion: tls.VersionTLS13, CurvePreferences: []tls.CurveID{tls.CurveP256}},
		"TLS 1.3, HTTP/2 or 1": {MinVersion: tls.VersionTLS13, NextProtos: []string{"h2", "http/1.1"}},
	}
	const refused = "refused"
	type served struct {
		flags []string
		want  map[string]string // what is negotiated, by client; by default the version
	}
	cases := map[string]served{
		"by default": {nil, map[string]string{"TLS 1.1": refused, "TLS 1.3, HTTP/2 or 1": "h2"}},
		"--tls-min-version": {[]string{"--tls-min-version=VersionTLS13"}, map[string]string{
			"TLS 1.1": refused, "TLS 1.2, AES 128": refused, "TLS 1.2, AES 256": refused, "TLS 1.3, HTTP/2 or 1": "h2",
		}},
		"--tls-cipher-suites": {[]string{"--tls-cipher-suites=TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "--disable-http2-serving"}, map[string]string{
			"TLS 1.1": refused, "TLS 1.2, AES 128": refused, "TLS 1.3, HTTP/2 or 1": "http/1.1",
		}},
		"--tls-curve-preferences": {[]string{fmt.Sprintf("--tls-curve-preferences=%d", tls.CurveP256)}, map[string]string{
			"TLS 1.1": refused, "TLS 1.3, X25519": refused, "TLS 1.3, HTTP/2 or 1": "h2",
		}},
	}
	if compat.Minor == "1.35" {
		delete(cases, "--tls-curve-preferences") // there is no such flag yet
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			own, decisions := startPorts(t, test.flags...)
			for client, config := range clients {
				want, ok := test.want[client]
				if !ok {
					want, _, _ = strings.Cut(client, ",")
				}
				for _, address := range []string{own, decisions} {
					if got, err := negotiate(t.Context(), address, config); got != want {
						t.Errorf("%s with %s: %s (%v), want %s", address, client, got, err, want)
					}
				}
			}
		})
	}
}

// negotiate returns what a client and the server agree on: the protocol if the
// client names any, else the version of TLS.
func negotiate(ctx context.Context, address string, config *tls.Config) (string, error) {
	config = config.Clone()
	config.InsecureSkipVerify = true // self-signed
	conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", address)
	if err != nil {
		var network *net.OpError // of the server's alert
		if errors.As(err, &network) && network.Op == "remote error" {
			return "refused", err
		}
		return "", err
	}
	defer func() { _ = conn.Close() }()
	state := conn.(*tls.Conn).ConnectionState()
	if len(config.NextProtos) > 0 {
		return state.NegotiatedProtocol, nil
	}
	return tls.VersionName(state.Version), nil
}

// pipes is a listener of connections within the process, which know deadlines.
type pipes struct {
	accepted chan net.Conn
	closed   chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.accepted:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	close(p.closed)
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// Clients that do nothing, or too much, hold no connection for long. The clock
// is that of the bubble.
func TestIdleClientsAreDisconnected(t *testing.T) {
	certificate, key, err := cert.GenerateSelfSignedCertKey("localhost", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	const request = "GET " + explain.Path + " HTTP/1.1\r\nHost: localhost\r\n"
	const header, idle = 32 * time.Second, 90 * time.Second // of SecureServingInfo.Serve
	for name, test := range map[string]struct {
		// client does what it does and returns; it is disconnected after the time, or by then.
		client func(t *testing.T, conn net.Conn)
		plain  bool // the client does not get as far as the TLS handshake
		want   time.Duration
	}{
		"sends nothing":                     {client: func(*testing.T, net.Conn) {}, plain: true, want: header},
		"sends nothing after the handshake": {client: func(*testing.T, net.Conn) {}, want: header},
		"sends half a header": {client: func(t *testing.T, conn net.Conn) {
			write(t, conn, request)
		}, want: header},
		"sends a header bit by bit": {client: func(t *testing.T, conn net.Conn) {
			write(t, conn, request)
			for range 3 {
				time.Sleep(10 * time.Second)
				write(t, conn, "X: y\r\n")
			}
		}, want: header},
		"sends half a body": {client: func(t *testing.T, conn net.Conn) {
			write(t, conn, request+"Content-Length: 10\r\n\r\n12345")
			readAnswer(t, conn, http.StatusOK)
		}, want: readTimeout},
		"sends no further request": {client: func(t *testing.T, conn net.Conn) {
			write(t, conn, request+"\r\n")
			readAnswer(t, conn, http.StatusOK)
		}, want: idle},
		"does not read the answer": {client: func(t *testing.T, conn net.Conn) {
			write(t, conn, request+"\r\n")
			time.Sleep(writeTimeout + time.Second)
		}, want: writeTimeout + time.Second},
		"sends a large header": {client: func(t *testing.T, conn net.Conn) {
			go func() { _, _ = io.WriteString(conn, request+"X: "+strings.Repeat("y", 2<<20)) }() // it is cut off
			readAnswer(t, conn, http.StatusRequestHeaderFieldsTooLarge)
		}, want: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				provider, err := dynamiccertificates.NewStaticCertKeyContent("test", certificate, key)
				if err != nil {
					t.Fatal(err)
				}
				info := withListener(&server.SecureServingInfo{Cert: provider, DisableHTTP2: true}, &pipes{accepted: make(chan net.Conn), closed: make(chan struct{})})
				own := endpoints{
					decisions: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "decisions") }),
					status:    &status.Server{}, ready: healthz.PingHealthz,
				}
				handler := own.handler(
					server.AuthenticationInfo{Authenticator: anonymous.NewAuthenticator(nil)},
					server.AuthorizationInfo{Authorizer: authorizerfactory.NewAlwaysAllowAuthorizer()})
				stop := make(chan struct{})
				stopped, listenerStopped, err := info.Serve(handler, shutdownTimeout, stop)
				if err != nil {
					t.Fatal(err)
				}
				defer func() { close(stop); <-stopped; <-listenerStopped }()

				client, served := net.Pipe()
				defer func() { _ = client.Close() }()
				info.Listener.(*pipes).accepted <- served
				begin := time.Now()
				conn := client
				if !test.plain {
					conn = tls.Client(client, &tls.Config{InsecureSkipVerify: true})
				}
				test.client(t, conn)
				_, err = io.Copy(io.Discard, client) // until the server closes the connection
				if took := time.Since(begin); err != nil || took > test.want+time.Second {
					t.Errorf("disconnected after %v (%v), want %v", took, err, test.want)
				}
			})
		})
	}
}

func write(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Error(err)
	}
}

func readAnswer(t *testing.T, conn net.Conn, want int) {
	t.Helper()
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != want {
		t.Errorf("status %d, want %d (%v)", response.StatusCode, want, err)
	}
}

// When the files of the certificate are replaced, both servers serve the new one.
func TestReplacedCertificatesAreServed(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	replace := func(host string) {
		t.Helper()
		certificate, key, err := cert.GenerateSelfSignedCertKey(host, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		for file, content := range map[string][]byte{certFile: certificate, keyFile: key} {
			if err := os.WriteFile(file, content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	replace("first.example")
	provider, err := dynamiccertificates.NewDynamicServingContentFromFiles("test", certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	own := &server.SecureServingInfo{Cert: provider, Listener: listen(t)}
	decisions := withListener(own, listen(t))
	for _, info := range []*server.SecureServingInfo{decisions, own} { // in this order, as in the program
		stop := make(chan struct{})
		stopped, _, err := info.Serve(http.NotFoundHandler(), shutdownTimeout, stop)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { close(stop); <-stopped })
	}
	waitServed := func(host string) {
		t.Helper()
		for _, info := range []*server.SecureServingInfo{own, decisions} {
			var got []string
			err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
				conn, err := (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}).DialContext(ctx, "tcp", info.Listener.Addr().String())
				if err != nil {
					return false, err
				}
				defer func() { _ = conn.Close() }()
				got = conn.(*tls.Conn).ConnectionState().PeerCertificates[0].DNSNames
				return len(got) == 1 && got[0] == host, nil
			})
			if err != nil {
				t.Fatalf("the certificate is for %q, want %s: %v", got, host, err)
			}
		}
	}
	waitServed("first.example")
	replace("second.example")
	waitServed("second.example")
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}
