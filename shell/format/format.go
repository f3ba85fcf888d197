package format

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/kalamlake/kalam/link"
	"github.com/kalamlake/kalam/shell/scan"
	"github.com/kalamlake/kalam/sqltext"
)

// The output formats.
const (
	Table    = "table"
	Vertical = "vertical" // One line per cell.
	JSON     = "json"     // An array of row objects per result.
	JSONL    = "jsonl"    // A row object per line.
	CSV      = "csv"
	TSV      = "tsv"
	Markdown = "markdown"
	HTML     = "html"
	Insert   = "insert"   // An INSERT per row.
	Envelope = "envelope" // The server's answer.
)

// Names returns the names of the output formats.
func Names() []string {
	return []string{Table, Vertical, JSON, JSONL, CSV, TSV, Markdown, HTML, Insert, Envelope}
}

// IsFormat reports whether Names has name.
func IsFormat(name string) bool { return slices.Contains(Names(), name) }

// Printer writes results.
type Printer struct {
	Out, Err io.Writer
	Format   string
	Color    bool
	Width    func() int // Of the terminal, asked anew for each table; 0 is unlimited.
	SQL      string     // Of the request whose results are printed.
	All      bool       // Show the server's columns on a terminal too.
	Auto     bool       // A table that is too wide for the terminal is shown vertically.

	Null      string // How NULL is shown to people, and if NullGiven in text for programs.
	NullGiven bool
	Times     string           // How times are shown to people; see settings.TimestampFormats.
	Now       func() time.Time // Of relative times.

	MaxRows int         // Of a page on a terminal; 0 is without pages.
	More    func() bool // Asks whether another page follows; nil never does.
}

// ForPeople reports whether the format is one for people, in which messages are
// part of the output.
func (p *Printer) ForPeople() bool { return p.Format == Table || p.Format == Vertical }

// Response prints the results of a request. name is put before the message of a
// statement: "Statement 3: " in a script, by its number in the request.
func (p *Printer) Response(res *link.Response, name func(statement int) string) error {
	if p.Format == Envelope {
		b, err := json.MarshalIndent(res.Envelope(), "", "  ")
		if err != nil {
			return err
		}
		_, err = p.Out.Write(append(b, '\n'))
		return err
	}
	for i, r := range res.Results {
		if i > 0 && r.HasRows() && p.Format != JSON {
			fmt.Fprintln(p.Out)
		}
		n := r.Statement()
		if n == 0 {
			n = i + 1
		}
		if err := p.result(r, name(n)); err != nil {
			return err
		}
	}
	if !p.ForPeople() {
		return nil
	}
	_, err := fmt.Fprintf(p.Out, "Took: %.3f ms\n", float64(res.Took().Nanoseconds())/1e6)
	return err
}

// result prints one result.
func (p *Printer) result(r *link.Result, name string) error {
	if !r.HasRows() {
		return p.message(r, name)
	}
	if name != "" {
		p.say(strings.TrimSpace(name))
	}
	if r.Message() != "" && !p.ForPeople() {
		fmt.Fprintln(p.Err, EscapeLines(r.Message()))
	}
	if p.ForPeople() {
		return p.people(r)
	}
	return p.program(r)
}

// program prints the rows of a result in a format for programs.
func (p *Printer) program(r *link.Result) error {
	switch p.Format {
	case JSON:
		if err := r.WriteJSON(p.Out); err != nil {
			return err
		}
		_, err := fmt.Fprintln(p.Out)
		return err
	case JSONL:
		return r.WriteJSONLines(p.Out)
	case CSV:
		return p.csv(r)
	case TSV:
		p.tsv(r)
	case Markdown:
		p.markdown(r)
	case HTML:
		p.html(r)
	case Insert:
		p.insert(r, p.statement(r))
	}
	return nil
}

// people prints the rows of a result for people.
func (p *Printer) people(r *link.Result) error {
	shown := len(r.Rows())
	if p.Format == Vertical {
		p.vertical(r)
	} else {
		shown = p.table(r, p.hidden(r))
	}
	count := rowCount(len(r.Rows()))
	if shown < len(r.Rows()) {
		count = fmt.Sprintf("(%d rows, %d shown)", len(r.Rows()), shown)
	}
	_, err := fmt.Fprintln(p.Out, count)
	if r.Message() != "" {
		_, err = fmt.Fprintln(p.Out, EscapeLines(r.Message()))
	}
	return err
}

// statement returns the text of the statement that a result is of.
func (p *Printer) statement(r *link.Result) string {
	fragments, err := sqltext.Split(p.SQL)
	if err == nil && r.Statement() > 0 && r.Statement() <= len(fragments) {
		return fragments[r.Statement()-1].Text
	}
	return p.SQL
}

// message prints the result of a statement without rows. How many rows it wrote is
// said only where that means something.
func (p *Printer) message(r *link.Result, name string) error {
	if m := name + r.Message(); m != "" {
		p.say(EscapeLines(m))
	}
	if !p.ForPeople() || r.Message() != "" && r.RowsAffected() == 0 && !strings.Contains(r.Message(), "row(s)") {
		return nil
	}
	_, err := fmt.Fprintf(p.Out, "Query OK, %d rows affected\n", r.RowsAffected())
	return err
}

// say prints what is no data: in the formats for people among the output.
func (p *Printer) say(line string) {
	if p.ForPeople() {
		fmt.Fprintln(p.Out, line)
		return
	}
	fmt.Fprintln(p.Err, line)
}

// rowCount returns "(n rows)".
func rowCount(n int) string {
	if n == 1 {
		return "(1 row)"
	}
	return "(" + strconv.Itoa(n) + " rows)"
}

// boxStyle is go-pretty's light style with column names as they are.
func boxStyle() table.Style {
	s := table.StyleLight
	s.Format.Header = text.FormatDefault
	s.Format.HeaderAlign = text.AlignDefault
	return s
}

// hidden reports for each column of a result whether it is left out: on a terminal
// the server's own columns, of a statement that does not name them.
func (p *Printer) hidden(r *link.Result) []bool {
	columns := r.Columns()
	hidden := make([]bool, len(columns))
	if p.Width() <= 0 || p.All {
		return hidden
	}
	tokens, _ := scan.Tokens(p.statement(r), 0)
	left := len(columns)
	for i, c := range columns {
		if c.Name != "_seq" && c.Name != "_deleted" || left == 1 {
			continue
		}
		named := func(t scan.Token) bool { return t.IsName() && t.Name() == c.Name }
		if hidden[i] = !slices.ContainsFunc(tokens, named); hidden[i] {
			left--
		}
	}
	return hidden
}

// table prints a result in a box, fitted to the terminal, without its hidden
// columns. It returns how many rows were shown.
func (p *Printer) table(r *link.Result, hidden []bool) int {
	var columns []link.Column
	var index []int
	for i, c := range r.Columns() {
		if !hidden[i] {
			columns, index = append(columns, c), append(index, i)
		}
	}
	cells := make([][]string, 0, len(r.Rows())+1)
	header := make([]string, len(columns))
	for i, c := range columns {
		header[i] = Escape(c.Name)
	}
	cells = append(cells, header)
	for i := range r.Rows() {
		row := make([]string, len(columns))
		for j := range columns {
			row[j] = p.cell(r, i, index[j])
		}
		cells = append(cells, row)
	}
	cells, shown := fit(cells, wholeColumns(columns), p.Width())
	if p.Auto && shown < len(columns) {
		p.vertical(r)
		return len(r.Rows())
	}
	rows := p.pages(p.box(r, cells, columns, index))
	if shown < len(columns) {
		fmt.Fprintf(p.Out, "%d of %d columns; \\x shows all\n", shown, len(columns))
	}
	return rows
}

// box draws fitted cells, the first of which are names. index tells the columns of the
// result.
func (p *Printer) box(r *link.Result, cells [][]string, columns []link.Column, index []int) string {
	w := table.NewWriter()
	w.SetStyle(boxStyle())
	w.SetColumnConfigs(alignments(columns))
	for i, row := range cells {
		line := make(table.Row, len(row))
		for j, cell := range row {
			if p.Color && (i == 0 || r.Rows()[i-1][index[j]][0] == 'n') {
				cell = colored(cell, i == 0)
			}
			line[j] = cell
		}
		if i == 0 {
			w.AppendHeader(line)
		} else {
			w.AppendRow(line)
		}
	}
	return w.Render()
}

// boxHead is the number of lines of a box before its first row.
const boxHead = 3

// pages prints a box page by page, as long as more is wanted, and returns how many rows
// were shown.
func (p *Printer) pages(box string) int {
	lines := strings.Split(box, "\n")
	rows := len(lines) - boxHead - 1
	if p.MaxRows <= 0 || p.More == nil || p.Width() <= 0 || rows <= p.MaxRows {
		fmt.Fprintln(p.Out, box)
		return max(rows, 0)
	}
	for _, l := range lines[:boxHead] {
		fmt.Fprintln(p.Out, l)
	}
	for i, l := range lines[boxHead : boxHead+rows] {
		if i > 0 && i%p.MaxRows == 0 && !p.More() {
			rows = i
			break
		}
		fmt.Fprintln(p.Out, l)
	}
	fmt.Fprintln(p.Out, lines[len(lines)-1])
	return rows
}

// colored is a column's name in bold, or NULL dimmed.
func colored(cell string, name bool) string {
	if name {
		return "\x1b[1m" + cell + "\x1b[0m"
	}
	return "\x1b[2m" + cell + "\x1b[0m"
}

// alignments puts numbers to the right.
func alignments(columns []link.Column) []table.ColumnConfig {
	configs := make([]table.ColumnConfig, 0, len(columns))
	for i, c := range columns {
		if c.Type.Kind.IsNumber() {
			configs = append(configs, table.ColumnConfig{Number: i + 1, Align: text.AlignRight, AlignHeader: text.AlignRight})
		}
	}
	return configs
}

// vertical prints each cell on a line of its own.
func (p *Printer) vertical(r *link.Result) {
	columns := r.Columns()
	most := 0
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = Escape(c.Name)
		most = max(most, text.StringWidthWithoutEscSequences(names[i]))
	}
	for i := range r.Rows() {
		fmt.Fprintf(p.Out, "-[ %d ]-\n", i+1)
		for j, name := range names {
			if p.Color {
				name = colored(name, true)
			}
			fmt.Fprintf(p.Out, "%s | %s\n", text.Pad(name, most, ' '), p.cell(r, i, j))
		}
	}
}

// cell returns a cell as it is shown to people. A text that reads like NULL is put in
// quotes, to tell it from NULL.
func (p *Printer) cell(r *link.Result, row, column int) string {
	s, ok := r.Text(row, column)
	if !ok {
		return p.Null
	}
	if s == p.Null {
		return "'" + s + "'"
	}
	if p.Times != "" {
		cell := r.Rows()[row][column]
		if t, ok := timeText(r.Columns()[column].Type.Kind, string(cell), p.Times, p.Now); ok {
			return t
		}
	}
	return Escape(s)
}

// Escape replaces control characters, and those that change the direction of
// text, by their escapes, so that data cannot steer a terminal.
func Escape(s string) string {
	if !strings.ContainsFunc(s, IsControl) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case !IsControl(r):
			b.WriteRune(r)
		case r < 0x80:
			q := strconv.QuoteRune(r)
			b.WriteString(q[1 : len(q)-1])
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// IsControl reports whether Escape replaces r.
func IsControl(r rune) bool {
	return r < ' ' || r >= 0x7F && r < 0xA0 || r == 0x200E || r == 0x200F || r >= 0x202A && r <= 0x202E ||
		r >= 0x2028 && r <= 0x2029 || r >= 0x2066 && r <= 0x2069 || r == 0xFEFF
}

// EscapeLines is Escape for a text of several lines.
func EscapeLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = Escape(lines[i])
	}
	return strings.Join(lines, "\n")
}
