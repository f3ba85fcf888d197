package link

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/kalamlake/kalam"
)

// JSON returns the rows as a JSON array of objects, keys in column order and
// cells as on the wire. A name that several columns have gets _1, _2, ... from
// its second on. It is "[]" without rows.
func (r *Result) JSON() []byte {
	var b bytes.Buffer
	_ = r.WriteJSON(&b) // A Buffer takes everything.
	return b.Bytes()
}

// WriteJSON writes what JSON returns, one object a line.
func (r *Result) WriteJSON(w io.Writer) error {
	keys := r.objectKeys()
	b := append(make([]byte, 0, chunk), '[')
	for i, row := range r.rows {
		if i > 0 {
			b = append(b, ",\n "...)
		}
		if len(row) == 0 {
			b = append(b, '{')
		}
		for j, cell := range row {
			b = append(append(b, keys[j]...), cell...)
		}
		b = append(b, '}')
		var err error
		if b, err = spill(w, b); err != nil {
			return err
		}
	}
	_, err := w.Write(append(b, ']'))
	return err
}

// WriteJSONLines writes the objects of JSON, one a line and nothing around them.
func (r *Result) WriteJSONLines(w io.Writer) error {
	keys := r.objectKeys()
	b := make([]byte, 0, chunk)
	for _, row := range r.rows {
		if len(row) == 0 {
			b = append(b, '{')
		}
		for j, cell := range row {
			b = append(append(b, keys[j]...), cell...)
		}
		b = append(b, "}\n"...)
		var err error
		if b, err = spill(w, b); err != nil {
			return err
		}
	}
	_, err := w.Write(b)
	return err
}

// chunk is the size from which output is written.
const chunk = 32 << 10

// spill writes b if there is enough of it, and returns what is left.
func spill(w io.Writer, b []byte) ([]byte, error) {
	if len(b) < chunk {
		return b, nil
	}
	_, err := w.Write(b)
	return b[:0], err
}

// objectKeys returns what stands before each cell of an object: `{"a":`, `,"b":`.
func (r *Result) objectKeys() [][]byte {
	taken := make(map[string]bool, len(r.columns))
	keys := make([][]byte, len(r.columns))
	for i, c := range r.columns {
		name := c.Name
		for n := 1; taken[name]; n++ {
			name = c.Name + "_" + strconv.Itoa(n)
		}
		taken[name] = true
		var b bytes.Buffer
		b.WriteByte(",{"[btoi(i == 0)])
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		_ = e.Encode(name)      // A string and a Buffer: neither fails.
		b.Truncate(b.Len() - 1) // The encoder's line break.
		b.WriteByte(':')
		keys[i] = b.Bytes()
	}
	return keys
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// CSV returns the rows as RFC 4180 says, but with line ends of one byte as tools
// of Unix expect, and with a header line: cells as Text gives them, NULL as
// nothing, an empty text as "". It is empty for a result that has no columns.
func (r *Result) CSV() []byte {
	var b bytes.Buffer
	_ = r.WriteCSV(&b) // A Buffer takes everything.
	return b.Bytes()
}

// WriteCSV writes what CSV returns.
func (r *Result) WriteCSV(w io.Writer) error {
	if len(r.columns) == 0 {
		return nil
	}
	b := make([]byte, 0, chunk)
	for i, c := range r.columns {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, QuoteCSV(c.Name)...)
	}
	b = append(b, '\n')
	for _, row := range r.rows {
		for i, cell := range row {
			if i > 0 {
				b = append(b, ',')
			}
			if text, ok := FormatCell(r.columns[i].Type, cell); ok {
				b = append(b, QuoteCSV(text)...)
			}
		}
		b = append(b, '\n')
		var err error
		if b, err = spill(w, b); err != nil {
			return err
		}
	}
	_, err := w.Write(b)
	return err
}

// QuoteCSV returns s as a field of CSV. The empty text is quoted to tell it from
// NULL, and a text with blanks around it because some readers trim.
func QuoteCSV(s string) string {
	if s != "" && !strings.ContainsAny(s, ",\"\r\n") && s[0] != ' ' && s[len(s)-1] != ' ' {
		return s
	}
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}

// Text returns the readable form of a cell, as FormatCell does.
func (r *Result) Text(row, column int) (text string, ok bool) {
	return FormatCell(r.columns[column].Type, r.rows[row][column])
}

// FormatCell returns the readable form of a cell of type t; ok is false for NULL.
// Times are ISO 8601 in UTC, BYTES are \x and hex digits, DECIMAL has its
// decimals; lists and what does not fit its type come as their JSON.
func FormatCell(t kalam.DataType, cell json.RawMessage) (text string, ok bool) {
	switch {
	case len(cell) == 0 || cell[0] == 'n':
		return "", false
	case cell[0] == '"':
		return unquote(cell), true
	}
	switch {
	case t.Kind.IsTemporal():
		if n, err := strconv.ParseInt(string(cell), 10, 64); err == nil {
			return formatTime(t.Kind, n), true
		}
	case t.Kind == kalam.KindFloat:
		if f, err := strconv.ParseFloat(string(cell), 32); err == nil {
			return formatFloat(f), true
		}
	case t.Kind.Family() == kalam.FamilyBytes:
		var b []byte
		if cell[0] == '[' && json.Unmarshal(cell, &b) == nil {
			return `\x` + hex.EncodeToString(b), true
		}
	}
	return string(cell), true
}

// formatFloat returns the shortest text of a FLOAT, which the wire widens to 64
// bits.
func formatFloat(f float64) string {
	form := byte('e')
	if abs := math.Abs(f); abs == 0 || abs >= 1e-5 && abs < 1e15 {
		form = 'f'
	}
	s := strconv.FormatFloat(f, form, -1, 32)
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	return s
}

// unquote returns the characters of a valid JSON string.
func unquote(cell json.RawMessage) string {
	inner := cell[1 : len(cell)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return string(inner)
	}
	var s string
	if err := json.Unmarshal(cell, &s); err != nil {
		return string(cell)
	}
	return s
}

// formatTime returns ISO 8601 text.
func formatTime(k kalam.Kind, n int64) string {
	switch family := k.Family(); {
	case family == kalam.FamilyDate:
		return time.Unix(0, 0).UTC().AddDate(0, 0, int(n)).Format("2006-01-02")
	case family == kalam.FamilyTime:
		return time.UnixMicro(n).UTC().Format("15:04:05.999999")
	}
	return time.UnixMicro(n).UTC().Format(timeLayout)
}
