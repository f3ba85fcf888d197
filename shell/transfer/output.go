package transfer

import (
	"bufio"
	"encoding/json"
	"io"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/link"
)

// writer writes rows to a file so that a load reads them back equal. It is used by one
// goroutine.
type writer struct {
	out     *bufio.Writer
	format  string
	columns []link.Column
	rows    int64
}

// newWriter returns a writer. Of CSV and TSV it writes the names of the columns.
func newWriter(out io.Writer, format string, columns []link.Column) (*writer, error) {
	w := &writer{out: bufio.NewWriterSize(out, 256<<10), format: format, columns: columns}
	var line []byte
	for i, c := range columns {
		switch {
		case format == CSV:
			line = append(line, separator(i, ",")+link.QuoteCSV(c.Name)...)
		case format == TSV:
			line = append(line, separator(i, "\t")+tsvEscaper.Replace(c.Name)...)
		}
	}
	if line != nil {
		line = append(line, '\n')
	}
	_, err := w.out.Write(line)
	return w, err
}

// separator is what stands before the field with the index i.
func separator(i int, between string) string {
	if i == 0 {
		return ""
	}
	return between
}

// write writes a row of a result, the columns of which are those of the writer.
func (w *writer) write(r *link.Result, row int) error {
	var line []byte
	switch w.format {
	case CSV, TSV:
		line = w.delimited(r, row)
	default:
		line = w.document(r, row)
	}
	w.rows++
	_, err := w.out.Write(line)
	return err
}

// delimited is a row as a line of CSV or TSV.
func (w *writer) delimited(r *link.Result, row int) (line []byte) {
	for i := range w.columns {
		text, ok := r.Text(row, i)
		switch {
		case w.format == CSV:
			line = append(line, separator(i, ",")...)
			if ok {
				line = append(line, link.QuoteCSV(text)...)
			}
		default:
			line = append(line, separator(i, "\t")...)
			if ok {
				line = append(line, tsvEscaper.Replace(text)...)
			} else {
				line = append(line, tsvNull...)
			}
		}
	}
	return append(line, '\n')
}

// document is a row as an object on a line.
func (w *writer) document(r *link.Result, row int) (line []byte) {
	if w.format == JSON {
		line = append(line, separator(int(min(w.rows, 1)), ",\n")...)
		if w.rows == 0 {
			line = append(line, "[\n"...)
		}
	}
	for i, c := range w.columns {
		line = append(line, []string{"{", ","}[min(i, 1)]...)
		line = append(append(line, jsonString(c.Name)...), ':')
		text, ok := r.Text(row, i)
		if !ok {
			line = append(line, "null"...)
			continue
		}
		line = append(line, documentCell(c.Type.Kind, text)...)
	}
	line = append(line, '}')
	if w.format == NDJSON {
		line = append(line, '\n')
	}
	return line
}

// documentCell is a cell as JSON: numbers and booleans as such, unless a reader would lose
// digits; documents as such if they fit on a line; all else as a string.
func documentCell(k kalam.Kind, text string) []byte {
	switch k {
	case kalam.KindBoolean, kalam.KindSmallInt, kalam.KindInt, kalam.KindFloat, kalam.KindDouble:
		if json.Valid([]byte(text)) {
			return []byte(text)
		}
	case kalam.KindJSON:
		if text != "" && (text[0] == '{' || text[0] == '[') && !strings.ContainsAny(text, "\r\n") {
			return []byte(text)
		}
	default:
	}
	return jsonString(text)
}

// end writes what ends the file.
func (w *writer) end() error {
	if w.format == JSON {
		text := "\n]\n"
		if w.rows == 0 {
			text = "[]\n"
		}
		if _, err := w.out.WriteString(text); err != nil {
			return err
		}
	}
	return w.out.Flush()
}
