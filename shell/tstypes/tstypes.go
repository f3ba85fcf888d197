package tstypes

import (
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode"
)

// Column is a column of a table or view. Type is SQL's name of its type.
type Column struct {
	Namespace, Table, Name, Type string
	Nullable                     bool
}

const head = `// Written by "kalam types": do not edit.

/** What SELECT * gives of a table beside its columns. */
export interface SystemColumns {
	_seq: bigint;
	_deleted: boolean;
}
`

// Write writes an interface for each table, in the order of the columns, and an interface of them all. Columns of
// one table stand together. The error is that of w.
func Write(w io.Writer, columns []Column) error {
	var b, all strings.Builder
	b.WriteString(head)
	taken := map[string]bool{"SystemColumns": true, "Tables": true}
	table := ""
	for i, c := range columns {
		if name := c.Namespace + "." + c.Table; i == 0 || c.Namespace != columns[i-1].Namespace ||
			c.Table != columns[i-1].Table {
			if i > 0 {
				b.WriteString("}\n")
			}
			table = nameOf(c, taken)
			fmt.Fprintf(&b, "\n/** %s */\nexport interface %s {\n", comment(name), table)
			fmt.Fprintf(&all, "\t%s: %s;\n", quoted(name), table)
		}
		kind := typeOf(c.Type)
		if c.Nullable && kind != unknown {
			kind += " | null"
		}
		fmt.Fprintf(&b, "\t%s: %s;\n", property(c.Name), kind)
	}
	if len(columns) > 0 {
		b.WriteString("}\n")
	}
	fmt.Fprintf(&b, "\n/** The tables by their names. */\nexport interface Tables {\n%s}\n", all.String())
	_, err := io.WriteString(w, b.String())
	return err
}

// unknown is the type of values that may be anything, NULL among it.
const unknown = "unknown"

// typeOf returns the type of values of a type of SQL, as the client gives them.
func typeOf(sql string) string {
	base, _, _ := strings.Cut(strings.ToUpper(sql), "(")
	switch base {
	case "BOOLEAN":
		return "boolean"
	case "SMALLINT", "INT", "INTEGER", "FLOAT", "DOUBLE":
		return "number"
	case "BIGINT":
		return "bigint"
	case "TEXT", "UUID", "DECIMAL", "DATE", "TIME":
		return "string"
	case "TIMESTAMP", "DATETIME":
		return "Date"
	case "BYTES":
		return "Uint8Array"
	}
	return unknown
}

// nameOf returns the name of a table's interface, which no other has: app.chat_messages is AppChatMessages.
func nameOf(c Column, taken map[string]bool) string {
	var b strings.Builder
	for _, word := range strings.FieldsFunc(c.Namespace+"_"+c.Table, func(r rune) bool {
		return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}) {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	base := b.String()
	if base == "" || base[0] <= '9' {
		base = "T" + base
	}
	name := base
	for n := 2; taken[name]; n++ {
		name = fmt.Sprintf("%s_%d", base, n)
	}
	taken[name] = true
	return name
}

var identifier = regexp.MustCompile(`^[A-Za-z_$][\w$]*$`)

// property writes the name of a property.
func property(name string) string {
	if identifier.MatchString(name) {
		return name
	}
	return quoted(name)
}

// quoted writes a string. What JSON writes is a string of TypeScript, too.
func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil { // No string has one.
		return `""`
	}
	return string(b)
}

// comment makes a text fit for a comment of one line.
func comment(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '*' || unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return '?'
		}
		return r
	}, s)
}
