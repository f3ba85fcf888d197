package format

import (
	"fmt"
	"html"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/link"
	"github.com/kalamlake/kalam/shell/scan"
	"github.com/kalamlake/kalam/sqltext"
)

// field returns a cell for a program: ok is false for NULL, whose text is then p.Null
// if that was given, else nothing.
func (p *Printer) field(r *link.Result, row, column int) (text string, ok bool) {
	if text, ok = r.Text(row, column); !ok && p.NullGiven {
		text = p.Null
	}
	return text, ok
}

// tsv prints a header and rows with tabs between cells. As in PostgreSQL's COPY a tab,
// line end or backslash of the data is an escape.
func (p *Printer) tsv(r *link.Result) {
	for i, c := range r.Columns() {
		fmt.Fprint(p.Out, tab(i), tsvEscaper.Replace(c.Name))
	}
	fmt.Fprintln(p.Out)
	for i := range r.Rows() {
		for j := range r.Columns() {
			text, _ := p.field(r, i, j)
			fmt.Fprint(p.Out, tab(j), tsvEscaper.Replace(text))
		}
		fmt.Fprintln(p.Out)
	}
}

var tsvEscaper = strings.NewReplacer(`\`, `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`)

// tab stands between cells.
func tab(column int) string {
	if column == 0 {
		return ""
	}
	return "\t"
}

// csv prints RFC 4180; only a NULL that has a text of its own is not link's work.
func (p *Printer) csv(r *link.Result) error {
	if !p.NullGiven {
		return r.WriteCSV(p.Out)
	}
	line := func(fields []string) error {
		_, err := fmt.Fprintln(p.Out, strings.Join(fields, ","))
		return err
	}
	var fields []string
	for _, c := range r.Columns() {
		fields = append(fields, link.QuoteCSV(c.Name))
	}
	if err := line(fields); err != nil {
		return err
	}
	for i := range r.Rows() {
		fields = fields[:0]
		for j := range r.Columns() {
			text, ok := p.field(r, i, j)
			if ok && (text == p.Null || link.QuoteCSV(text) != text) {
				text = `"` + strings.ReplaceAll(text, `"`, `""`) + `"` // Not NULL.
			}
			fields = append(fields, text)
		}
		if err := line(fields); err != nil {
			return err
		}
	}
	return nil
}

// markdown prints a table as GitHub knows it, numbers to the right.
func (p *Printer) markdown(r *link.Result) {
	names, lines := make([]string, len(r.Columns())), make([]string, len(r.Columns()))
	for j, c := range r.Columns() {
		names[j], lines[j] = markdownEscaper.Replace(Escape(c.Name)), "---"
		if c.Type.Kind.IsNumber() {
			lines[j] = "---:"
		}
	}
	fmt.Fprintf(p.Out, "| %s |\n| %s |\n", strings.Join(names, " | "), strings.Join(lines, " | "))
	for i := range r.Rows() {
		cells := make([]string, len(names))
		for j := range cells {
			text, _ := p.field(r, i, j)
			cells[j] = markdownEscaper.Replace(text)
		}
		fmt.Fprintf(p.Out, "| %s |\n", strings.Join(cells, " | "))
	}
}

var markdownEscaper = strings.NewReplacer("|", `\|`,
	"\r\n", "<br>", "\n", "<br>", "\r", "<br>", "<", "&lt;", "&", "&amp;")

// html prints a table element.
func (p *Printer) html(r *link.Result) {
	fmt.Fprint(p.Out, "<table>\n<tr>")
	for _, c := range r.Columns() {
		fmt.Fprintf(p.Out, "<th>%s</th>", html.EscapeString(c.Name))
	}
	fmt.Fprintln(p.Out, "</tr>")
	for i := range r.Rows() {
		fmt.Fprint(p.Out, "<tr>")
		for j, c := range r.Columns() {
			align := ""
			if c.Type.Kind.IsNumber() {
				align = ` align="right"`
			}
			text, _ := p.field(r, i, j)
			fmt.Fprintf(p.Out, "<td%s>%s</td>", align, html.EscapeString(text))
		}
		fmt.Fprintln(p.Out, "</tr>")
	}
	fmt.Fprintln(p.Out, "</table>")
}

// insert prints a statement per row, into the table that the query reads.
func (p *Printer) insert(r *link.Result, sql string) {
	names := make([]string, len(r.Columns()))
	for j, c := range r.Columns() {
		names[j] = sqltext.QuoteIdent(c.Name)
	}
	begin := "INSERT INTO " + tableOf(sql) + " (" + strings.Join(names, ", ") + ") VALUES ("
	for i := range r.Rows() {
		values := make([]string, len(names))
		for j := range values {
			values[j] = literal(r, i, j)
		}
		fmt.Fprintln(p.Out, begin+strings.Join(values, ", ")+");")
	}
}

// tableOf returns the first table that a query reads, "result" for none.
func tableOf(sql string) string {
	tokens, _ := scan.Tokens(sql, 0)
	for i, t := range tokens {
		if !t.Is("FROM") || i+1 >= len(tokens) || !tokens[i+1].IsName() {
			continue
		}
		name := sqltext.QuoteIdent(tokens[i+1].Name())
		for i += 2; i+1 < len(tokens) && tokens[i].Text == "." && tokens[i+1].IsName(); i += 2 {
			name += "." + sqltext.QuoteIdent(tokens[i+1].Name())
		}
		return name
	}
	return "result"
}

// literal returns a cell as SQL.
func literal(r *link.Result, row, column int) string {
	text, ok := r.Text(row, column)
	switch kind := r.Columns()[column].Type.Kind; {
	case !ok:
		return "NULL"
	case kind.IsNumber(), kind == kalam.KindBoolean:
		return text
	case kind == kalam.KindBytes:
		return "X'" + strings.TrimPrefix(text, `\x`) + "'"
	}
	return sqltext.QuoteString(text)
}
