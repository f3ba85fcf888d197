package engine

import (
	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/catalog"
)

// sees reports whether the principal may know of a table: whoever may read it, and
// admins.
func (s *session) sees(t *kalam.Table) bool {
	return s.principal.Role.IsAdmin() || catalog.CanRead(s.principal, t) == nil
}

// visibleTables returns the stored tables that the principal may know of.
func (s *session) visibleTables() []*kalam.Table {
	var out []*kalam.Table
	for _, t := range s.e.catalog.Tables("") {
		if s.sees(t) {
			out = append(out, t)
		}
	}
	return out
}

// visibleSystem returns the computed tables that the principal may read.
func (s *session) visibleSystem() []*systemTable {
	var out []*systemTable
	for _, id := range s.e.systemTableIDs() {
		if t := s.e.system[id]; t.open || s.principal.Role.IsAdmin() {
			out = append(out, t)
		}
	}
	return out
}

// namespaceView is a namespace as a principal sees it.
type namespaceView struct {
	namespace catalog.Namespace
	tables    int // That the principal may know of.
}

// visibleNamespaces returns the namespaces that the principal may know of, by name:
// default, those that hold a table which the principal may know of, and those in which
// the principal may create one.
func (s *session) visibleNamespaces() []namespaceView {
	count := map[kalam.NamespaceID]int{}
	for _, t := range s.visibleTables() {
		count[t.ID.Namespace]++
	}
	var out []namespaceView
	for _, ns := range s.e.catalog.Namespaces() {
		if n := count[ns.ID]; n > 0 || s.seesEmpty(ns) {
			out = append(out, namespaceView{ns, n})
		}
	}
	return out
}

// seesEmpty reports whether the principal may know of a namespace even if it holds
// nothing for them.
func (s *session) seesEmpty(ns catalog.Namespace) bool {
	return ns.ID == kalam.DefaultNamespace || catalog.CanCreateTable(s.principal, kalam.KindUserTable, ns) == nil
}

// visibleNamespace returns a namespace unless the principal may not know of it.
func (s *session) visibleNamespace(id kalam.NamespaceID) (catalog.Namespace, bool) {
	ns, ok := s.e.catalog.Namespace(id)
	if !ok || s.seesEmpty(ns) {
		return ns, ok
	}
	for _, t := range s.e.catalog.Tables(id) {
		if s.sees(t) {
			return ns, true
		}
	}
	return catalog.Namespace{}, false
}
