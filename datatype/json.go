package datatype

import "unicode/utf8"

// MaxJSONDepth is how deep objects and arrays of a JSON document may nest.
const MaxJSONDepth = 1000

// CheckJSON reports whether s is one JSON document (RFC 8259: object, array or
// scalar) that every reader accepts: valid UTF-8, no lone surrogates, nested at
// most MaxJSONDepth levels. The error is CodeConstraint, "Invalid JSON value:
// expected object or array". It does not allocate for a valid document.
func CheckJSON(s string) error {
	c := jsonChecker{s: s}
	if c.document() {
		return nil
	}
	return badJSON()
}

// jsonChecker walks a document without recursion: nest remembers for each open
// level whether it is an object.
type jsonChecker struct {
	s     string
	i     int
	depth int
	nest  [(MaxJSONDepth + 63) / 64]uint64
}

func (c *jsonChecker) document() bool {
	for {
		c.blanks()
		opened, ok := c.value()
		if !ok {
			return false
		}
		if opened {
			continue
		}
		for {
			c.blanks()
			if c.depth == 0 {
				return c.i == len(c.s)
			}
			more, ok := c.next()
			if !ok {
				return false
			}
			if more {
				break
			}
		}
	}
}

// value reads a scalar, an empty container, or the opening of a container up to
// its first value.
func (c *jsonChecker) value() (opened, ok bool) {
	if c.i == len(c.s) {
		return false, false
	}
	switch b := c.s[c.i]; b {
	case '{', '[':
		return c.open(b == '{')
	case '"':
		return false, c.str()
	case 't':
		return false, c.word("true")
	case 'f':
		return false, c.word("false")
	case 'n':
		return false, c.word("null")
	}
	return false, c.number()
}

func (c *jsonChecker) open(object bool) (opened, ok bool) {
	c.i++
	c.blanks()
	end := byte(']')
	if object {
		end = '}'
	}
	if c.i < len(c.s) && c.s[c.i] == end {
		c.i++
		return false, c.depth < MaxJSONDepth
	}
	if c.depth == MaxJSONDepth {
		return false, false
	}
	bit := uint64(1) << (c.depth % 64)
	if object {
		c.nest[c.depth/64] |= bit
	} else {
		c.nest[c.depth/64] &^= bit
	}
	c.depth++
	return true, !object || c.key()
}

// next reads what follows a value inside a container: a comma (and the next key)
// when more values come, or the container's end.
func (c *jsonChecker) next() (more, ok bool) {
	if c.i == len(c.s) {
		return false, false
	}
	object := c.nest[(c.depth-1)/64]>>((c.depth-1)%64)&1 == 1
	b := c.s[c.i]
	c.i++
	switch {
	case b == ',':
		c.blanks()
		return true, !object || c.key()
	case b == '}' && object, b == ']' && !object:
		c.depth--
		return false, true
	}
	return false, false
}

// key reads a member's name and the colon.
func (c *jsonChecker) key() bool {
	if c.i == len(c.s) || c.s[c.i] != '"' || !c.str() {
		return false
	}
	c.blanks()
	if c.i == len(c.s) || c.s[c.i] != ':' {
		return false
	}
	c.i++
	return true
}

func (c *jsonChecker) blanks() {
	for c.i < len(c.s) {
		switch c.s[c.i] {
		case ' ', '\t', '\n', '\r':
			c.i++
		default:
			return
		}
	}
}

func (c *jsonChecker) word(w string) bool {
	if len(c.s)-c.i < len(w) || c.s[c.i:c.i+len(w)] != w {
		return false
	}
	c.i += len(w)
	return true
}

// str reads a string; c.i is at its opening quote.
func (c *jsonChecker) str() bool {
	for c.i++; c.i < len(c.s); {
		switch b := c.s[c.i]; {
		case b == '"':
			c.i++
			return true
		case b == '\\':
			if !c.escape() {
				return false
			}
		case b < ' ':
			return false
		case b < utf8.RuneSelf:
			c.i++
		default:
			r, n := utf8.DecodeRuneInString(c.s[c.i:])
			if r == utf8.RuneError && n == 1 {
				return false
			}
			c.i += n
		}
	}
	return false
}

func (c *jsonChecker) escape() bool {
	if c.i+1 >= len(c.s) {
		return false
	}
	switch c.s[c.i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		c.i += 2
		return true
	case 'u':
	default:
		return false
	}
	r, ok := c.hex4(c.i + 2)
	if !ok || r >= 0xDC00 && r < 0xE000 {
		return false
	}
	c.i += 6
	if r < 0xD800 || r >= 0xDC00 {
		return true
	}
	if len(c.s)-c.i < 6 || c.s[c.i] != '\\' || c.s[c.i+1] != 'u' {
		return false
	}
	low, ok := c.hex4(c.i + 2)
	c.i += 6
	return ok && low >= 0xDC00 && low < 0xE000
}

func (c *jsonChecker) hex4(at int) (r uint32, ok bool) {
	if len(c.s)-at < 4 {
		return 0, false
	}
	for _, b := range []byte(c.s[at : at+4]) {
		d := hexDigit(b)
		if d > 15 {
			return 0, false
		}
		r = r<<4 | uint32(d)
	}
	return r, true
}

func (c *jsonChecker) number() bool {
	if c.s[c.i] == '-' {
		c.i++
	}
	first := c.i
	n := c.digits()
	if n == 0 || n > 1 && c.s[first] == '0' {
		return false
	}
	if c.i < len(c.s) && c.s[c.i] == '.' {
		c.i++
		if c.digits() == 0 {
			return false
		}
	}
	if c.i < len(c.s) && (c.s[c.i] == 'e' || c.s[c.i] == 'E') {
		c.i++
		if c.i < len(c.s) && (c.s[c.i] == '+' || c.s[c.i] == '-') {
			c.i++
		}
		return c.digits() > 0
	}
	return true
}

func (c *jsonChecker) digits() int {
	start := c.i
	for c.i < len(c.s) && c.s[c.i] >= '0' && c.s[c.i] <= '9' {
		c.i++
	}
	return c.i - start
}

// hexDigit returns the value of c, or 0xFF when it is no hexadecimal digit.
func hexDigit(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 0xFF
}
