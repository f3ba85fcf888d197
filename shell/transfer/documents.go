package transfer

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// documents reads JSON objects: one a line (NDJSON), or the elements of an array or of a
// sequence (JSON). Its columns are the members of the first objects.
type documents struct {
	raw    func() (text []byte, line int64, err error)
	names  []string
	index  map[string]int
	ahead  []object // Read for the names and not yet given.
	number int64
}

// object is an object that was read for the names of the columns, or why it was not.
type object struct {
	record record
	keys   []string
	err    error
}

// newDocuments returns a reader of objects. sample is how many are read for the columns;
// lines says that there is one a line.
func newDocuments(in io.Reader, lines bool, sample int) (*documents, error) {
	d := &documents{index: map[string]int{}}
	buffered := bufio.NewReaderSize(in, 1<<20)
	if lines {
		d.raw = lineObjects(buffered)
	} else {
		d.raw = streamObjects(buffered)
	}
	for len(d.ahead) < sample {
		m := d.read()
		if errors.Is(m.err, io.EOF) {
			break
		}
		d.ahead = append(d.ahead, m)
		for _, k := range m.keys {
			if _, ok := d.index[k]; !ok {
				d.index[k] = len(d.names)
				d.names = append(d.names, k)
			}
		}
		var bad *badRecord
		if m.err != nil && !errors.As(m.err, &bad) {
			break
		}
	}
	if len(d.names) > 0 {
		return d, nil
	}
	for _, m := range d.ahead {
		if m.err != nil {
			return nil, m.err
		}
	}
	return nil, errors.New("the file has no object with a member")
}

func (d *documents) columns() []string { return d.names }

func (d *documents) next() (record, error) {
	m := object{}
	if len(d.ahead) > 0 {
		m, d.ahead = d.ahead[0], d.ahead[1:]
	} else {
		m = d.read()
	}
	if m.err != nil {
		return record{}, m.err
	}
	r := m.record
	values := make([]value, len(d.names))
	for i, k := range m.keys {
		at, ok := d.index[k]
		if !ok {
			return record{}, &badRecord{number: r.number, line: r.line, text: objectText(m.keys, r.values),
				reason: fmt.Sprintf("member %q is in none of the first objects, so there is no column for it", k)}
		}
		values[at] = r.values[i]
	}
	r.values = values
	return r, nil
}

// read reads the next object.
func (d *documents) read() object {
	whole, line, err := d.raw()
	var bad *badRecord
	if err == nil || errors.As(err, &bad) {
		d.number++
	}
	if bad != nil {
		bad.number = d.number
	}
	if err != nil {
		return object{err: err}
	}
	m := object{record: record{number: d.number, line: line}}
	if m.keys, m.record.values, err = members(whole); err != nil {
		return object{err: &badRecord{number: d.number, line: line, reason: err.Error(), text: string(whole)}}
	}
	return m
}

// lineObjects reads a line for each object.
func lineObjects(in *bufio.Reader) func() ([]byte, int64, error) {
	var line int64
	var b []byte
	return func() ([]byte, int64, error) {
		for {
			b = b[:0]
			line++
			for {
				part, err := in.ReadSlice('\n')
				b = append(b, part...)
				if err == nil || errors.Is(err, io.EOF) && len(b) > 0 {
					break
				}
				if !errors.Is(err, bufio.ErrBufferFull) {
					return nil, line, err
				}
				if len(b) > mostRecord {
					return nil, line, fmt.Errorf("line %d: a line of more than %s", line, Bytes(mostRecord))
				}
			}
			if text := bytes.TrimSpace(b); len(text) > 0 {
				return text, line, nil
			}
		}
	}
}

// streamObjects reads the elements of an array, or values behind one another.
func streamObjects(in *bufio.Reader) func() ([]byte, int64, error) {
	dec := json.NewDecoder(in)
	started, array := false, false
	var element json.RawMessage
	return func() ([]byte, int64, error) {
		if !started {
			started = true
			first, err := firstByte(in)
			if err != nil {
				return nil, 0, err
			}
			if array = first == '['; array {
				if _, err := dec.Token(); err != nil {
					return nil, 0, err
				}
			}
		}
		if array && !dec.More() {
			if _, err := dec.Token(); err != nil {
				return nil, 0, fmt.Errorf("byte %d: the array does not end: %w", dec.InputOffset(), unended(err))
			}
			array = false
			return nil, 0, io.EOF
		}
		element = element[:0]
		if err := dec.Decode(&element); err != nil {
			if errors.Is(err, io.EOF) && !array {
				return nil, 0, io.EOF
			}
			return nil, 0, fmt.Errorf("byte %d: %w", dec.InputOffset(), unended(err))
		}
		return element, 0, nil
	}
}

// unended is err, but for the end of a file where more must follow.
func unended(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// firstByte returns the first byte of a file that is no blank, without reading it.
func firstByte(in *bufio.Reader) (byte, error) {
	for {
		b, err := in.ReadByte()
		if err != nil {
			return 0, err
		}
		if b == ' ' || b == '\t' || b == '\r' || b == '\n' {
			continue
		}
		return b, in.UnreadByte()
	}
}

// members returns the members of an object in their order.
func members(whole []byte) (keys []string, values []value, err error) {
	dec := json.NewDecoder(bytes.NewReader(whole))
	start, err := dec.Token()
	if err != nil {
		return nil, nil, err
	}
	if start != json.Delim('{') {
		return nil, nil, errors.New("not a JSON object")
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, nil, err
		}
		name, _ := key.(string) // The decoder gives no other key.
		if slices.Contains(keys, name) {
			return nil, nil, fmt.Errorf("member %q comes twice", name)
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return nil, nil, unended(err)
		}
		v, err := jsonValue(raw)
		if err != nil {
			return nil, nil, err
		}
		keys, values = append(keys, name), append(values, v)
	}
	if _, err := dec.Token(); err != nil {
		return nil, nil, unended(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, nil, errors.New("something follows the object")
	}
	return keys, values, nil
}

// jsonValue is the value that a JSON text is.
func jsonValue(raw json.RawMessage) (value, error) {
	switch raw[0] {
	case 'n':
		return value{kind: null}, nil
	case 't', 'f':
		return value{boolean, string(raw)}, nil
	case '{', '[':
		return value{nested, string(raw)}, nil
	case '"':
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return value{}, err
		}
		return value{quoted, s}, nil
	}
	return value{number, string(raw)}, nil
}

// objectText is an object with the given members.
func objectText(keys []string, values []value) string {
	var b strings.Builder
	for i, k := range keys {
		b.WriteString([]string{"{", ","}[min(i, 1)])
		b.Write(jsonString(k))
		b.WriteByte(':')
		b.Write(jsonText(values[i]))
	}
	b.WriteByte('}')
	return b.String()
}

// jsonText is a value as JSON.
func jsonText(v value) []byte {
	switch v.kind {
	case null:
		return []byte("null")
	case number, boolean, nested:
		return []byte(v.text)
	default:
		return jsonString(v.text)
	}
}

// jsonString is a text as JSON.
func jsonString(s string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil { // No text is refused.
		return []byte(`""`)
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}
