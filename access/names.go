package access

import (
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/dialect/ast"
)

// The namespaces whose tables the server computes.
const (
	System      kalam.NamespaceID = "system"
	Information kalam.NamespaceID = "information_schema"
)

// IsComputed reports whether the server computes the tables of a namespace.
func IsComputed(ns kalam.NamespaceID) bool { return ns == System || ns == Information }

// userQualifier is the middle part of ns.user.t: table ns.t of the user in force.
const userQualifier = "user"

// TableID turns a name into a table id under the default namespace ns. Parts are folded already.
func TableID(ns kalam.NamespaceID, name ast.Name) (kalam.TableID, error) {
	parts := name.Parts
	for _, part := range parts {
		if len(part) > kalam.MaxIdentifier {
			return kalam.TableID{}, kalam.Positioned(kalam.CheckIdentifier("table", part), name.Pos)
		}
	}
	switch len(parts) {
	case 1:
		return kalam.TableID{Namespace: ns, Name: kalam.TableName(parts[0])}, nil
	case 2:
		return kalam.TableID{Namespace: kalam.NamespaceID(parts[0]), Name: kalam.TableName(parts[1])}, nil
	case 3:
		if parts[1] == userQualifier {
			return kalam.TableID{Namespace: kalam.NamespaceID(parts[0]), Name: kalam.TableName(parts[2])}, nil
		}
	}
	return kalam.TableID{}, notFound(strings.Join(parts, ".")).At(name.Pos)
}

// NotFound is the error of a table that does not exist, or that a principal may not know of.
func NotFound(id kalam.TableID) *kalam.Error { return notFound(id.String()) }

// hidden is NotFound of a table that there is, but of which the principal may not know: only the audit log is told.
func hidden(id kalam.TableID) *kalam.Error {
	e := NotFound(id)
	e.Hides = true
	return e
}

func notFound(name string) *kalam.Error {
	return kalam.Errorf(kalam.CodeTableNotFound, "relation '%s' does not exist", name).Lacks(kalam.MissingTable, name)
}

// Namespace is a namespace as a principal sees it.
type Namespace struct {
	catalog.Namespace
	TableCount int // Of the tables that the principal may know of.
}
