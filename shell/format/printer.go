package format

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/link"
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
	Bytes     string           // How BYTES are shown to people: BytesHex, or as text where they are one.
	Now       func() time.Time // Of relative times.

	MaxRows int         // Of a page on a terminal; 0 is without pages.
	More    func() bool // Asks whether another page follows; nil never does.
}

// ForPeople reports whether the format is one for people, in which messages are
// part of the output.
func (p *Printer) ForPeople() bool { return p.Format == Table || p.Format == Vertical }

// cell returns a cell as it is shown to people. A text that reads like NULL is put in
// quotes, to tell it from NULL.
func (p *Printer) cell(r *link.Result, row, column int) string {
	s, ok := r.Text(row, column)
	if !ok {
		return p.Null
	}
	if p.Bytes != BytesHex && r.Columns()[column].Type.Kind == kalam.KindBytes {
		s = bytesText(s)
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

// say prints what is no data: in the formats for people among the output.
func (p *Printer) say(line string) {
	if p.ForPeople() {
		fmt.Fprintln(p.Out, line)
		return
	}
	fmt.Fprintln(p.Err, line)
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

// rowCount returns "(n rows)".
func rowCount(n int) string {
	if n == 1 {
		return "(1 row)"
	}
	return "(" + strconv.Itoa(n) + " rows)"
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
