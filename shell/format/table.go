package format

import (
	"fmt"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/kalamlake/kalam/link"
	"github.com/kalamlake/kalam/shell/scan"
)

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
