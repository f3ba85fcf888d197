package access

import (
	"slices"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/catalog"
)

// Tables returns the stored tables that p may know of, by namespace and name.
func (r *Resolver) Tables(p kalam.Principal) []*kalam.Table {
	var out []*kalam.Table
	for _, t := range r.catalog.Tables("") {
		if r.allows(p, t, See) {
			out = append(out, t)
		}
	}
	return out
}

// Computed returns the computed tables that p may read, by name.
func (r *Resolver) Computed(p kalam.Principal) []*kalam.Table {
	var out []*kalam.Table
	for _, t := range r.listed {
		if r.allows(p, t, Read) {
			out = append(out, t)
		}
	}
	return out
}

// Namespaces returns the namespaces that p may know of, by name: default, those that hold a table which p may know of,
// and those in which p may create one.
func (r *Resolver) Namespaces(p kalam.Principal) []Namespace {
	count := map[kalam.NamespaceID]int{}
	for _, t := range r.Tables(p) {
		count[t.ID.Namespace]++
	}
	var out []Namespace
	for _, ns := range r.catalog.Namespaces() {
		if n := count[ns.ID]; n > 0 || seesEmpty(p, ns) {
			out = append(out, Namespace{ns, n})
		}
	}
	return out
}

// seesEmpty reports whether p may know of a namespace even if it holds nothing for them.
func seesEmpty(p kalam.Principal, ns catalog.Namespace) bool {
	return ns.ID == kalam.DefaultNamespace || Rules{}.CreateTable(p, kalam.KindUserTable, ns) == nil
}

// SeesNamespace reports whether there is a namespace that p may know of. Those of computed tables are not among them.
func (r *Resolver) SeesNamespace(p kalam.Principal, id kalam.NamespaceID) bool {
	ns, ok := r.catalog.Namespace(id)
	if !ok || seesEmpty(p, ns) {
		return ok
	}
	return slices.ContainsFunc(r.catalog.Tables(id), func(t *kalam.Table) bool { return r.allows(p, t, See) })
}

// MayCreate says whether p may create a table of a kind in a namespace, which need not exist. The catalog asks again
// when it writes.
func (r *Resolver) MayCreate(p kalam.Principal, kind kalam.TableKind, ns kalam.NamespaceID) error {
	in, ok := r.catalog.Namespace(ns)
	if !ok {
		in = catalog.Namespace{ID: ns}
	}
	return Rules{}.CreateTable(p, kind, in)
}
