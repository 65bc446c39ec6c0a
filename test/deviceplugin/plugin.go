package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	api "k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1"
)

const (
	// registerTimeout bounds one attempt to register.
	registerTimeout = 5 * time.Second
	// mounts is where a container finds the folders of its devices.
	mounts = "/run/devices"
)

// plugin serves the devices of one resource to the kubelet.
type plugin struct {
	api.UnimplementedDevicePluginServer
	*devices
	sockets string // the kubelet's directory of plugins' sockets
	folders string // has a folder for each device
}

func (p *plugin) socket() string {
	return "plimsoll-" + strings.ReplaceAll(p.resource, "/", "-") + ".sock"
}

// kubeletSocket is where the kubelet takes registrations.
func (p *plugin) kubeletSocket() string {
	return filepath.Join(p.sockets, filepath.Base(api.KubeletSocket))
}

// serve serves and registers with the kubelet, until the context ends or the kubelet
// begins anew: then it has removed the socket, and forgotten the plugin. The channel
// tells when the kubelet's socket may have been made anew.
func (p *plugin) serve(ctx context.Context, made <-chan struct{}) error {
	path := filepath.Join(p.sockets, p.socket())
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return fmt.Errorf("%s: serve %s: %w", p.resource, path, err)
	}
	server := grpc.NewServer()
	api.RegisterDevicePluginServer(server, p)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	defer server.Stop()
	registeredAt, err := os.Stat(p.kubeletSocket())
	if err != nil {
		return fmt.Errorf("%s: register with the kubelet: %w", p.resource, err)
	}
	if err := p.register(ctx); err != nil {
		return err
	}
	log.Printf("%s: registered", p.resource)
	for {
		select {
		case err := <-ended:
			return fmt.Errorf("%s: serve %s: %w", p.resource, path, err)
		case <-made:
			// Word of a socket may come only after the plugin has registered there.
			if now, err := os.Stat(p.kubeletSocket()); err != nil || !same(registeredAt, now) {
				return nil
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// same reports whether the files are one: a new file may get the number of one that was
// removed, but not its time.
func same(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime())
}

func (p *plugin) register(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, registerTimeout)
	defer cancel()
	address := "unix://" + p.kubeletSocket()
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer func() { _ = connection.Close() }()
	_, err = api.NewRegistrationClient(connection).Register(ctx, &api.RegisterRequest{
		Version: api.Version, Endpoint: p.socket(), ResourceName: p.resource,
		Options: &api.DevicePluginOptions{GetPreferredAllocationAvailable: true},
	})
	if err != nil {
		return fmt.Errorf("%s: register with the kubelet at %s: %w", p.resource, address, err)
	}
	return nil
}

// GetDevicePluginOptions says that the plugin has a preference.
func (p *plugin) GetDevicePluginOptions(context.Context, *api.Empty) (*api.DevicePluginOptions, error) {
	return &api.DevicePluginOptions{GetPreferredAllocationAvailable: true}, nil
}

// ListAndWatch reports the devices now, and with each change.
func (p *plugin) ListAndWatch(_ *api.Empty, stream grpc.ServerStreamingServer[api.ListAndWatchResponse]) error {
	for {
		states, changed := p.now()
		response := &api.ListAndWatchResponse{}
		for _, id := range inOrder(slices.Collect(maps.Keys(states))) {
			switch states[id] {
			case Healthy:
				response.Devices = append(response.Devices, &api.Device{ID: id, Health: api.Healthy})
			case Unhealthy:
				response.Devices = append(response.Devices, &api.Device{ID: id, Health: api.Unhealthy})
			}
		}
		if err := stream.Send(response); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-stream.Context().Done():
			return nil
		}
	}
}

// GetPreferredAllocation prefers devices beside each other, by number.
func (p *plugin) GetPreferredAllocation(_ context.Context, request *api.PreferredAllocationRequest) (*api.PreferredAllocationResponse, error) {
	response := &api.PreferredAllocationResponse{}
	for _, container := range request.ContainerRequests {
		ids := slices.Clone(container.MustIncludeDeviceIDs)
		for _, id := range inOrder(container.AvailableDeviceIDs) {
			if len(ids) < int(container.AllocationSize) && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
		response.ContainerResponses = append(response.ContainerResponses, &api.ContainerPreferredAllocationResponse{DeviceIDs: ids})
	}
	return response, nil
}

// Allocate gives devices to containers. It refuses those that cannot be used.
func (p *plugin) Allocate(_ context.Context, request *api.AllocateRequest) (*api.AllocateResponse, error) {
	states, _ := p.now()
	response := &api.AllocateResponse{}
	for _, container := range request.ContainerRequests {
		ids := inOrder(container.DevicesIds)
		allocated := &api.ContainerAllocateResponse{Envs: map[string]string{p.variable(): strings.Join(ids, ",")}}
		for _, id := range ids {
			if states[id] != Healthy {
				return nil, status.Errorf(codes.FailedPrecondition, "%s: device %s is %q, so it cannot be allocated", p.resource, id, states[id])
			}
			folder := filepath.Join(p.folders, id)
			if err := writeID(folder, id); err != nil {
				return nil, status.Errorf(codes.Internal, "%s: device %s: %v", p.resource, id, err)
			}
			allocated.Devices = append(allocated.Devices, &api.DeviceSpec{ContainerPath: "/dev/" + id, HostPath: os.DevNull, Permissions: "rw"})
			allocated.Mounts = append(allocated.Mounts, &api.Mount{ContainerPath: filepath.Join(mounts, id), HostPath: folder, ReadOnly: true})
		}
		log.Printf("%s: allocated %s", p.resource, strings.Join(ids, ","))
		response.ContainerResponses = append(response.ContainerResponses, allocated)
	}
	return response, nil
}

func writeID(folder, id string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "id"), []byte(id+"\n"), 0o644)
}
