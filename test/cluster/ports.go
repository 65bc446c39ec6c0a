package cluster

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
)

// Blocks of ports lie below those that Linux hands out to outgoing connections:
// a port there is only taken by a server that asks for it.
const (
	firstPort          = 20000
	lastPort           = 30000
	blockSize          = 10
	firstEphemeralPort = 32768
)

// ports are the TCP ports of one cluster.
type ports struct {
	etcd, etcdPeer, apiServer, controllerManager, scheduler, kwok, metricsServer int

	// reservation listens on the block's first port. As long as any process
	// has it open, no other cluster gets the block.
	reservation *os.File
}

// reservePorts takes the first free block, beginning at a random one so that
// clusters that start at the same time seldom compete.
func reservePorts() (*ports, error) {
	const blocks = (lastPort - firstPort) / blockSize
	first := rand.IntN(blocks)
	for i := range blocks {
		base := firstPort + (first+i)%blocks*blockSize
		reservation, err := reserveBlock(base)
		if err != nil {
			continue
		}
		return &ports{
			etcd: base + 1, etcdPeer: base + 2, apiServer: base + 3, controllerManager: base + 4,
			scheduler: base + 5, kwok: base + 6, metricsServer: base + 7,
			reservation: reservation,
		}, nil
	}
	return nil, fmt.Errorf("no %d free ports in a row between %d and %d", blockSize, firstPort, lastPort)
}

func reserveBlock(base int) (*os.File, error) {
	listener, err := listen(base)
	if err != nil {
		return nil, err
	}
	defer listener.Close() // File returns a duplicate

	for port := base + 1; port < base+blockSize; port++ {
		probe, err := listen(port)
		if err != nil {
			return nil, err
		}
		if err := probe.Close(); err != nil {
			return nil, err
		}
	}
	tcp, ok := listener.(*net.TCPListener)
	if !ok {
		return nil, errors.New("not a TCP listener")
	}
	return tcp.File()
}

func listen(port int) (net.Listener, error) {
	return net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
}

func (p *ports) release() {
	_ = p.reservation.Close()
}
