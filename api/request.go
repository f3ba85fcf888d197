package api

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/link/wire"
)

// Limits of an SQL request.
const (
	maxSQL        = 1 << 20
	maxParams     = 50
	maxParamBytes = 512 << 10
)

// sqlRequest is a decoded body of the SQL endpoint. It shares no memory with it.
type sqlRequest struct {
	sql       string
	params    []kalam.Value
	namespace kalam.NamespaceID // "" when none was given.
}

// decodeRequest reads {"sql", "params", "namespace_id"}; other members are
// checked and ignored. The error is a *requestError. Unlike encoding/json it
// refuses invalid UTF-8, lone surrogates and repeated members, and it looks at a
// text of SQL once.
func decodeRequest(body []byte) (sqlRequest, error) {
	d := decoder{b: body}
	var r sqlRequest
	if err := d.request(&r); err != nil {
		return sqlRequest{}, err
	}
	if !d.seen[memberSQL] {
		return sqlRequest{}, badRequest(wire.CodeInvalidInput, "Invalid JSON payload: missing field 'sql'")
	}
	if len(r.sql) > maxSQL {
		return sqlRequest{}, badRequest(wire.CodeInvalidSQL,
			"SQL query too long: %d bytes (maximum %d bytes)", len(r.sql), maxSQL)
	}
	return r, nil
}

// The members of a request.
const (
	memberSQL = iota
	memberParams
	memberNamespace
	members
)

var memberNames = map[string]int{"sql": memberSQL, "params": memberParams, "namespace_id": memberNamespace}

// decoder reads a request from b.
type decoder struct {
	b    []byte
	i    int
	hint int // How long the next string with escapes may be.
	seen [members]bool
}

// bad returns the error of a body that is no request.
func (d *decoder) bad(what string) error {
	return badRequest(wire.CodeInvalidInput, "Invalid JSON payload: %s at byte %d", what, d.i+1)
}

// request reads the object that is the whole body.
func (d *decoder) request(r *sqlRequest) error {
	if d.next() != '{' {
		return d.bad("expected an object")
	}
	d.i++
	if d.next() == '}' {
		d.i++
		return d.end()
	}
	for {
		if err := d.member(r); err != nil {
			return err
		}
		switch d.next() {
		case ',':
			d.i++
		case '}':
			d.i++
			return d.end()
		default:
			return d.bad("expected ',' or '}'")
		}
	}
}

func (d *decoder) end() error {
	if d.next(); d.i < len(d.b) {
		return d.bad("unexpected text after the object")
	}
	return nil
}

// next skips blanks and returns the byte that follows, 0 at the end.
func (d *decoder) next() byte {
	for d.i < len(d.b) {
		switch c := d.b[d.i]; c {
		case ' ', '\t', '\n', '\r':
			d.i++
		default:
			return c
		}
	}
	return 0
}

// member reads a name and its value.
func (d *decoder) member(r *sqlRequest) error {
	if d.next() != '"' {
		return d.bad("expected the name of a member")
	}
	name, err := d.str()
	if err != nil {
		return err
	}
	if d.next() != ':' {
		return d.bad("expected ':'")
	}
	d.i++
	d.next()
	m, known := memberNames[name]
	if !known {
		return d.skip()
	}
	if d.seen[m] {
		return d.bad("repeated member '" + name + "'")
	}
	d.seen[m] = true
	switch m {
	case memberSQL:
		d.hint = min(len(d.b)-d.i, maxSQL+1) // Most of the body is SQL, usually.
		r.sql, err = d.wantString("sql")
		d.hint = 0
		return err
	case memberNamespace:
		return d.namespace(r)
	case memberParams:
		return d.params(r)
	}
	return nil
}

func (d *decoder) wantString(member string) (string, error) {
	if d.next() != '"' {
		return "", d.bad("'" + member + "' must be a string")
	}
	return d.str()
}

// word reads w if it is next.
func (d *decoder) word(w string) bool {
	if !strings.HasPrefix(string(d.b[d.i:min(d.i+len(w), len(d.b))]), w) {
		return false
	}
	d.i += len(w)
	return true
}

// namespace reads the default namespace, folded like an unquoted name.
func (d *decoder) namespace(r *sqlRequest) error {
	if d.word("null") {
		return nil
	}
	s, err := d.wantString("namespace_id")
	if err != nil {
		return err
	}
	s = strings.ToLower(s)
	if err := kalam.CheckIdentifier("namespace", s); err != nil {
		return badRequest(wire.CodeInvalidInput, "namespace_id: %s", err)
	}
	r.namespace = kalam.NamespaceID(s)
	return nil
}

// params reads the parameters.
func (d *decoder) params(r *sqlRequest) error {
	if d.word("null") {
		return nil
	}
	if d.next() != '[' {
		return d.bad("'params' must be an array")
	}
	d.i++
	if d.next() == ']' {
		d.i++
		return nil
	}
	for {
		if len(r.params) == maxParams {
			return badRequest(wire.CodeSQLExecution, "Too many parameters (maximum %d)", maxParams)
		}
		v, err := d.param(len(r.params) + 1)
		if err != nil {
			return err
		}
		r.params = append(r.params, v)
		switch d.next() {
		case ',':
			d.i++
		case ']':
			d.i++
			return nil
		default:
			return d.bad("expected ',' or ']'")
		}
	}
}

// param reads parameter number n: BOOLEAN, BIGINT, DOUBLE, TEXT, JSON for an array or an object, or NULL.
func (d *decoder) param(n int) (kalam.Value, error) {
	switch c := d.next(); {
	case c == '"':
		s, err := d.str()
		if err == nil && len(s) > maxParamBytes {
			err = badRequest(wire.CodeSQLExecution, "Parameter $%d is %d bytes long (maximum %d)", n, len(s), maxParamBytes)
		}
		return kalam.Text(s), err
	case c == '[', c == '{':
		return d.document(n)
	case c == 't' && d.word("true"):
		return kalam.Bool(true), nil
	case c == 'f' && d.word("false"):
		return kalam.Bool(false), nil
	case c == 'n' && d.word("null"):
		return kalam.Null(), nil
	case c == '-' || c >= '0' && c <= '9':
		return d.number(n)
	}
	return kalam.Value{}, d.bad("expected a parameter")
}

// document reads parameter n, an array or an object, as JSON.
func (d *decoder) document(n int) (kalam.Value, error) {
	start := d.i
	if err := d.skip(); err != nil {
		return kalam.Value{}, err
	}
	text := strings.TrimSpace(string(d.b[start:d.i]))
	if len(text) > maxParamBytes {
		return kalam.Value{}, badRequest(wire.CodeSQLExecution,
			"Parameter $%d is %d bytes long (maximum %d)", n, len(text), maxParamBytes)
	}
	return kalam.JSON(text), nil
}

// number reads parameter n.
func (d *decoder) number(n int) (kalam.Value, error) {
	start := d.i
	for d.i < len(d.b) && strings.IndexByte("+-.eE0123456789", d.b[d.i]) >= 0 {
		d.i++
	}
	if d.i-start > maxParamBytes {
		return kalam.Value{}, badRequest(wire.CodeSQLExecution,
			"Parameter $%d is %d bytes long (maximum %d)", n, d.i-start, maxParamBytes)
	}
	text := string(d.b[start:d.i])
	if datatype.CheckJSON(text) != nil {
		d.i = start
		return kalam.Value{}, d.bad("malformed number")
	}
	v, ok := datatype.Number(text)
	if !ok {
		return v, badRequest(wire.CodeInvalidParameter,
			"Parameter $%d invalid: number out of range, or with more digits than DECIMAL(38) has; send it as a string", n)
	}
	return v, nil
}

// skip reads a value that means nothing here.
func (d *decoder) skip() error {
	start, depth := d.i, 0
	for d.i < len(d.b) {
		switch d.b[d.i] {
		case '"':
			if _, err := d.str(); err != nil {
				return err
			}
			continue
		case '[', '{':
			depth++
		case ']', '}':
			if depth == 0 {
				return d.checkSkipped(start)
			}
			depth--
		case ',':
			if depth == 0 {
				return d.checkSkipped(start)
			}
		}
		d.i++
	}
	return d.bad("unexpected end")
}

func (d *decoder) checkSkipped(start int) error {
	if datatype.CheckJSON(string(d.b[start:d.i])) != nil {
		d.i = start
		return d.bad("malformed value")
	}
	return nil
}

// Classes of bytes in a JSON string.
const (
	plainByte = iota
	highByte
	quoteByte
	escapeByte
	controlByte
)

var byteClass = func() (t [256]uint8) {
	for c := range t {
		switch {
		case c == '"':
			t[c] = quoteByte
		case c == '\\':
			t[c] = escapeByte
		case c < ' ':
			t[c] = controlByte
		case c >= utf8.RuneSelf:
			t[c] = highByte
		}
	}
	return t
}()

// str reads a string; d.i is at its opening quote.
func (d *decoder) str() (string, error) {
	start := d.i + 1
	var out strings.Builder // What was read before start, once there was an escape.
	high := uint8(0)
	for i := start; i < len(d.b); i++ {
		class := byteClass[d.b[i]]
		if class <= highByte {
			high |= class
			continue
		}
		switch class {
		case controlByte:
			d.i = i
			return "", d.bad("control character in a string")
		case escapeByte:
			if out.Cap() == 0 {
				out.Grow(max(d.hint, i-start+16))
			}
			out.Write(d.b[start:i])
			end, err := d.escape(&out, i)
			if err != nil {
				return "", err
			}
			i, start = end, end+1
			continue
		}
		s := ""
		if out.Cap() == 0 {
			s = string(d.b[start:i])
		} else {
			out.Write(d.b[start:i])
			s = out.String()
		}
		if high != 0 && !utf8.ValidString(s) {
			return "", d.bad("invalid UTF-8 in the string")
		}
		d.i = i + 1
		return s, nil
	}
	d.i = len(d.b)
	return "", d.bad("unterminated string")
}

// escapes are the characters that stand after a backslash, and for what.
var escapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// escape decodes the escape at i into out and returns where it ends.
func (d *decoder) escape(out *strings.Builder, i int) (end int, err error) {
	d.i = i
	if i+1 < len(d.b) && d.b[i+1] != 'u' {
		if c := escapes[d.b[i+1]]; c != 0 {
			out.WriteByte(c)
			return i + 1, nil
		}
		return 0, d.bad("unknown escape")
	}
	r, ok := d.hex4(i)
	if !ok {
		return 0, d.bad("malformed escape")
	}
	if !utf16.IsSurrogate(r) {
		out.WriteRune(r)
		return i + 5, nil
	}
	low, ok := d.hex4(i + 6)
	if r = utf16.DecodeRune(r, low); !ok || r == utf8.RuneError {
		return 0, d.bad("lone surrogate")
	}
	out.WriteRune(r)
	return i + 11, nil
}

// hex4 reads \uXXXX at i.
func (d *decoder) hex4(i int) (rune, bool) {
	if len(d.b)-i < 6 || d.b[i] != '\\' || d.b[i+1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(d.b[i+2:i+6]), 16, 16)
	return rune(n), err == nil
}
