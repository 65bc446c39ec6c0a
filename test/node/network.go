package node

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// network is what the addresses of a node are: a link of its own to this machine, and a
// range for its pods.
type network struct {
	link             string
	gateway, address net.IP
	pods             *net.IPNet
}

// linkBits is the size of a link's network: this machine, the node, and two that cannot
// be used.
const linkBits = 30

// chooseNetwork takes addresses at random that no link of this machine has. Links are
// 10.250.0.0/16, cut in 16,384 pieces, and pods 10.128.0.0 to 10.191.255.255, likewise.
func chooseNetwork() (*network, error) {
	used, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	for range 100 {
		n := networkOf(rand.Uint32N(1 << 14))
		if n.isFree(used) {
			return n, nil
		}
	}
	return nil, errors.New("this machine has addresses all over 10.250.0.0/16, which real nodes need some of")
}

func networkOf(k uint32) *network {
	base := binary.BigEndian.Uint32([]byte{10, 250, 0, 0}) + k<<(32-linkBits)
	pods := binary.BigEndian.Uint32([]byte{10, 128, 0, 0}) + k<<8
	return &network{
		link:    fmt.Sprintf("plimsoll%d", k),
		gateway: ipOf(base + 1), address: ipOf(base + 2),
		pods: &net.IPNet{IP: ipOf(pods), Mask: net.CIDRMask(24, 32)},
	}
}

func (n *network) isFree(used []net.Addr) bool {
	link := net.IPNet{IP: n.gateway.Mask(net.CIDRMask(linkBits, 32)), Mask: net.CIDRMask(linkBits, 32)}
	for _, address := range used {
		if one, ok := address.(*net.IPNet); ok && (link.Contains(one.IP) || one.Contains(n.address) || one.Contains(n.pods.IP)) {
			return false
		}
	}
	return true
}

func ipOf(number uint32) net.IP {
	return binary.BigEndian.AppendUint32(nil, number)
}
