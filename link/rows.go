package link

import "encoding/json"

// splitRows cuts the JSON of a result's rows, which encoding/json has found
// valid, into cells. The cells alias it, so a result needs its own bytes and 24
// more for each cell. The result is nil for an absent or null b, and not nil for
// an empty array.
func splitRows(b json.RawMessage, columns int) ([][]json.RawMessage, error) {
	i := blank(b, 0)
	if i == len(b) || b[i] == 'n' {
		return nil, nil
	}
	if b[i] != '[' {
		return nil, errorf(KindSerialization, "rows that are no array")
	}
	rows := make([][]json.RawMessage, 0, 1)
	var cells []json.RawMessage // Of several rows, so that a row costs no allocation of its own.
	for i = blank(b, i+1); b[i] != ']'; i = separator(b, i) {
		if b[i] != '[' {
			return nil, errorf(KindSerialization, "row %d is no array", len(rows)+1)
		}
		if cap(cells)-len(cells) < columns {
			cells = make([]json.RawMessage, 0, columns*min(max(len(rows), 1), 1024))
		}
		start := len(cells)
		for i = blank(b, i+1); b[i] != ']'; i = separator(b, i) {
			end := valueEnd(b, i)
			if len(cells)-start == columns {
				return nil, errorf(KindSerialization, "row %d has more cells than the %d columns", len(rows)+1, columns)
			}
			cells = append(cells, b[i:end:end])
			i = end
		}
		if len(cells)-start != columns {
			return nil, errorf(KindSerialization, "row %d has %d cells for %d columns", len(rows)+1, len(cells)-start, columns)
		}
		rows = append(rows, cells[start:len(cells):len(cells)])
		i++
	}
	return rows, nil
}

// blank returns the offset of the first byte from i that is no white space.
func blank(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// separator returns the offset after white space and a comma, if there is one.
func separator(b []byte, i int) int {
	if i = blank(b, i); b[i] == ',' {
		i = blank(b, i+1)
	}
	return i
}

// valueEnd returns the offset after the valid JSON value at i.
func valueEnd(b []byte, i int) int {
	depth := 0
	for ; i < len(b); i++ {
		switch b[i] {
		case '"':
			i = stringEnd(b, i) - 1
			if depth == 0 {
				return i + 1
			}
		case '[', '{':
			depth++
		case ']', '}':
			if depth == 0 {
				return i // After a number or word.
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ' ', '\n', '\t', '\r':
			if depth == 0 {
				return i
			}
		}
	}
	return i
}

// stringEnd returns the offset after the valid JSON string at i.
func stringEnd(b []byte, i int) int {
	for i++; b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return i + 1
}
