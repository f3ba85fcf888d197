package access

import (
	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/catalog/rights"
)

// need is what grants must give for something.
type need struct {
	any        bool // Whatever is granted is enough.
	privileges rights.Privileges
	reads      bool // Reading must be allowed as well, by a grant or otherwise: rows are found before they are changed.
}

// widens say what grants on a SHARED table allow beyond rules, whatever its access level. What is not named is never
// granted: TRUNCATE, maintenance and definitions are a matter of roles.
var widens = [intents]need{
	See:    {any: true},
	Read:   {privileges: rights.Select},
	Serve:  {privileges: rights.Select},
	Follow: {privileges: rights.Select},
	Count:  {privileges: rights.Select},
	Insert: {privileges: rights.Insert},
	Update: {privileges: rights.Update, reads: true},
	Delete: {privileges: rights.Delete, reads: true},
}

// granted reports whether p may by what was granted, though rules do not say so.
func (r *Resolver) granted(p kalam.Principal, t *kalam.Table, want Intent) bool {
	if c := classOf(t.Kind, t.Options.Access); r.catalog == nil || c < public || c > dba {
		return false
	}
	has := r.catalog.Rights().Of(p.User, p.Role, t.Number, t.ID.Namespace)
	switch n := widens[want]; {
	case n.any:
		return has != 0
	case n.privileges == 0 || has&n.privileges != n.privileges:
		return false
	default:
		return !n.reads || r.allows(p, t, Read)
	}
}

// MayGrant says whether p may give and take rights on a table, or for nil on a namespace.
func (r *Resolver) MayGrant(p kalam.Principal, t *kalam.Table) error {
	if t == nil {
		return Check(p, GrantOnNamespaces)
	}
	if c := classOf(t.Kind, t.Options.Access); c < public || c > dba {
		why := ""
		if t.HasScopePerUser() {
			why = ", of which each user has their own rows"
		}
		return kalam.Errorf(kalam.CodeInvalidOperation, "GRANT and REVOKE take SHARED tables; '%s' is a %s table%s", t.ID,
			t.Kind, why)
	}
	return r.May(p, t, Share)
}

// SeesGrant reports whether p may know of a grant: those that concern it, and those on what it may grant on.
func (r *Resolver) SeesGrant(p kalam.Principal, g *rights.Grant) bool {
	if g.Table == 0 {
		return r.MayGrant(p, nil) == nil || g.Covers(p.User, p.Role) && p.Restriction.AllowsNamespace(g.Namespace)
	}
	t, ok := r.catalog.TableByNumber(g.Table)
	return ok && r.allows(p, t, See) && (g.Covers(p.User, p.Role) || r.allows(p, t, Share))
}

// Grants returns the grants that p may know of, each with the table that it is on, nil for a namespace.
func (r *Resolver) Grants(p kalam.Principal) (out []Granted) {
	for _, g := range r.catalog.Rights().Grants() {
		if r.SeesGrant(p, g) {
			t, _ := r.catalog.TableByNumber(g.Table)
			out = append(out, Granted{g, t})
		}
	}
	return out
}

// Granted is a grant with what it is on.
type Granted struct {
	*rights.Grant
	On *kalam.Table // nil: Grant.Namespace.
}
