package nodeload

import (
	"math"

	v1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/compat"
	"github.com/plimsoll-scheduler/plimsoll/pkg/demand"
	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

// newcomer is what a pod brings to a node.
type newcomer struct {
	demand demand.Demand
	// devices is how many it asks for, of all kinds.
	devices float64
	// nodes is what nodes have, nil if nothing is known of devices.
	nodes *device.View
}

// newcomer returns what the pod brings to a node; nil unless nodes are ranked by what
// is lost there.
func (pl *NodeLoad) newcomer(pod *v1.Pod) *newcomer {
	if pl.policy.prices == nil {
		return nil
	}
	n := &newcomer{demand: pl.model.Demand(pod)}
	if catalogue := pl.catalogue(); catalogue != nil {
		for _, request := range catalogue.Requests(pod) {
			n.devices += float64(request.Count)
		}
		view := catalogue.View()
		n.nodes = &view
	}
	return n
}

// with returns what both pods bring together. other may be nil.
func (n *newcomer) with(other *newcomer) *newcomer {
	if other == nil {
		return n
	}
	return &newcomer{demand: n.demand.Add(other.demand), devices: n.devices + other.devices, nodes: n.nodes}
}

const (
	// podsPrice is what it costs, in devices, that the pods of a node are short
	// besides those that hold devices: a fourth of a device for all of them.
	podsPrice = 0.25
	// podPrice is what it costs, in devices, that the pod itself is short.
	podPrice = 0.1
	// correlation is by how much the variance of a node's demand is above that of
	// pods that vary independently: replicas get the same traffic.
	correlation = 1.5
	// smallLoss and largeLoss, in devices, are the ends of the scale of scores: below
	// the one losses hardly differ, and at the other the score is 0.
	smallLoss, largeLoss = 0.02, 10.
	// packing is how many points a node is worth less that leaves all the headroom of
	// the largest node for one free device: see bestFit.
	packing = 25
	// evenness is how many points a node that is full is worth less for a pod without
	// devices: see unevenness.
	evenness = 10
)

// risk is how probable it is that a node is short of each resource, without a pod and
// with it.
type risk struct{ before, after [amount.NumResources]float64 }

// riskOf returns the risk of a node of this demand and capacity, of the resources that
// count.
func (p *policy) riskOf(before demand.Demand, capacity amount.Vector, pod *newcomer) (k risk) {
	after := before.Add(pod.demand)
	for r := range amount.NumResources {
		if p.prices[r] > 0 {
			c := float64(capacity[r])
			// Most nodes are not at risk with the pod, and then are not without it.
			if k.after[r] = demand.Exceeds(after.Mean[r], correlation*after.Variance[r], c); k.after[r] > 0 {
				k.before[r] = demand.Exceeds(before.Mean[r], correlation*before.Variance[r], c)
			}
		}
	}
	return k
}

// none reports whether nothing can be lost.
func (k *risk) none() bool { return k.after == [amount.NumResources]float64{} }

// expectedLoss returns how many devices more, in expectation, are short of a
// resource because of a pod:
//
//	(D + d + a + b) P(M + m, k (V + v)) - (D + a) P(M, k V)
//
// where P is the probability that a demand of this mean and variance exceeds the
// capacity (demand.Exceeds), D are the devices that are in use on the node and d the
// pod's, a is podsPrice, b is podPrice and k is correlation. With several resources, each counts
// by its weight, the largest as 1.
func (p *policy) expectedLoss(k risk, inUse float64, pod *newcomer) float64 {
	loss := 0.0
	for r := range amount.NumResources {
		loss += p.prices[r] * ((inUse+pod.devices+podsPrice+podPrice)*k.after[r] - (inUse+podsPrice)*k.before[r])
	}
	return max(0, loss)
}

// scoreOfLoss returns the score of a loss: 100 if there is none, 0 from largeLoss on,
// and equal steps for equal ratios in between, because most choices are between
// small losses.
//
//	100 - 100 log(1 + loss/smallLoss) / log(1 + largeLoss/smallLoss)
func scoreOfLoss(loss float64) float64 {
	if loss == 0 {
		return float64(compat.MaxScore)
	}
	return float64(compat.MaxScore) * (1 - math.Log1p(loss/smallLoss)/worstLog)
}

var worstLog = math.Log1p(largeLoss / smallLoss)

// bestFit returns the points by which a node is worth less for a pod with devices
// because of the headroom that it leaves for each of the node's free devices, of
// which pods that use much could make better use:
//
//	packing x min(1, h),  h = 2 headroom / (free devices + 2) / the largest node's capacity
func bestFit(headroom, free, largest float64) float64 {
	if largest <= 0 || headroom <= 0 {
		return 0
	}
	return packing * min(1, 2*headroom/(free+2)/largest)
}

// unevenness returns the points by which a node is worth less for a pod without devices
// because of how much of it is in use then, in mean, of the resource that is scarcest:
//
//	evenness x min(1, max over resources of mean / capacity)
//
// Where nothing is at stake nodes are told apart by that alone, and kube-scheduler takes
// the same node again and again of several that score alike.
func (p *policy) unevenness(before demand.Demand, capacity amount.Vector, pod *newcomer) float64 {
	share := 0.0
	for r := range amount.NumResources {
		if p.prices[r] > 0 {
			share = max(share, ratio(before.Mean[r]+pod.demand.Mean[r], float64(capacity[r])))
		}
	}
	return evenness * min(1, share)
}

// demandOf returns what is expected to be used on the node: what its pods are, given
// what was measured of those that samples show. The whole varies at least as its
// samples do.
func demandOf(node *load.Node, use amount.Vector, known bool) demand.Demand {
	if !known {
		return node.Demand.Demand().Add(node.Unseen.Demand())
	}
	d := node.Demand.Demand().Given(use.Sub(node.UnseenUse)).Add(node.Unseen.Demand())
	for r, deviation := range node.Deviation {
		d.Variance[r] = max(d.Variance[r], float64(deviation)*float64(deviation))
	}
	return d
}

// lossScore ranks the node for the pod by what is lost there, 0 to 100. Of a pod without
// devices, on a node where nothing can be lost, it need not know the node's devices.
func (p *policy) lossScore(view *load.View, node *load.Node, use amount.Vector, known bool, nodeInfo fwk.NodeInfo, pod *newcomer) float64 {
	capacity, before := allocatableOf(nodeInfo), demandOf(node, use, known)
	k, score := p.riskOf(before, capacity, pod), float64(compat.MaxScore)
	var inUse, free float64
	if pod.devices > 0 || !k.none() {
		inUse, free = pod.devicesOf(nodeInfo)
		score = scoreOfLoss(p.expectedLoss(k, inUse, pod))
	}
	if pod.devices > 0 {
		headroom := float64(capacity[amount.CPU]) - before.Mean[amount.CPU] - pod.demand.Mean[amount.CPU]
		return max(0, score-bestFit(headroom, free, float64(view.Largest()[amount.CPU])))
	}
	return max(0, score-p.unevenness(before, capacity, pod))
}

// devicesOf returns how many devices of the node are in use, and how many are free.
func (n *newcomer) devicesOf(nodeInfo fwk.NodeInfo) (inUse, free float64) {
	if n.nodes == nil {
		return 0, 0
	}
	var buffer [device.UsualKinds]device.Stock
	stocks, inClasses := n.nodes.AppendStocks(buffer[:0], nodeInfo)
	return inClasses.Requested(stocks), float64(inClasses.Free(stocks))
}
