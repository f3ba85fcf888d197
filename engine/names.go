package engine

import (
	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/dialect"
)

// resolve returns what a name means for the principal, if they may do with it what they want.
func (s *session) resolve(n dialect.Name, want access.Intent) (access.TableAccess, error) {
	return s.e.access.Resolve(s.principal, s.namespace, n, want)
}

// table is resolve for the table alone.
func (s *session) table(n dialect.Name, want access.Intent) (*kalam.Table, error) {
	a, err := s.resolve(n, want)
	return a.Table, err
}

// tableID turns a name into a table id under the request's default namespace.
func (s *session) tableID(n dialect.Name) (kalam.TableID, error) {
	return access.TableID(s.namespace, n)
}

// tableNotFound is the error of a table that is not there any more.
func tableNotFound(id kalam.TableID) error { return access.NotFound(id) }

// notReferenced is the error of ns.t.c where t is the table of another namespace.
func notReferenced(ns string, id kalam.TableID) error {
	return kalam.Errorf(kalam.CodeInvalidSQL, "Referenced table \"%s.%s\" not found: '%s' is read here", ns, id.Name, id)
}

// writable resolves the target of a statement that writes rows.
func (s *session) writable(n dialect.Name, want access.Intent) (*kalam.Table, error) {
	t, err := s.table(n, want)
	if err != nil {
		return nil, err
	}
	s.written = t
	return t, s.hold(t)
}

// scope returns the scope of t in which the principal reads and writes.
func (s *session) scope(t *kalam.Table) kalam.Scope { return t.ScopeOf(s.principal.User) }
