// Package amount has amounts of the resources whose use is measured: CPU in
// millicores and memory in bytes.
package amount

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

// PerUnit returns how many of what a Vector counts make one of the resource's
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

// Vector is an amount of each resource: CPU in millicores, memory in bytes.
type Vector [NumResources]int64

// Limit bounds a single amount: a million million millicores, or one PiB.
// Larger ones come from absurd requests; they are cut so that sums stay exact.
const Limit = 1 << 50

// Add returns a + b, held at the largest int64 instead of overflowing.
func (a Vector) Add(b Vector) Vector {
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
func (a Vector) Sub(b Vector) Vector {
	for r := range a {
		a[r] -= b[r]
	}
	return a
}

// Max returns the larger amount of each resource.
func (a Vector) Max(b Vector) Vector {
	for r := range a {
		a[r] = max(a[r], b[r])
	}
	return a
}

// Min returns the smaller amount of each resource.
func (a Vector) Min(b Vector) Vector {
	for r := range a {
		a[r] = min(a[r], b[r])
	}
	return a
}

// Scaled returns share x a.
func (a Vector) Scaled(share float64) Vector {
	for r := range a {
		a[r] = int64(share * float64(a[r]))
	}
	return a
}

// FromList returns list's CPU and memory; what is not in it is 0.
func FromList(list v1.ResourceList) Vector {
	var a Vector
	for r := range NumResources {
		if quantity, ok := list[r.Name()]; ok {
			a[r] = FromQuantity(r, quantity)
		}
	}
	return a
}

// FromQuantity returns quantity in the unit of r, held between 0 and Limit.
func FromQuantity(r Resource, quantity resource.Quantity) int64 {
	switch {
	case quantity.Sign() <= 0:
		return 0
	case quantity.AsApproximateFloat64()*r.PerUnit() >= Limit:
		return Limit // Value returns anything for what does not fit into 64 bits
	case r == CPU:
		return quantity.MilliValue()
	default:
		return quantity.Value()
	}
}
