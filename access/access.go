package access

import (
	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/dialect/ast"
)

// TableAccess is what Resolve grants.
type TableAccess struct {
	Table *kalam.Table // Stored, or computed (IsComputed).
	Scope kalam.Scope  // In which the principal reads and writes; zero for a computed table.
}

// Options are what New needs beside the catalog.
type Options struct {
	Computed     []*kalam.Table // The tables that the server computes, of kind KindSystemTable.
	FollowShared bool           // Live queries take SHARED tables.
}

// Resolver resolves names for principals. It is safe for concurrent use.
type Resolver struct {
	catalog      *catalog.Catalog
	computed     map[kalam.TableID]*kalam.Table
	listed       []*kalam.Table // The same, by name.
	followShared bool
}

// New returns a resolver over a catalog, which stays the caller's.
func New(c *catalog.Catalog, o Options) *Resolver {
	r := &Resolver{catalog: c, computed: make(map[kalam.TableID]*kalam.Table, len(o.Computed)),
		followShared: o.FollowShared}
	for _, t := range o.Computed {
		r.computed[t.ID] = t
	}
	r.listed = sorted(o.Computed)
	return r
}

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
	if !ok || !r.allows(p, t, See) {
		return TableAccess{}, NotFound(id).At(name.Pos)
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
		return nil, kalam.Errorf(kalam.CodeInvalidOperation, "Cannot %s system table '%s'", want, id)
	case Follow:
		return nil, kalam.Errorf(kalam.CodeUnsupported, "Live query subscriptions not supported on system tables")
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
	if !r.allows(p, t, want) {
		return nil, denied("Permission denied: %s is for the roles dba and system", id)
	}
	return t, nil
}

// oldStorages is a name of system.storages in other versions.
var oldStorages = kalam.TableID{Namespace: System, Name: "storage_locations"}

// May says whether p may do with a table, which p knows of, what it wants. nil means yes; no is an error with
// CodePermissionDenied, or another one for what no principal may do with such a table.
func (r *Resolver) May(p kalam.Principal, t *kalam.Table, want Intent) error {
	if want == Follow && t.IsShared() && !r.followShared {
		return kalam.Errorf(kalam.CodeUnsupported, "Live query subscriptions not supported on shared tables")
	}
	if r.allows(p, t, want) {
		return nil
	}
	return refusal(p, t, want)
}

// allows is the rule for one table.
func (r *Resolver) allows(p kalam.Principal, t *kalam.Table, want Intent) bool {
	return rules[want][classOf(t.Kind, t.Options.Access)].allows(p.Role, owns(p, t, want))
}

// owns reports whether a table is p's own: the right to alter it is that of its creator, and to drop it as well if it
// is in the namespace of the creator's name.
func owns(p kalam.Principal, t *kalam.Table, want Intent) bool {
	switch want {
	case Alter:
		return t.Creator == p.User
	case Drop:
		return t.Creator == p.User && ownsNamespace(p, t.ID.Namespace)
	default:
		return false
	}
}

// ownsNamespace reports whether ns is the namespace of p's own name.
func ownsNamespace(p kalam.Principal, ns kalam.NamespaceID) bool {
	return string(p.User) == string(ns) && !catalog.IsReservedNamespace(ns)
}

// refusal words what p may not do.
func refusal(p kalam.Principal, t *kalam.Table, want Intent) error {
	switch want {
	case Insert, Update, Delete, Truncate:
		return denied("role %s cannot write table '%s'", p.Role, t.ID)
	case WriteAs:
		if t.IsShared() { // Its rows belong to nobody: acting for a user there would only blur who wrote.
			return kalam.Errorf(kalam.CodeInvalidOperation,
				"EXECUTE AS USER is not allowed on SHARED tables (table '%s')."+
					" AS USER impersonation is only supported for USER and STREAM tables.", t.ID)
		}
		return denied("role %s cannot write table '%s'", p.Role, t.ID)
	case Count:
		return denied("role %s cannot count the rows of all users of table '%s'", p.Role, t.ID)
	case Maintain:
		return denied("role %s cannot run storage maintenance", p.Role)
	case Alter:
		return denied("role %s cannot alter %s table '%s'", p.Role, t.Kind, t.ID)
	case Drop:
		return denied("role %s cannot drop table '%s':"+
			" only a dba may, or the user who created it, in the namespace of that user's name",
			p.Role, t.ID)
	default:
		return denied("role %s cannot read table '%s'", p.Role, t.ID)
	}
}

func denied(format string, args ...any) *kalam.Error {
	return kalam.Errorf(kalam.CodePermissionDenied, format, args...)
}

// intentWords are the intents as statements call them.
var intentWords = [intents]string{
	See: "see", Read: "read", Serve: "read", Follow: "follow", Insert: "insert", Update: "update", Delete: "delete",
	Truncate: "truncate", WriteAs: "write", Count: "count", Maintain: "maintain", Create: "create", Alter: "alter",
	Drop: "drop",
}

// String returns the verb: "insert".
func (i Intent) String() string { return intentWords[i] }
