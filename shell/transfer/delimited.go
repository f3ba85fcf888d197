package transfer

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// mostRecord bounds the bytes of one record of a file: what is longer is a quote that does
// not end.
const mostRecord = 64 << 20

// delimited reads CSV as RFC 4180 says, and TSV. It tells an empty field, which is NULL,
// from an empty text in quotes; a library of Go that does is not known.
type delimited struct {
	in      *bufio.Reader
	comma   byte
	escapes bool   // TSV: \t, \n, \r and \\ in place of quotes.
	null    string // An unquoted field that is NULL, beside the empty one.
	names   []string
	number  int64
	line    int64 // Of the next byte.
	begin   int64 // Where the last record began.
	raw     []byte
	fields  []value // Of the last record.
	buffer  []byte
}

// newDelimited returns a reader of CSV, or TSV if comma is a tab. names are those of the
// columns; if nil, the first record has them.
func newDelimited(in io.Reader, comma byte, null string, names []string) (*delimited, error) {
	d := &delimited{in: bufio.NewReaderSize(in, 1<<20), comma: comma, escapes: comma == '\t', null: null, line: 1}
	if mark, err := d.in.Peek(3); err == nil && string(mark) == "\xef\xbb\xbf" {
		if _, err := d.in.Discard(len(mark)); err != nil {
			return nil, err
		}
	}
	if names != nil {
		d.names = names
		return d, nil
	}
	if err := d.read(); errors.Is(err, io.EOF) {
		return nil, errors.New("the file is empty: not even a line with the names of its columns")
	} else if err != nil {
		return nil, err
	}
	for _, f := range d.fields {
		d.names = append(d.names, f.text)
	}
	return d, nil
}

func (d *delimited) columns() []string { return d.names }

func (d *delimited) next() (record, error) {
	if err := d.read(); err != nil {
		return record{}, err
	}
	line := d.begin
	d.number++
	if len(d.fields) != len(d.names) {
		return record{}, &badRecord{number: d.number, line: line, text: strings.TrimRight(string(d.raw), "\r\n"),
			reason: fmt.Sprintf("%d fields where the file has %d columns", len(d.fields), len(d.names))}
	}
	values := make([]value, len(d.fields))
	copy(values, d.fields)
	return record{number: d.number, line: line, values: values}, nil
}

// read reads the fields of the next record that is no empty line into fields.
func (d *delimited) read() error {
	for {
		d.begin = d.line
		if err := d.readRaw(); err != nil {
			return err
		}
		body := strings.TrimSuffix(strings.TrimSuffix(string(d.raw), "\n"), "\r")
		if body == "" && len(d.names) != 1 {
			continue
		}
		d.fields = d.fields[:0]
		if d.escapes {
			d.splitEscaped(body)
			return nil
		}
		if reason := d.split(body); reason != "" {
			d.number++
			return &badRecord{number: d.number, line: d.begin, text: body, reason: reason}
		}
		return nil
	}
}

// readRaw reads the bytes of the next record into raw: lines, until the quotes are even.
func (d *delimited) readRaw() error {
	d.raw = d.raw[:0]
	open := false
	for {
		part, err := d.in.ReadSlice('\n')
		d.raw = append(d.raw, part...)
		if !d.escapes {
			for _, b := range part {
				if b == '"' {
					open = !open
				}
			}
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF):
			if len(d.raw) == 0 {
				return io.EOF
			}
			d.line++
			return nil
		case err != nil:
			return err
		default:
			d.line++
			if !open {
				return nil
			}
		}
		if len(d.raw) > mostRecord {
			return fmt.Errorf("line %d: a record of more than %s: is a quote missing?", d.line, Bytes(mostRecord))
		}
	}
}

// split cuts a record of CSV into fields. It returns what is wrong with it, "" for nothing.
func (d *delimited) split(s string) string {
	for {
		if strings.HasPrefix(s, `"`) {
			content, rest, ok := d.unquote(s[1:])
			if !ok {
				return "a quoted field that does not end, or goes on behind its quote"
			}
			d.fields = append(d.fields, value{quoted, content})
			if rest == "" {
				return ""
			}
			s = rest[1:]
			continue
		}
		field, rest, more := s, "", false
		if i := strings.IndexByte(s, d.comma); i >= 0 {
			field, rest, more = s[:i], s[i+1:], true
		}
		d.fields = append(d.fields, d.plain(field))
		if !more {
			return ""
		}
		s = rest
	}
}

// plain is the value of a field without quotes.
func (d *delimited) plain(field string) value {
	if field == "" || d.null != "" && field == d.null {
		return value{kind: null}
	}
	return value{text, field}
}

// unquote reads a quoted field behind its first quote. rest begins with the comma.
func (d *delimited) unquote(s string) (content, rest string, ok bool) {
	i := strings.IndexByte(s, '"')
	if i < 0 {
		return "", "", false
	}
	if i+1 == len(s) || s[i+1] == d.comma {
		return s[:i], s[i+1:], true
	}
	d.buffer = d.buffer[:0]
	for {
		d.buffer = append(d.buffer, s[:i]...)
		switch s = s[i+1:]; {
		case s == "" || s[0] == d.comma:
			return string(d.buffer), s, true
		case s[0] != '"':
			return "", "", false
		}
		d.buffer = append(d.buffer, '"')
		s = s[1:]
		if i = strings.IndexByte(s, '"'); i < 0 {
			return "", "", false
		}
	}
}

// splitEscaped cuts a line of TSV into fields. As in PostgreSQL's COPY, \N is NULL and an
// empty field an empty text; in a column of another type it is NULL.
func (d *delimited) splitEscaped(s string) {
	for field := range strings.SplitSeq(s, "\t") {
		switch {
		case field == tsvNull || d.null != "" && field == d.null:
			d.fields = append(d.fields, value{kind: null})
		case strings.IndexByte(field, '\\') < 0:
			d.fields = append(d.fields, value{text, field})
		default:
			d.fields = append(d.fields, value{text, tsvUnescaper.Replace(field)})
		}
	}
}

// tsvNull is how TSV writes NULL.
const tsvNull = `\N`

// tsvUnescaper and tsvEscaper are what TSV writes for what would end a field or line.
var (
	tsvUnescaper = strings.NewReplacer(`\\`, `\`, `\t`, "\t", `\n`, "\n", `\r`, "\r")
	tsvEscaper   = strings.NewReplacer(`\`, `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`)
)
