//go:build !k8s135

package fit

import (
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// An extended resource that no device plugin offers is that of the class behind it.
func TestExtendedResourceOfAClass(t *testing.T) {
	const name = "d.example.com/device"
	from := cluster(1, 1)
	from.Objects = devices(new(string(name)), 2, 3)
	p := small(func(p *v1.Pod) {
		p.Spec.Containers[0].Resources.Requests[name] = resource.MustParse("1")
		p.Spec.Containers[0].Resources.Limits = v1.ResourceList{name: resource.MustParse("1")}
	})
	if a := try(t, from, p, Own{}); a.Fit != 5 || a.ByRequests != 5 {
		t.Errorf("%d of %d on %s: %s", a.Fit, a.ByRequests, on(a), a.Blocked)
	}
}
