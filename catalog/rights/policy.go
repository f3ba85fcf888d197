package rights

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kalamlake/kalam"
)

// MaxPolicies is how many policies one table may have.
const MaxPolicies = 100

// Policy says which rows of a SHARED table a command is for. It is immutable once published.
type Policy struct {
	Name     string
	Table    kalam.TableNumber
	Commands Privileges // One of them, or All.
	To       []Grantee  // None: everybody.
	Using    string     // The condition of rows that are there, "" for none.
	Check    string     // Of rows that are written, "": Using.
	Columns  []string   // That the conditions name, sorted.
	By       kalam.UserID
	// CreatedAt is when the policy was created, in UTC.
	CreatedAt time.Time
}

// Covers reports whether a policy is for a principal.
func (p *Policy) Covers(user kalam.UserID, role kalam.Role) bool {
	return len(p.To) == 0 || slices.ContainsFunc(p.To, func(g Grantee) bool { return g.Covers(user, role) })
}

// Existing returns the condition of rows that are there, "" for none.
func (p *Policy) Existing() string { return p.Using }

// Written returns the condition of rows that a command writes.
func (p *Policy) Written() string { return cmp.Or(p.Check, p.Using) }

// Whom returns the grantees as statements name them, "public" for everybody.
func (p *Policy) Whom() string {
	if len(p.To) == 0 {
		return "public"
	}
	names := make([]string, len(p.To))
	for i, g := range p.To {
		names[i] = g.String()
	}
	return strings.Join(names, ", ")
}

// Command returns the command as statements call it: "SELECT", "ALL".
func (p *Policy) Command() string {
	if p.Commands == All {
		return "ALL"
	}
	return p.Commands.String()
}

func policyKey(t kalam.TableNumber, name string) string {
	return fmt.Sprintf("%s%016x/%s", PolicyPrefix, uint64(t), name)
}

// PolicyRecord is the stored form of a Policy.
type PolicyRecord struct {
	Name      string            `json:"name"`
	Table     kalam.TableNumber `json:"table"`
	Commands  string            `json:"commands"`
	Users     []kalam.UserID    `json:"users,omitempty"`
	Roles     []string          `json:"roles,omitempty"`
	Using     string            `json:"using,omitempty"`
	Check     string            `json:"check,omitempty"`
	Columns   []string          `json:"columns"`
	By        kalam.UserID      `json:"created_by"`
	CreatedAt time.Time         `json:"created_at"`
}

func (p *Policy) record() PolicyRecord {
	r := PolicyRecord{
		Name: p.Name, Table: p.Table, Commands: p.Commands.String(), Using: p.Using, Check: p.Check, Columns: p.Columns,
		By: p.By, CreatedAt: p.CreatedAt,
	}
	for _, g := range p.To {
		if g.User != "" {
			r.Users = append(r.Users, g.User)
		} else {
			r.Roles = append(r.Roles, g.Role.String())
		}
	}
	return r
}

func (r *PolicyRecord) policy() (*Policy, error) {
	p := &Policy{
		Name: r.Name, Table: r.Table, Using: r.Using, Check: r.Check, Columns: r.Columns, By: r.By, CreatedAt: r.CreatedAt,
	}
	if r.Table == 0 || r.Name == "" || r.Using == "" && r.Check == "" {
		return nil, kalam.Errorf(kalam.CodeInvalidInput, "it has no name, no table or no condition")
	}
	for _, u := range r.Users {
		p.To = append(p.To, Grantee{User: u})
	}
	for _, name := range r.Roles {
		role, err := kalam.ParseRole(name)
		if err != nil {
			return nil, err
		}
		p.To = append(p.To, Grantee{Role: role})
	}
	var err error
	p.Commands, err = ParsePrivileges(r.Commands)
	return p, err
}

// LoadPolicy adds a stored policy to a Set that is not yet shared. key is that of its record, which must be its own.
func (s *Set) LoadPolicy(key string, r *PolicyRecord) error {
	p, err := r.policy()
	if err != nil {
		return err
	}
	if own := policyKey(p.Table, p.Name); own != key {
		return fmt.Errorf("it is the record of another policy, %q", own)
	}
	if s.policies == nil {
		s.policies = map[kalam.TableNumber][]*Policy{}
	}
	s.policies[p.Table] = sortedPolicies(append(s.policies[p.Table], p))
	return nil
}

func sortedPolicies(list []*Policy) []*Policy {
	slices.SortFunc(list, func(a, b *Policy) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// Policies returns the policies of a table by name. They are not to be changed.
func (s *Set) Policies(t kalam.TableNumber) []*Policy {
	if s == nil {
		return nil
	}
	return s.policies[t]
}

// AllPolicies returns all policies, those of one table together and by name.
func (s *Set) AllPolicies() []*Policy {
	if s == nil {
		return nil
	}
	var out []*Policy
	for _, list := range s.policies {
		out = append(out, list...)
	}
	slices.SortFunc(out, func(a, b *Policy) int {
		return strings.Compare(policyKey(a.Table, a.Name), policyKey(b.Table, b.Name))
	})
	return out
}

// KeepsColumns refuses a change of a table by which a condition of a policy would mean something else, or nothing.
func (s *Set) KeepsColumns(was, next *kalam.Table) error {
	for _, p := range s.Policies(was.Number) {
		for _, name := range p.Columns {
			i, j := was.ColumnIndex(name), next.ColumnIndex(name)
			if i < 0 || j < 0 || was.Columns[i].ID != next.Columns[j].ID || was.Columns[i].Type != next.Columns[j].Type {
				return kalam.Errorf(
					kalam.CodeInvalidOperation,
					"Column '%s' of '%s' cannot be dropped, renamed or given another type: policy %s uses it; DROP POLICY %s ON %s first",
					name,
					was.ID,
					p.Name,
					p.Name,
					was.ID,
				)
			}
		}
	}
	return nil
}

// PutPolicy adds a policy. CodeAlreadyExists for the name of another of the table, CodeTooLarge for one too many.
func (e *Edit) PutPolicy(p Policy) error {
	list := e.current().policies[p.Table]
	if slices.ContainsFunc(list, func(o *Policy) bool { return o.Name == p.Name }) {
		return kalam.Errorf(kalam.CodeAlreadyExists, "Policy %s already exists", p.Name)
	}
	if len(list) >= MaxPolicies {
		return kalam.Errorf(kalam.CodeTooLarge, "a table has at most %d policies", MaxPolicies)
	}
	p.CreatedAt = e.now
	e.change()
	e.next.policies[p.Table] = sortedPolicies(append(slices.Clip(list), &p))
	e.records[policyKey(p.Table, p.Name)] = p.record()
	return nil
}

// DropPolicy removes a policy of a table and reports whether there was one.
func (e *Edit) DropPolicy(t kalam.TableNumber, name string) bool {
	list := e.current().policies[t]
	i := slices.IndexFunc(list, func(o *Policy) bool { return o.Name == name })
	if i < 0 {
		return false
	}
	e.change()
	e.setPolicies(t, slices.Delete(slices.Clone(list), i, i+1))
	e.records[policyKey(t, name)] = nil
	return true
}

func (e *Edit) setPolicies(t kalam.TableNumber, list []*Policy) {
	if len(list) == 0 {
		delete(e.next.policies, t)
		return
	}
	e.next.policies[t] = list
}

// dropPolicies removes all policies of a table.
func (e *Edit) dropPolicies(t kalam.TableNumber) {
	for _, p := range slices.Clone(e.current().policies[t]) {
		e.DropPolicy(t, p.Name)
	}
}

// dropGrantee takes a user that is dropped out of all policies. One that was for nobody else is for nobody then: it
// must not come to be for everybody.
func (e *Edit) dropGrantee(id kalam.UserID) {
	for _, p := range e.current().AllPolicies() {
		to := slices.DeleteFunc(slices.Clone(p.To), func(g Grantee) bool { return g.User == id })
		if len(to) == len(p.To) {
			continue
		}
		next := *p
		next.To = to
		if len(to) == 0 {
			next.To = []Grantee{nobody}
		}
		list := slices.Clone(e.current().policies[p.Table])
		list[slices.Index(list, p)] = &next
		e.change()
		e.setPolicies(p.Table, list)
		e.records[policyKey(p.Table, p.Name)] = next.record()
	}
}

// nobody is whom a policy is for whose users are all dropped. It stays, because rows that no policy admits are not
// seen, and without any policy all would be.
var nobody = Grantee{Role: kalam.RoleSystem}
