package gate

import (
	"cmp"
	"slices"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
)

// Tables lists the tables of mutations, each version of them once, by number: so commits wait for gates in the same
// order.
func Tables(muts []buffer.Mutation) []*kalam.Table {
	out := make([]*kalam.Table, 0, 1)
	for i := range muts {
		t := muts[i].Table
		if i > 0 && muts[i-1].Table == t {
			continue
		}
		known := false
		for _, o := range out {
			known = known || o.Number == t.Number && o.SchemaVersion == t.SchemaVersion
		}
		if !known {
			out = append(out, t)
		}
	}
	if len(out) > 1 {
		slices.SortFunc(out, func(a, b *kalam.Table) int { return cmp.Compare(a.Number, b.Number) })
	}
	return out
}
