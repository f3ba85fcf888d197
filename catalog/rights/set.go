package rights

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/kalamlake/kalam"
)

// Set is everything that is granted at one time. The zero Set is empty, and so is a nil one. It is immutable once it is
// shared.
type Set struct {
	grants   map[grantKey]*Grant
	policies map[kalam.TableNumber][]*Policy // By name.
}

// grantRoles are the roles that grants are made to.
var grantRoles = [...]kalam.Role{kalam.RoleUser, kalam.RoleService}

// Of returns what a principal has been granted on a table of a namespace, itself or by its role.
func (s *Set) Of(user kalam.UserID, role kalam.Role, t kalam.TableNumber, ns kalam.NamespaceID) (p Privileges) {
	if s == nil || len(s.grants) == 0 {
		return 0
	}
	for _, o := range [...]Object{{Table: t}, {Namespace: ns}} {
		if g := s.grants[grantKey{o, Grantee{User: user}}]; g != nil && user != "" && g.Covers(user, role) {
			p |= g.Privileges
		}
		for _, to := range grantRoles {
			if g := s.grants[grantKey{o, Grantee{Role: to}}]; g != nil && g.Covers(user, role) {
				p |= g.Privileges
			}
		}
	}
	return p
}

// Grants returns all grants in the order of their records. They are not to be changed.
func (s *Set) Grants() []*Grant {
	if s == nil {
		return nil
	}
	return slices.SortedFunc(maps.Values(s.grants), func(a, b *Grant) int {
		return strings.Compare(a.id().key(), b.id().key())
	})
}

// Load adds a stored grant to a Set that is not yet shared. key is that of its record, which must be its own.
func (s *Set) Load(key string, r *GrantRecord) error {
	g, err := r.grant()
	if err != nil {
		return err
	}
	if g.id().key() != key {
		return fmt.Errorf("it is the record of another grant, %q", g.id().key())
	}
	if s.grants == nil {
		s.grants = map[grantKey]*Grant{}
	}
	s.grants[g.id()] = g
	return nil
}

// Edit is a change of a Set that is under way. It is for one goroutine.
type Edit struct {
	now     time.Time
	was     *Set
	next    *Set // nil until something changes.
	records map[string]any
}

// Begin returns an Edit of the set, which stays as it is.
func (s *Set) Begin(now time.Time) *Edit { return &Edit{now: now, was: s} }

// Changed returns the set that the edit leads to and the records that changed, by their keys, nil for one that goes.
// ok is false when nothing changed.
func (e *Edit) Changed() (next *Set, records map[string]any, ok bool) {
	return e.next, e.records, e.next != nil
}

// put stores a grant, or takes it away for nil.
func (e *Edit) put(k grantKey, g *Grant) {
	e.change()
	if g == nil {
		delete(e.next.grants, k)
		e.records[k.key()] = nil
		return
	}
	e.next.grants[k] = g
	e.records[k.key()] = g.record()
}

// change makes the next set, once.
func (e *Edit) change() {
	if e.next != nil {
		return
	}
	e.next = &Set{grants: map[grantKey]*Grant{}, policies: map[kalam.TableNumber][]*Policy{}}
	e.records = map[string]any{}
	if e.was != nil {
		maps.Copy(e.next.grants, e.was.grants)
		maps.Copy(e.next.policies, e.was.policies)
	}
}

func (e *Edit) current() *Set {
	if e.next != nil {
		return e.next
	}
	if e.was != nil {
		return e.was
	}
	return &Set{}
}

// Grant gives privileges to a grantee, beside those that it has, and returns those that are new.
func (e *Edit) Grant(o Object, to Grantee, p Privileges, by kalam.UserID) (fresh Privileges) {
	k := grantKey{o, to}
	g := Grant{Object: o, Grantee: to, CreatedAt: e.now}
	if old := e.current().grants[k]; old != nil {
		g = *old
	}
	if fresh = p &^ g.Privileges; fresh == 0 {
		return 0
	}
	g.Privileges, g.By, g.UpdatedAt = g.Privileges|p, by, e.now
	e.put(k, &g)
	return fresh
}

// Revoke takes privileges away that were granted to this grantee on this object, and returns those that it had of them.
func (e *Edit) Revoke(o Object, from Grantee, p Privileges) (taken Privileges) {
	k := grantKey{o, from}
	old := e.current().grants[k]
	if old == nil || old.Privileges&p == 0 {
		return 0
	}
	g := *old
	g.Privileges, g.UpdatedAt = g.Privileges&^p, e.now
	if g.Privileges == 0 {
		e.put(k, nil)
	} else {
		e.put(k, &g)
	}
	return old.Privileges & p
}

// DropObject takes away every grant on a table or a namespace that is dropped, and the policies of the table.
func (e *Edit) DropObject(o Object) {
	e.dropWhere(func(k grantKey) bool { return k.object == o })
	if o.Table != 0 {
		e.dropPolicies(o.Table)
	}
}

// DropUser takes away every grant to a user that is dropped, and the user out of policies.
func (e *Edit) DropUser(id kalam.UserID) {
	if id == "" {
		return
	}
	e.dropWhere(func(k grantKey) bool { return k.grantee.User == id })
	e.dropGrantee(id)
}

func (e *Edit) dropWhere(gone func(grantKey) bool) {
	for k := range e.current().grants {
		if gone(k) {
			e.put(k, nil)
		}
	}
}
