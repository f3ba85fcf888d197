package trail

import (
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/audit"
	"github.com/kalamlake/kalam/dialect/ast"
)

// systemNamespace is where computed tables are whose rows can be written.
const systemNamespace = "system"

// of returns what a statement is about; ok is false when it is in the log only if it is denied.
func of(st ast.Statement, ns kalam.NamespaceID) (e audit.Event, ok bool) {
	switch st := st.(type) {
	case *ast.Select:
		return e, false
	case *ast.Insert:
		return inserted(st, ns)
	case *ast.Update:
		return written(st.Table, st.KeyEquals, ns)
	case *ast.Delete:
		return written(st.Table, st.KeyEquals, ns)
	}
	if e, ok := ofTables(st, ns); ok {
		return e, true
	}
	if e, ok := ofUsers(st); ok {
		return e, true
	}
	return ofServer(st, ns)
}

// ofTables are the statements that change what tables there are, and how.
func ofTables(st ast.Statement, ns kalam.NamespaceID) (e audit.Event, ok bool) {
	switch st := st.(type) {
	case *ast.CreateNamespace:
		e.Target = string(st.Namespace)
	case *ast.AlterNamespace:
		e.Target = st.Namespace.Name
	case *ast.DropNamespace:
		e.Target = st.Namespace.Name
	case *ast.CreateTable:
		e.Target = full(st.Name, ns)
	case *ast.AlterTable:
		e.Target = full(st.Name, ns)
	case *ast.MoveTable:
		e.Target = full(st.Name, ns)
	case *ast.Truncate:
		names := make([]string, len(st.Tables))
		for i, table := range st.Tables {
			names[i] = full(table, ns)
		}
		e.Target = strings.Join(names, ", ")
	case *ast.DropTable:
		e.Target = full(st.Name, ns)
	case *ast.CreateView:
		e.Target = full(st.Name, ns)
	case *ast.DropView:
		e.Target = full(st.Name, ns)
	case *ast.Grant:
		return granted(st, ns), true
	case *ast.CreatePolicy:
		e.Target, e.Subject = full(st.Table, ns), grantees(st.To)
	case *ast.DropPolicy:
		e.Target = full(st.Table, ns)
	default:
		return e, false
	}
	return e, true
}

// granted is about GRANT and REVOKE.
func granted(st *ast.Grant, ns kalam.NamespaceID) (e audit.Event) {
	e.Target = nameOf(st.Namespace)
	if st.Namespace == nil {
		e.Target = full(st.Table, ns)
	}
	e.Subject = grantees(st.To)
	return e
}

// grantees names users and roles.
func grantees(list []ast.Grantee) string {
	names := make([]string, len(list))
	for i, to := range list {
		if names[i] = string(to.User); to.User == "" {
			names[i] = "role " + to.Role.String()
		}
	}
	return strings.Join(names, ", ")
}

// ofUsers are the statements on users and what they authenticate by.
func ofUsers(st ast.Statement) (e audit.Event, ok bool) {
	switch st := st.(type) {
	case *ast.CreateUser:
		e.Subject = string(st.User)
	case *ast.AlterUser:
		e.Subject = string(st.User)
	case *ast.RestoreUser:
		e.Subject = string(st.User)
	case *ast.DropUser:
		e.Subject = string(st.User)
	case *ast.RevokeTokens:
		e.Subject = string(st.User)
	case *ast.CreateAPIKey:
		e.Subject, e.Target = string(st.User), st.Name
	case *ast.DropAPIKey:
		e.Target = st.ID
	default:
		return e, false
	}
	return e, true
}

// ofServer are the statements that order work of the server, end it, or say where it keeps files.
func ofServer(st ast.Statement, ns kalam.NamespaceID) (e audit.Event, ok bool) {
	switch st := st.(type) {
	case *ast.FlushTable:
		e.Target = full(st.Table, ns)
	case *ast.CompactTable:
		e.Target = full(st.Table, ns)
	case *ast.FlushAll:
		e.Target = nameOf(st.Namespace)
	case *ast.CompactAll:
		e.Target = nameOf(st.Namespace)
	case *ast.CreateStorage:
		e.Target = string(st.Storage)
	case *ast.AlterStorage:
		e.Target = string(st.Storage)
	case *ast.DropStorage:
		e.Target = string(st.Storage)
	case *ast.CheckStorage:
		e.Target = string(st.Storage)
	case *ast.BackupDatabase:
		e.Target = st.To
	case *ast.ExportCatalog:
		e.Target, e.Subject = full(st.Table, ns), string(st.User)
	case *ast.KillJob:
		e.Target = string(st.Job)
	case *ast.KillQuery:
		e.Target = st.ID
	case *ast.KillLive:
		e.Target = st.ID
	case *ast.VerifyStorage, *ast.ExportData, *ast.ClearCache:
	default:
		return e, false
	}
	return e, true
}

// inserted is about INSERT INTO a computed table.
func inserted(st *ast.Insert, ns kalam.NamespaceID) (e audit.Event, ok bool) {
	if !isComputed(st.Table, ns) {
		return e, false
	}
	e.Target = full(st.Table, ns)
	for i, c := range st.Columns {
		if c.Name == "user_id" && len(st.Rows) == 1 && i < len(st.Rows[0]) && st.Rows[0][i].Kind == ast.ExprString {
			e.Subject = st.Rows[0][i].Text
		}
	}
	return e, true
}

// written is about rows of a computed table that a condition names, which is terms if it is one of equalities.
func written(table ast.Name, terms []ast.ColumnEquals, ns kalam.NamespaceID) (e audit.Event, ok bool) {
	if !isComputed(table, ns) {
		return e, false
	}
	e.Target = full(table, ns)
	for i := range terms {
		if terms[i].Column.Name == "user_id" && terms[i].Value.Kind == ast.ExprString {
			e.Subject = terms[i].Value.Text
		}
	}
	return e, true
}

func isComputed(n ast.Name, ns kalam.NamespaceID) bool {
	if len(n.Parts) > 1 {
		return n.Parts[0] == systemNamespace
	}
	return ns == systemNamespace
}

// full returns a name with its namespace.
func full(n ast.Name, ns kalam.NamespaceID) string {
	if len(n.Parts) == 1 {
		return string(ns) + "." + n.Parts[0]
	}
	return n.String()
}

func nameOf(id *ast.Ident) string {
	if id == nil {
		return ""
	}
	return id.Name
}
