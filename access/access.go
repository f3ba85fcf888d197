package access

import (
	"slices"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/catalog"
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
	// FollowComputed are the computed tables that live queries take, with the power that it needs.
	FollowComputed map[kalam.TableID]Power
}

// Resolver resolves names for principals. It is safe for concurrent use.
type Resolver struct {
	catalog      *catalog.Catalog
	computed     map[kalam.TableID]*kalam.Table
	listed       []*kalam.Table // The same, by name.
	followShared bool
	follow       map[kalam.TableID]Power
}

// New returns a resolver over a catalog, which stays the caller's.
func New(c *catalog.Catalog, o Options) *Resolver {
	r := &Resolver{catalog: c, computed: make(map[kalam.TableID]*kalam.Table, len(o.Computed)),
		followShared: o.FollowShared, follow: o.FollowComputed}
	for _, t := range o.Computed {
		r.computed[t.ID] = t
	}
	r.listed = sorted(o.Computed)
	return r
}

// allows is the rule for one table: what rules give, and what was granted beyond that.
func (r *Resolver) allows(p kalam.Principal, t *kalam.Table, want Intent) bool {
	if !inScope(p.Restriction, t, want) || wholeTable[want] && r.IsRestricted(p, t) {
		return false
	}
	return rules[want][classOf(t.Kind, t.Options.Access)].allows(p.Role, owns(p, t, want)) || r.granted(p, t, want)
}

// wholeTable are the intents that concern all rows of a table. Whom policies show a part of them may do none.
var wholeTable = [intents]bool{Count: true, Truncate: true, Maintain: true, Alter: true}

// IsRestricted reports whether policies decide which rows of a table p reaches. They do not for dba and system, nor for
// the service that created the table: who makes policies is not bound by them, whatever the credentials.
func (r *Resolver) IsRestricted(p kalam.Principal, t *kalam.Table) bool {
	if r.catalog == nil || !t.IsShared() || len(r.catalog.Rights().Policies(t.Number)) == 0 {
		return false
	}
	return !rules[Share][classOf(t.Kind, t.Options.Access)].allows(p.Role, owns(p, t, Share))
}

func sorted(tables []*kalam.Table) []*kalam.Table {
	out := slices.Clone(tables)
	slices.SortFunc(out, func(a, b *kalam.Table) int { return strings.Compare(a.ID.String(), b.ID.String()) })
	return out
}

// oldStorages is a name of system.storages in other versions.
var oldStorages = kalam.TableID{Namespace: System, Name: "storage_locations"}
