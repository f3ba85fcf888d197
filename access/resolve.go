package access

import (
	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect/ast"
)

// Resolve returns the table that name means in the default namespace ns, for what p wants with it. Errors:
// CodeTableNotFound, also for a table that p may not know of; CodePermissionDenied; CodeInvalidOperation and
// CodeUnsupported for what no principal may do with such a table. Create is not asked here, see MayCreate.
func (r *Resolver) Resolve(
	p kalam.Principal, ns kalam.NamespaceID, name ast.Name, want Intent,
) (TableAccess, error) {
	if want == Maintain { // A refusal does not depend on what there is.
		if err := Check(p, RunMaintenance); err != nil {
			return TableAccess{}, err
		}
	}
	id, err := TableID(ns, name)
	if err != nil {
		return TableAccess{}, err
	}
	if IsComputed(id.Namespace) {
		t, err := r.resolveComputed(p, id, want)
		return TableAccess{Table: t}, kalam.Positioned(err, name.Pos)
	}
	t, ok := r.catalog.Table(id)
	if v, isView := r.View(p, id); isView {
		return TableAccess{}, kalam.Positioned(viewRefusal(v, want), name.Pos)
	}
	if !ok {
		return TableAccess{}, NotFound(id).At(name.Pos)
	}
	if !r.allows(p, t, See) {
		return TableAccess{}, hidden(id).At(name.Pos)
	}
	if len(name.Parts) == 3 && !t.HasScopePerUser() {
		return TableAccess{}, kalam.Errorf(kalam.CodeInvalidOperation,
			"The '.user.' qualifier is only valid for USER tables").At(name.Pos)
	}
	if err := r.May(p, t, want); err != nil {
		return TableAccess{}, err
	}
	return TableAccess{Table: t, Scope: t.ScopeOf(p.User)}, nil
}

// resolveComputed resolves the name of a table that the server computes. That there are such tables is no secret.
func (r *Resolver) resolveComputed(p kalam.Principal, id kalam.TableID, want Intent) (*kalam.Table, error) {
	switch want {
	case Insert, Update, Delete, Truncate:
		power, ok := computedWrites[computedWrite{id.Name, want}]
		if !ok || id.Namespace != System {
			return nil, kalam.Errorf(kalam.CodeInvalidOperation, "Cannot %s system table '%s'", want, id)
		}
		if err := Check(p, power); err != nil {
			return nil, err
		}
		want = Read
	case Follow:
		power, ok := r.follow[id]
		if !ok {
			return nil, kalam.Errorf(kalam.CodeUnsupported, "Live query subscriptions not supported on system tables")
		}
		if err := Check(p, power); err != nil {
			return nil, err
		}
		want = Read
	case See, Read, Serve:
	default:
		return nil, NotFound(id)
	}
	t, ok := r.computed[id]
	if !ok {
		if id == oldStorages {
			return nil, kalam.Errorf(kalam.CodeTableNotFound, "relation '%s' does not exist; use system.storages", id)
		}
		return nil, NotFound(id)
	}
	if !inScope(p.Restriction, t, want) {
		return nil, outOfScope(p, "read table '"+id.String()+"'")
	}
	if !r.allows(p, t, want) {
		return nil, denied("Permission denied: %s is for the roles dba and system", id)
	}
	return t, nil
}

// MayStill is May for a table that p could do this with before. Who may not even know of it any more is told that
// there is none.
func (r *Resolver) MayStill(p kalam.Principal, t *kalam.Table, want Intent) error {
	if !t.IsComputed() && !r.allows(p, t, See) {
		return NotFound(t.ID)
	}
	return r.May(p, t, want)
}

// May says whether p may do with a table, which p knows of, what it wants. nil means yes; no is an error with
// CodePermissionDenied, or another one for what no principal may do with such a table.
func (r *Resolver) May(p kalam.Principal, t *kalam.Table, want Intent) error {
	if want == Follow && t.IsShared() && !r.followShared {
		return kalam.Errorf(kalam.CodeUnsupported, "Live query subscriptions not supported on shared tables")
	}
	if r.allows(p, t, want) {
		return nil
	}
	return refusal(p, t, want, wholeTable[want] && r.IsRestricted(p, t))
}
