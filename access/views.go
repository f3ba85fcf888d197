package access

import (
	"slices"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/catalog"
)

// View returns the view named id, if p may read every table that it reads: the rights of a view are those of its
// reader.
func (r *Resolver) View(p kalam.Principal, id kalam.TableID) (*catalog.View, bool) {
	v, ok := r.catalog.View(id)
	return v, ok && r.readsAll(p, v, 0)
}

// Views returns the views that p may know of, by namespace and name.
func (r *Resolver) Views(p kalam.Principal) []*catalog.View {
	return slices.DeleteFunc(r.catalog.Views(""), func(v *catalog.View) bool { return !r.readsAll(p, v, 0) })
}

// readsAll reports whether p may read what a view reads.
func (r *Resolver) readsAll(p kalam.Principal, v *catalog.View, depth int) bool {
	if depth > catalog.MaxViewDepth {
		return false
	}
	for _, id := range v.Reads {
		if inner, ok := r.catalog.View(id); ok {
			if !r.readsAll(p, inner, depth+1) {
				return false
			}
			continue
		}
		t, ok := r.catalog.Table(id)
		if !ok {
			t, ok = r.computed[id]
		}
		if !ok || !r.allows(p, t, Read) {
			return false
		}
	}
	return true
}

// MayDropView says whether p may drop or replace a view: dba and system any, others those that they created where
// they may still create one.
func (r *Resolver) MayDropView(p kalam.Principal, v *catalog.View) error {
	if p.Restriction.IsReadOnly() || !p.Restriction.AllowsTable(v.ID) {
		return outOfScope(p, "drop view '"+v.ID.String()+"'")
	}
	if admins.allows(p.Role, false) {
		return nil
	}
	if v.Creator == p.User && r.MayCreateView(p, v.ID.Namespace) == nil {
		return nil
	}
	return denied("role %s cannot drop view '%s': only a dba may, or the user who created it", p.Role, v.ID)
}

// MayCreateView says whether p may create a view in a namespace: as a SHARED table, or in the namespace of the own
// name.
func (r *Resolver) MayCreateView(p kalam.Principal, ns kalam.NamespaceID) error {
	if IsComputed(ns) {
		return kalam.Errorf(kalam.CodeInvalidOperation, "Cannot create a view in namespace '%s'", ns)
	}
	if !createsIn(p.Restriction, ns) {
		return outOfScope(p, "create views in namespace '"+string(ns)+"'")
	}
	if ownsNamespace(p, ns) && users.allows(p.Role, false) {
		return nil
	}
	if err := r.MayCreate(p, kalam.KindSharedTable, ns); err != nil {
		return denied("role %s cannot create views in namespace '%s'", p.Role, ns)
	}
	return nil
}

// viewRefusal words what cannot be done with a view, which p knows of.
func viewRefusal(v *catalog.View, want Intent) error {
	switch want {
	case See, Read, Serve:
		return NotFound(v.ID) // Who reads it puts its query in its place.
	case Follow:
		return kalam.Errorf(kalam.CodeUnsupported,
			"Live query subscriptions not supported on views; subscribe to a table that '%s' reads", v.ID)
	case Drop:
		return kalam.Errorf(kalam.CodeInvalidOperation, "'%s' is a view; use DROP VIEW %s", v.ID, v.ID)
	default:
		return kalam.Errorf(kalam.CodeInvalidOperation, "'%s' is a view: %s takes a table", v.ID,
			strings.ToUpper(want.String()))
	}
}
