package worker

import (
	"fmt"
	"strings"

	"github.com/kalamlake/kalam/sqltext"
)

// resultCasts are the result columns and which of them become text.
type resultCasts struct {
	names []string
	text  []bool
}

// around returns the query with those columns as text. Names and order stay.
func (c *resultCasts) around(sql string) string {
	var list, cols strings.Builder
	for i, name := range c.names {
		value := fmt.Sprintf("c%d", i)
		if i > 0 {
			list.WriteString(", ")
			cols.WriteString(", ")
		}
		cols.WriteString(value)
		if c.text[i] {
			value = "CAST(" + value + " AS VARCHAR)"
		}
		list.WriteString(value + " AS " + sqltext.QuoteIdent(name))
	}
	return "SELECT " + list.String() + " FROM (" + sql + ") AS r(" + cols.String() + ")"
}
