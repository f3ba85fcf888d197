package engine

import (
	"errors"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/dialect"
)

// userQualifier is the middle part of ns.user.t: table ns.t of the effective user.
const userQualifier = "user"

// table resolves a name to a stored table. One that the principal may not see is
// answered for exactly like one that does not exist.
func (s *session) table(n dialect.Name) (*kalam.Table, error) {
	id, err := s.tableID(n.Parts)
	if err != nil {
		return nil, positioned(err, n.Pos)
	}
	t, ok := s.e.catalog.Table(id)
	if !ok || !s.sees(t) {
		return nil, tableNotFound(id.String()).At(n.Pos)
	}
	if len(n.Parts) == 3 && !t.HasScopePerUser() {
		return nil, kalam.Errorf(kalam.CodeInvalidOperation, "The '.user.' qualifier is only valid for USER tables").At(n.Pos)
	}
	return t, nil
}

// tableID turns the parts of a name into a table id under the request's default
// namespace. Parts are already folded.
func (s *session) tableID(parts []string) (kalam.TableID, error) {
	for _, part := range parts {
		if len(part) > kalam.MaxIdentifier {
			return kalam.TableID{}, kalam.CheckIdentifier("table", part)
		}
	}
	switch len(parts) {
	case 1:
		return kalam.TableID{Namespace: s.namespace, Name: kalam.TableName(parts[0])}, nil
	case 2:
		return kalam.TableID{Namespace: kalam.NamespaceID(parts[0]), Name: kalam.TableName(parts[1])}, nil
	case 3:
		if parts[1] == userQualifier {
			return kalam.TableID{Namespace: kalam.NamespaceID(parts[0]), Name: kalam.TableName(parts[2])}, nil
		}
	}
	return kalam.TableID{}, tableNotFound(strings.Join(parts, "."))
}

func tableNotFound(name string) *kalam.Error {
	return kalam.Errorf(kalam.CodeTableNotFound, "relation '%s' does not exist", name)
}

// notReferenced is the error of ns.t.c where t is the table of another namespace.
func notReferenced(ns string, id kalam.TableID) error {
	return kalam.Errorf(kalam.CodeInvalidSQL, "Referenced table \"%s.%s\" not found: '%s' is read here", ns, id.Name, id)
}

// positioned adds a position to an error that has none; pos is 0-based.
func positioned(err error, pos int) error {
	var ke *kalam.Error
	if errors.As(err, &ke) && ke.Position == 0 {
		at := *ke
		return at.At(pos)
	}
	return err
}

// writable resolves the target of DML and checks that the principal may write it.
func (s *session) writable(n dialect.Name, verb string) (*kalam.Table, error) {
	if id, err := s.tableID(n.Parts); err == nil && isSystemNamespace(id.Namespace) {
		return nil, kalam.Errorf(kalam.CodeInvalidOperation, "Cannot %s system table '%s'", verb, id).At(n.Pos)
	}
	t, err := s.table(n)
	if err != nil {
		return nil, err
	}
	if err := catalog.CanWrite(s.principal, t); err != nil {
		return nil, err
	}
	s.written = t
	return t, s.hold(t)
}

// scope returns the scope of t in which the principal reads and writes.
func (s *session) scope(t *kalam.Table) kalam.Scope { return t.ScopeOf(s.principal.User) }
