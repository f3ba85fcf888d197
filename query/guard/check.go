package guard

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query/tree"
	"github.com/kalamlake/kalam/sqltext"
)

// Query is what is known of a query that has passed the guard. It holds nothing of who
// runs it, and is not changed.
type Query struct {
	Text     string // As it was given.
	Prefix   string // Of the names of ours in the text that runs; unguessable.
	Tables   []Table
	Params   int       // Placeholders of the user's, $1 to $Params.
	Args     []ArgKind // What the placeholders after those stand for.
	Operands []Operand // What the placeholders after those stand for.
	Meetings []Meeting // What the operands meet.
	Withs    int       // Names of WITH.
	Pivots   bool      // There is a PIVOT.

	names []nameUse
	rows  map[int]string // Aliases of the tables of which whole rows are named, by number.
}

// Table is one occurrence of a table in a query.
type Table struct {
	Parts    []string // Of its name, in lower case.
	Position int      // 0-based byte offset of the name in the text.
	Alias    string   // "" unless the query gives one.
	// Namespace is the one by which columns call the table, whose name has none; "" when
	// none does.
	Namespace    string
	NamesDeleted bool // A filter on the table names _deleted.
	NamesDropped bool // A filter on the table names deleted_at.

	system systemUse
}

// Parse returns the tree of a query, which is not checked yet.
func (p *Parser) Parse(ctx context.Context, sql string) (tree.Node, error) {
	if err := checkPlaceholders(sql); err != nil {
		return nil, err
	}
	return p.parse(ctx, sql)
}

// Check checks and rewrites root, the tree of sql. * has no system columns in an inner
// query, whose rows another statement takes. zone is that of moments that are written
// without one, nil for UTC.
func (p *Parser) Check(
	ctx context.Context, sql string, root tree.Node, inner bool, zone *time.Location,
) (*Query, error) {
	c := newChecker(sql, p.Prefix)
	c.zone = zone
	c.query(root)
	params := c.checkParams()
	if c.err != nil {
		return nil, c.err
	}
	if err := p.keepNames(ctx, c); err != nil {
		return nil, err
	}
	if !inner {
		c.showSystem(root)
	}
	args := c.finish(root, params+1)
	if c.err != nil {
		return nil, c.err
	}
	q := c.result(params)
	q.Args = args
	return q, nil
}

// CheckTree checks q, the tree of sql, and finds out which tables its names mean. It
// changes the tree.
func (p *Parser) CheckTree(sql string, q tree.Node) (*Query, error) {
	c := newChecker(sql, p.Prefix)
	c.query(q)
	params := c.checkParams()
	if c.err == nil {
		c.qualify(q)
	}
	if c.err != nil {
		return nil, c.err
	}
	return c.result(params), nil
}

// result returns what is known of the query.
func (c *checker) result(params int) *Query {
	q := &Query{
		Text: c.sql, Prefix: c.prefix, Params: params, Operands: c.operands, Meetings: c.meetings, Withs: c.ctes,
		Pivots: c.pivots, names: c.names, rows: c.rows,
	}
	for _, t := range c.tables {
		table := Table{
			Parts: t.parts, Position: t.pos, Namespace: t.namespace, NamesDeleted: t.withDeleted,
			NamesDropped: t.dropped, system: t.system,
		}
		if t.named {
			table.Alias = t.alias
		}
		q.Tables = append(q.Tables, table)
	}
	return q
}

// Written writes an encoded tree as text and checks that text in turn: what DuckDB will
// read has passed the guard, whatever writing it has changed. withs is the number of its
// WITH names.
func (p *Parser) Written(ctx context.Context, doc string, withs int) (string, error) {
	text, again, err := p.rewritten(ctx, doc)
	if err != nil {
		return "", Unprocessed(err, "query")
	}
	c := newChecker(text, p.Prefix)
	c.generated = true
	c.query(again)
	if c.err != nil || c.ctes != withs {
		return "", kalam.Wrap(kalam.CodeUnsupported, fmt.Errorf("%s: %w", text, c.err), "This query cannot be processed")
	}
	return text, nil
}

// Visible tells which columns of table i the text that runs has, and by which names.
func (q *Query) Visible(i int) func(column string) (string, bool) {
	return func(column string) (string, bool) { return q.Tables[i].system.visible(q.Prefix, column) }
}

// WholeRows writes the rows of tables that text names as a whole: without the system
// columns that the text has of them beside. columns gives the columns of a table.
func (q *Query) WholeRows(text string, columns func(table int) []string) string {
	for i, alias := range q.rows {
		var fields []string
		row := ""
		for _, name := range columns(i) {
			value := sqltext.QuoteIdent(alias) + "." + sqltext.QuoteIdent(name)
			if systemColumnOf(name) == 0 {
				fields = append(fields, sqltext.QuoteIdent(name)+" := "+value)
			}
			if strings.EqualFold(name, alias) {
				row = value // A column of that name comes before the row.
			}
		}
		if row == "" {
			row = "struct_pack(" + strings.Join(fields, ", ") + ")"
		}
		text = strings.ReplaceAll(text, rowName(q.Prefix, i), row)
	}
	return text
}

// TableName returns the name in the user's text of a relation in ours. It takes a nil
// receiver, as RestoreNames and PlaceOf do: errors may be about no query.
func (q *Query) TableName(name string) string {
	if q == nil {
		return name
	}
	for i, t := range q.Tables {
		if name == sourceName(q.Prefix, i) {
			return strings.Join(t.Parts, ".")
		}
	}
	return name
}

// RestoreNames replaces our names of tables in a message by the user's.
func (q *Query) RestoreNames(msg string) string {
	if q == nil || !strings.Contains(msg, q.Prefix) {
		return msg
	}
	for i, t := range q.Tables {
		msg = strings.ReplaceAll(msg, sourceName(q.Prefix, i), strings.Join(t.Parts, "."))
		for _, column := range systemNames {
			msg = strings.ReplaceAll(msg, systemName(q.Prefix, i, systemColumnOf(column)), column)
		}
	}
	return msg
}

// PlaceOf returns the offset in the text of the first column or function of that name in
// an error, -1 when there is none.
func (q *Query) PlaceOf(name string) int {
	if q == nil || name == "" {
		return -1
	}
	name = q.RestoreNames(name)
	for _, n := range q.names {
		if strings.EqualFold(n.name, name) {
			return n.pos
		}
	}
	return -1
}

// Unprocessed words an error of writing a tree, unless it says nothing about the tree.
func Unprocessed(err error, what string) error {
	if isCircumstance(err) {
		return err
	}
	return kalam.Wrap(kalam.CodeUnsupported, err, "This %s cannot be processed", what)
}

// checkPlaceholders refuses $0 and ?, which DuckDB's parser takes for the next
// placeholder.
func checkPlaceholders(sql string) error {
	if !strings.ContainsAny(sql, "$?") {
		return nil
	}
	for _, l := range lexemesOf(sql) {
		text := sql[l.Pos:l.End]
		if l.Kind == sqltext.LexParam && (text[0] == '?' || text == "$" || text[1] == '0') {
			return kalam.Errorf(kalam.CodeInvalidSQL, "Invalid parameter placeholder '%s'", text).At(l.Pos)
		}
	}
	return nil
}

// Mismatch is the error of a wrong number of parameters.
func Mismatch(placeholders, given int) error {
	return kalam.Errorf(kalam.CodeParameterMismatch,
		"Parameter mismatch: statement has %d placeholders but %d parameters were given", placeholders, given)
}

// rewritten returns the text of an encoded query node, and the node that the
// text gives when it is parsed.
func (p *Parser) rewritten(ctx context.Context, doc string) (string, tree.Node, error) {
	text, again, err := p.Grammar.Rewrite(ctx, p.User, doc)
	if err != nil {
		return "", nil, fmt.Errorf("write query: %w", err)
	}
	q, err := statementOf(text, again)
	return text, q, err
}

// Write returns the text of a query node.
func (p *Parser) Write(ctx context.Context, q tree.Node) (string, error) {
	doc, err := tree.Encode(q)
	if err != nil {
		return "", err
	}
	text, err := p.Grammar.Write(ctx, p.User, doc)
	if err != nil {
		return "", fmt.Errorf("write query: %w", err)
	}
	return text, nil
}

// keepNames gives the result columns whose expression was rewritten the names
// that they would have had.
func (p *Parser) keepNames(ctx context.Context, c *checker) error {
	for _, it := range c.items {
		if tree.Str(it.original, "class") == "COLUMN_REF" {
			cols := tree.Names(it.original, "column_names")
			it.item["alias"] = cols[len(cols)-1]
			continue
		}
		if len(tree.Elems(it.original, "children")) == 0 && tree.Str(it.original, "class") == "FUNCTION" &&
			tree.Str(it.original, "schema") == "" {
			it.item["alias"] = tree.Str(it.original, "function_name") + "()"
			continue
		}
		text, err := p.Write(ctx, tree.Select(it.original))
		if err != nil {
			return err
		}
		it.item["alias"] = strings.TrimPrefix(text, "SELECT ")
	}
	return nil
}
