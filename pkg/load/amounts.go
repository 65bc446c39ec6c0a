package load

import (
	"math"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Resource is a resource whose use is measured.
type Resource int

// The measured resources, and how many there are.
const (
	CPU Resource = iota
	Memory
	NumResources
)

// Name returns the resource's name in the Kubernetes API.
func (r Resource) Name() v1.ResourceName {
	return [NumResources]v1.ResourceName{v1.ResourceCPU, v1.ResourceMemory}[r]
}

// PerUnit returns how many of what Amounts counts make one of the resource's
// unit: 1000 millicores are a core, a byte is a byte.
func (r Resource) PerUnit() float64 { return [NumResources]float64{CPU: 1000, Memory: 1}[r] }

// InUnits returns an amount in the resource's unit: cores or bytes.
func (r Resource) InUnits(amount int64) float64 { return float64(amount) / r.PerUnit() }

// Format writes an amount as Kubernetes writes quantities.
func (r Resource) Format(amount int64) string {
	if r == CPU {
		return resource.NewMilliQuantity(amount, resource.DecimalSI).String()
	}
	return resource.NewQuantity(amount, resource.BinarySI).String()
}

// Amounts is an amount of each resource: CPU in millicores, memory in bytes.
type Amounts [NumResources]int64

// maxAmount bounds a single amount: a million million millicores, or one PiB.
// Larger ones come from absurd requests; they are cut so that sums stay exact.
const maxAmount = 1 << 50

// Add returns a + b, held at the largest int64 instead of overflowing.
func (a Amounts) Add(b Amounts) Amounts {
	for r := range a {
		if b[r] > 0 && a[r] > math.MaxInt64-b[r] {
			a[r] = math.MaxInt64
			continue
		}
		a[r] += b[r]
	}
	return a
}

// Sub returns a - b.
func (a Amounts) Sub(b Amounts) Amounts {
	for r := range a {
		a[r] -= b[r]
	}
	return a
}

// Max returns the larger amount of each resource.
func (a Amounts) Max(b Amounts) Amounts {
	for r := range a {
		a[r] = max(a[r], b[r])
	}
	return a
}

// Min returns the smaller amount of each resource.
func (a Amounts) Min(b Amounts) Amounts {
	for r := range a {
		a[r] = min(a[r], b[r])
	}
	return a
}

// Scaled returns share x a.
func (a Amounts) Scaled(share float64) Amounts {
	for r := range a {
		a[r] = int64(share * float64(a[r]))
	}
	return a
}

// AmountsOf returns list's CPU and memory; what is not in it is 0.
func AmountsOf(list v1.ResourceList) Amounts {
	var a Amounts
	for r := range NumResources {
		if quantity, ok := list[r.Name()]; ok {
			a[r] = AmountOf(r, quantity)
		}
	}
	return a
}

// AmountOf returns quantity in the unit of r, held between 0 and maxAmount.
func AmountOf(r Resource, quantity resource.Quantity) int64 {
	whole := quantity.Value()
	if r == CPU && whole < maxAmount/1000 {
		whole = quantity.MilliValue()
	}
	return min(max(whole, 0), maxAmount)
}
