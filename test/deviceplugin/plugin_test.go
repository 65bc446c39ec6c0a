package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	api "k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1"

	"github.com/plimsoll-scheduler/plimsoll/test/burn"
)

// registry is the kubelet's side of the registration.
type registry struct {
	api.UnimplementedRegistrationServer
	requests chan *api.RegisterRequest
}

func (r *registry) Register(_ context.Context, request *api.RegisterRequest) (*api.Empty, error) {
	r.requests <- request
	return &api.Empty{}, nil
}

// listen makes the kubelet's socket, as a kubelet does that begins.
func (r *registry) listen(t *testing.T, dir string) *grpc.Server {
	t.Helper()
	listener, err := net.Listen("unix", filepath.Join(dir, filepath.Base(api.KubeletSocket)))
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	api.RegisterRegistrationServer(server, r)
	go func() { _ = server.Serve(listener) }()
	return server
}

func (r *registry) next(ctx context.Context, t *testing.T) *api.RegisterRequest {
	t.Helper()
	select {
	case request := <-r.requests:
		return request
	case <-ctx.Done():
		t.Fatal("the plugin has not registered")
		return nil
	}
}

// The whole of the protocol: register, list, watch, prefer, allocate; and all anew when
// the kubelet begins anew.
func TestPluginSpeaksWithTheKubelet(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	dir := t.TempDir()
	d, err := parseResource("example.com/npu=12")
	if err != nil {
		t.Fatal(err)
	}
	p := &plugin{devices: d, sockets: dir, folders: t.TempDir()}
	go func() { _ = p.keepServing(ctx) }() // before there is a kubelet
	r := &registry{requests: make(chan *api.RegisterRequest, 1)}
	kubelet := r.listen(t, dir)
	request := r.next(ctx, t)
	if request.ResourceName != "example.com/npu" || request.Version != api.Version || !request.Options.GetPreferredAllocationAvailable {
		t.Errorf("registered %v", request)
	}
	connection, err := grpc.NewClient("unix://"+filepath.Join(dir, request.Endpoint), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	client := api.NewDevicePluginClient(connection)
	stream, err := client.ListAndWatch(ctx, &api.Empty{})
	if err != nil {
		t.Fatal(err)
	}
	count := func(want int, unhealthy ...string) {
		t.Helper()
		response, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		var ill []string
		for _, device := range response.Devices {
			if device.Health != api.Healthy {
				ill = append(ill, device.ID)
			}
		}
		if len(response.Devices) != want || !slices.Equal(ill, unhealthy) {
			t.Errorf("%d devices, unhealthy %v, want %d, %v", len(response.Devices), ill, want, unhealthy)
		}
	}
	count(12)
	control := httptest.NewServer(control([]*devices{d}, &burn.Burner{}))
	defer control.Close()
	tell := func(path string, want int) {
		t.Helper()
		response, err := http.Post(control.URL+path, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _ = response.Body.Close(); response.StatusCode != want {
			t.Errorf("%s: %s, want %d", path, response.Status, want)
		}
	}
	tell("/devices?id=npu-2&state=unhealthy", http.StatusOK)
	count(12, "npu-2")
	tell("/devices?id=npu-3&state=gone", http.StatusOK)
	count(11, "npu-2")
	tell("/devices?id=npu-99&state=gone", http.StatusNotFound)
	tell("/devices?id=npu-1&state=ill", http.StatusBadRequest)
	tell("/load?cores=many", http.StatusBadRequest)
	tell("/load?cores=NaN", http.StatusBadRequest)

	preferred, err := client.GetPreferredAllocation(ctx, &api.PreferredAllocationRequest{ContainerRequests: []*api.ContainerPreferredAllocationRequest{{
		AvailableDeviceIDs: []string{"npu-10", "npu-9", "npu-1"}, MustIncludeDeviceIDs: []string{"npu-9"}, AllocationSize: 2,
	}}})
	if err != nil || !slices.Equal(preferred.ContainerResponses[0].DeviceIDs, []string{"npu-9", "npu-1"}) {
		t.Errorf("prefers %v, %v", preferred, err)
	}
	allocate := func(ids ...string) (*api.AllocateResponse, error) {
		return client.Allocate(ctx, &api.AllocateRequest{ContainerRequests: []*api.ContainerAllocateRequest{{DevicesIds: ids}}})
	}
	allocated, err := allocate("npu-10", "npu-1")
	if err != nil {
		t.Fatal(err)
	}
	got := allocated.ContainerResponses[0]
	if got.Envs["EXAMPLE_COM_NPU"] != "npu-1,npu-10" || len(got.Devices) != 2 || got.Devices[0].ContainerPath != "/dev/npu-1" || len(got.Mounts) != 2 {
		t.Errorf("allocated %v", got)
	}
	if _, err := allocate("npu-2"); err == nil || !strings.Contains(err.Error(), `device npu-2 is "unhealthy"`) {
		t.Errorf("an unhealthy device was allocated: %v", err)
	}

	kubelet.Stop()
	defer r.listen(t, dir).Stop()
	if again := r.next(ctx, t); again.Endpoint != request.Endpoint {
		t.Errorf("registered %v, and before %v", again, request)
	}
}

// Word of the kubelet's socket may come after the plugin has registered there. It is no
// restart: a plugin that began anew then would drop what the kubelet has asked for.
func TestLateWordIsNoRestart(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	dir := t.TempDir()
	r := &registry{requests: make(chan *api.RegisterRequest, 1)}
	defer r.listen(t, dir).Stop()
	d, err := parseResource("example.com/npu=1")
	if err != nil {
		t.Fatal(err)
	}
	made := make(chan struct{}, 1)
	notify(made)
	ended := make(chan error, 1)
	serving, stop := context.WithCancel(ctx)
	defer stop()
	go func() { ended <- (&plugin{devices: d, sockets: dir, folders: t.TempDir()}).serve(serving, made) }()
	r.next(ctx, t)
	for len(made) > 0 { // until it has heard
		select {
		case <-ctx.Done():
			t.Fatal("the plugin does not listen for word of the socket")
		case <-time.After(time.Millisecond):
		}
	}
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v by late word of the socket", err)
	}
}

func TestBadArguments(t *testing.T) {
	for want, args := range map[string][]string{
		"--resource: must be given":                                                      nil,
		`"example.com/npu": must be a resource and how many`:                             {"--resource=example.com/npu"},
		`"npu": must be an extended resource, such as example.com/npu: it has no domain`: {"--resource=npu=4"},
		`"example.com/n p u": must be an extended resource`:                              {"--resource=example.com/n p u=4"},
		"0 to 1000":                 {"--resource=example.com/npu=-1"},
		"there is one of that kind": {"--resource=a.com/npu=1", "--resource=b.com/npu=1"},
		"/no-such-directory":        {"--resource=example.com/npu=1", "--sockets=/no-such-directory", "--listen=127.0.0.1:0"},
	} {
		if err := run(t.Context(), args); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", args, err, want)
		}
	}
}
