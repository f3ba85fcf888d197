package ast

import (
	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/sqltext"
)

// Statement is one parsed statement: a pointer to one of the types of this
// package. It is immutable and may alias the text it was parsed from.
type Statement interface {
	// Verb returns the statement's words in upper case, for instance "DROP
	// TABLE", for messages, logs and counters.
	Verb() string
}

// Ident is a name, never longer than kalam.MaxIdentifier: that of a column, table or
// namespace in lower case, an alias folded to lower case unless quoted.
type Ident struct {
	Name   string
	Quoted bool
	Pos    int
}

// Name is a table name of one to three parts: t, ns.t or ns.user.t. Parts are in
// lower case.
type Name struct {
	Parts []string
	Pos   int
}

// String returns the parts joined by dots.
func (n Name) String() string {
	out := ""
	for i, p := range n.Parts {
		if i > 0 {
			out += "."
		}
		out += p
	}
	return out
}

// Last returns the last part.
func (n Name) Last() string {
	if len(n.Parts) == 0 {
		return ""
	}
	return n.Parts[len(n.Parts)-1]
}

// ExprKind is the kind of an Expr.
type ExprKind uint8

// The kinds of expression.
const (
	ExprNull    ExprKind = iota // NULL
	ExprBool                    // TRUE, FALSE: Expr.Bool.
	ExprNumber                  // Text is the number with its '-', without '+' and '_'.
	ExprString                  // Text is the string's characters.
	ExprBytes                   // X'0aff', 0x0aff: Text holds the bytes.
	ExprParam                   // $n: Param is n.
	ExprDefault                 // DEFAULT
	ExprFunc                    // A function of kalam.DefaultFunc: Text is its name in upper case, as written.
	ExprOther                   // Text is raw SQL.
)

// Expr is a value of a VALUES list, SET or DEFAULT.
type Expr struct {
	Kind  ExprKind
	Bool  bool
	Param int
	Pos   int
	Text  string
}

// RawSQL is a piece of SQL that is left to the query engine, "" for none.
type RawSQL struct {
	SQL string
	Pos int
}

// Select is a query: SELECT, WITH, VALUES, FROM first, SUMMARIZE, DESCRIBE of a
// query, or one in parentheses.
type Select struct {
	SQL    string // Raw SQL without a final `;`.
	Pos    int
	Params int // Highest placeholder.
	Edits  sqltext.Edits
}

// Insert is INSERT. Either Rows or Select or Defaults is set.
type Insert struct {
	With      RawSQL // WITH and its list, in front of the statement.
	Table     Name
	Alias     string
	Columns   []Ident  // Empty when the statement names none.
	Rows      [][]Expr // VALUES lists, all of one length; sub-slices of one array.
	Select    string   // Raw SQL of the source query.
	SelectPos int
	Defaults  bool // DEFAULT VALUES.
	// Overriding says OVERRIDING SYSTEM VALUE: columns that are GENERATED ALWAYS take
	// the values given.
	Overriding bool
	Conflict   *OnConflict
	Returning  []ReturnExpr
	Params     int
	Edits      sqltext.Edits
}

// OnConflict is the ON CONFLICT clause. Either DoNothing or Set is set.
type OnConflict struct {
	Columns   []Ident // Empty when the clause names none.
	DoNothing bool
	Set       []Assign
	Where     string // Raw SQL of the condition of DO UPDATE, "" for none.
	WherePos  int
	Pos       int
}

// Assign is one `column = value` of a SET list.
type Assign struct {
	Column Ident
	Value  Expr
}

// ReturnExpr is one item of a RETURNING list.
type ReturnExpr struct {
	SQL    string // Raw SQL, "*" for all columns.
	Alias  string // The name after AS, "" for none.
	Column string // The column's name when the item is just that.
	Pos    int
}

// ColumnEquals is one `column = literal or placeholder` of a WHERE clause.
type ColumnEquals struct {
	Column Ident
	Value  Expr
}

// Update is UPDATE.
type Update struct {
	With      RawSQL // WITH and its list.
	Table     Name
	Alias     string
	Set       []Assign
	From      RawSQL // The relations after FROM.
	Where     string // Raw SQL, "" when the clause is missing.
	WherePos  int
	KeyEquals []ColumnEquals // The whole WHERE clause when it is a conjunction of these.
	Returning []ReturnExpr
	Params    int
	Edits     sqltext.Edits
}

// Delete is DELETE; its fields mean what those of Update mean.
type Delete struct {
	With      RawSQL
	Table     Name
	Alias     string
	Using     RawSQL // The relations after USING.
	Where     string
	WherePos  int
	KeyEquals []ColumnEquals
	Returning []ReturnExpr
	Params    int
	Edits     sqltext.Edits
}

// Truncate is TRUNCATE [TABLE] t [, ...].
type Truncate struct{ Tables []Name }

// Explain is EXPLAIN [ANALYZE] of a query.
type Explain struct {
	Analyze bool
	SQL     string
	Pos     int
	Params  int
	Edits   sqltext.Edits
}

// SubscribeTo is SUBSCRIBE TO a table or a query.
type SubscribeTo struct {
	Query   string // The query; "SELECT * FROM ..." for the table form.
	Pos     int    // Of the query or table name.
	Table   Name   // Empty for the query form.
	Options *SubscribeOptions
	Params  int
	Edits   sqltext.Edits
}

// SubscribeOptions are the options of SUBSCRIBE TO; nil fields were not given.
// Bounds are checked by whoever runs the subscription.
type SubscribeOptions struct {
	LastRows   *int
	BatchSize  *int
	BufferSize *int
	From       *kalam.Seq
}

// Begin is BEGIN or START TRANSACTION.
type Begin struct{}

// Commit is COMMIT.
type Commit struct{}

// Rollback is ROLLBACK.
type Rollback struct{}

// ExecuteAs is EXECUTE AS USER 'u' ( statement ).
type ExecuteAs struct {
	User   string
	Inner  string // The text of the inner statement, not yet parsed.
	Offset int    // Of Inner.
}

// Use is USE ns, USE NAMESPACE ns or SET NAMESPACE ns.
type Use struct{ Namespace Ident }

// Verb returns "SELECT".
func (*Select) Verb() string { return "SELECT" }

// Verb returns "INSERT".
func (*Insert) Verb() string { return "INSERT" }

// Verb returns "UPDATE".
func (*Update) Verb() string { return "UPDATE" }

// Verb returns "DELETE".
func (*Delete) Verb() string { return "DELETE" }

// Verb returns "TRUNCATE".
func (*Truncate) Verb() string { return "TRUNCATE" }

// Verb returns "EXPLAIN".
func (*Explain) Verb() string { return "EXPLAIN" }

// Verb returns "SUBSCRIBE TO".
func (*SubscribeTo) Verb() string { return "SUBSCRIBE TO" }

// Verb returns "BEGIN".
func (*Begin) Verb() string { return "BEGIN" }

// Verb returns "COMMIT".
func (*Commit) Verb() string { return "COMMIT" }

// Verb returns "ROLLBACK".
func (*Rollback) Verb() string { return "ROLLBACK" }

// Verb returns "EXECUTE AS USER".
func (*ExecuteAs) Verb() string { return "EXECUTE AS USER" }

// Verb returns "USE".
func (*Use) Verb() string { return "USE" }
