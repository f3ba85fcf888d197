package ast

import "github.com/kalamlake/kalam/sqltext"

// CreateView is CREATE [OR REPLACE] VIEW v [(columns)] AS query.
type CreateView struct {
	Name        Name
	Replace     bool
	IfNotExists bool
	Columns     []Ident // nil: those of the query.
	Query       RawSQL
	Text        string // The query as it was written.
	Edits       sqltext.Edits
}

// DropView is DROP VIEW [IF EXISTS] v.
type DropView struct {
	Name     Name
	IfExists bool
}

// Verb returns "CREATE VIEW".
func (*CreateView) Verb() string { return "CREATE VIEW" }

// Verb returns "DROP VIEW".
func (*DropView) Verb() string { return "DROP VIEW" }
