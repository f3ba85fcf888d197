package schema

import (
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/sqltext"
)

// CreateText returns CREATE TABLE for a table.
func CreateText(t *kalam.Table) string {
	var b strings.Builder
	b.WriteString("CREATE " + strings.ToUpper(t.Kind.String()) + " TABLE " + t.ID.String() + " (")
	for i := range t.Columns {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("\n  " + columnText(t, i))
	}
	if !t.HasHiddenKey() {
		var names []string
		for _, i := range t.PrimaryKey {
			names = append(names, nameText(t.Columns[i].Name))
		}
		b.WriteString(",\n  PRIMARY KEY (" + strings.Join(names, ", ") + ")")
	}
	b.WriteString("\n)")
	if options := ast.OptionsOf(&t.Options).Texts(&t.Options); len(options) > 0 {
		b.WriteString(" WITH (" + strings.Join(options, ", ") + ")")
	}
	return b.String()
}

// columnText returns the definition of a column.
func columnText(t *kalam.Table, i int) string {
	c := &t.Columns[i]
	text := nameText(c.Name) + " " + c.Type.String()
	if c.NotNull && !t.IsKey(i) && !c.IsCounted() {
		text += " NOT NULL"
	}
	switch d := c.Default; {
	case d == nil:
	case d.Always:
		text += " GENERATED ALWAYS AS IDENTITY"
	case c.IsCounted():
		text += " AUTO_INCREMENT"
	default:
		text += " DEFAULT " + d.SQL
	}
	return text
}

// nameText returns the name of a column, in quotes where it needs them.
func nameText(name string) string {
	if dialect.CheckColumnName(ast.Ident{Name: name}) != nil {
		return sqltext.QuoteIdent(name)
	}
	return name
}
