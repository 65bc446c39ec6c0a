package load

import (
	"testing"

	st "k8s.io/kubernetes/pkg/scheduler/testing"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/line"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/ledger"
)

func TestPodsOn(t *testing.T) {
	m := NewModel(Config{}, nil)
	m.SetNode("n", amount.Vector{10_000, 1 << 30}, line.Own{})
	for _, name := range []string{"b", "a"} {
		m.Reserve(st.MakePod().Namespace("ns").Name(name).UID(name).Obj(), "n")
	}
	m.SetPod(st.MakePod().Namespace("ns").Name("b").UID("b").Node("n").Obj())
	states := m.PodsOn("n")
	if len(states) != 2 || states[0].Name.Name != "a" || states[0].Phase != ledger.Reserved || states[1].Phase != ledger.Assigned || states[0].Seen {
		t.Errorf("the states are %+v, want a reserved and b assigned", states)
	}
	if states := m.PodsOn("elsewhere"); states != nil {
		t.Errorf("the states on an unknown node are %+v", states)
	}
}
