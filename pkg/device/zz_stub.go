package device

import v1 "k8s.io/api/core/v1"

type Inventory struct{}
type InventoryView struct{}

func (*Inventory) View() InventoryView        { return InventoryView{} }
func (InventoryView) Stocks(string) []Stock   { return nil }
func (*Inventory) Requests(*v1.Pod) []Request { return nil }
