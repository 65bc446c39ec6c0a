package leader

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/httpstream" //nolint:staticcheck // what replaces it is not there before 1.37
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"

	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/cluster"
)

// forward forwards a free local port to a port of the pod until stop is called, as
// kubectl port-forward does: over a WebSocket, or SPDY where the API server is older.
func forward(ctx context.Context, client kubernetes.Interface, config *rest.Config, to *v1.Pod, port int) (local int, stop func(), err error) {
	dialer, err := dialerTo(client, config, to)
	if err != nil {
		return 0, nil, err
	}
	stopped, ready := make(chan struct{}), make(chan struct{})
	forwarder, err := portforward.NewOnAddresses(dialer, []string{"127.0.0.1"}, []string{fmt.Sprintf("0:%d", port)}, stopped, ready, io.Discard, io.Discard)
	if err != nil {
		return 0, nil, err
	}
	failed := make(chan error, 1)
	go func() { failed <- forwarder.ForwardPorts() }()
	stop = sync.OnceFunc(func() { close(stopped) })
	select {
	case <-ready:
	case err := <-failed:
		return 0, nil, forwardError(err, to)
	case <-ctx.Done():
		stop()
		return 0, nil, ctx.Err()
	}
	ports, err := forwarder.GetPorts()
	if err != nil {
		stop()
		return 0, nil, err
	}
	return int(ports[0].Local), stop, nil
}

func dialerTo(client kubernetes.Interface, config *rest.Config, to *v1.Pod) (httpstream.Dialer, error) {
	url := client.CoreV1().RESTClient().Post().Resource("pods").Namespace(to.Namespace).Name(to.Name).SubResource("portforward").URL()
	roundTripper, upgrader, err := spdy.RoundTripperFor(config)
	if err != nil {
		return nil, err
	}
	overSPDY := spdy.NewDialer(upgrader, &http.Client{Transport: roundTripper}, http.MethodPost, url)
	overWebSocket, err := portforward.NewSPDYOverWebsocketDialer(url, config)
	if err != nil {
		return nil, err
	}
	return portforward.NewFallbackDialer(overWebSocket, overSPDY, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	}), nil
}

// forwardError says what is wrong.
func forwardError(err error, to *v1.Pod) error {
	if apierrors.IsForbidden(err) || err != nil && strings.Contains(err.Error(), "forbidden") {
		return denied(err, to.Namespace, cluster.Rule{Resources: "pods/portforward", Verbs: "get, create"})
	}
	return fmt.Errorf("forward a port to the pod %s/%s: %w", to.Namespace, to.Name, err)
}
