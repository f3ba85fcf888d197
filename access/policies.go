package access

import (
	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/catalog/rights"
)

// Policies returns the policies of a table that say which rows p reaches by a command; p reaches those that one of
// them admits, none if there is none. ok is false when all rows are reached: p is not restricted, or the table has no
// policy for the command.
func (r *Resolver) Policies(
	p kalam.Principal,
	t *kalam.Table,
	command rights.Privileges,
) (list []*rights.Policy, ok bool) {
	if !r.IsRestricted(p, t) {
		return nil, false
	}
	for _, x := range r.catalog.Rights().Policies(t.Number) {
		if x.Commands&command == 0 {
			continue
		}
		ok = true
		if x.Covers(p.User, p.Role) {
			list = append(list, x)
		}
	}
	return list, ok
}

// PolicyOn is a policy with its table.
type PolicyOn struct {
	*rights.Policy
	On *kalam.Table
}

// AllPolicies returns the policies of the tables that p may grant on. Others learn neither conditions nor names.
func (r *Resolver) AllPolicies(p kalam.Principal) (out []PolicyOn) {
	for _, x := range r.catalog.Rights().AllPolicies() {
		if t, ok := r.catalog.TableByNumber(x.Table); ok && r.allows(p, t, See) && r.allows(p, t, Share) {
			out = append(out, PolicyOn{x, t})
		}
	}
	return out
}
