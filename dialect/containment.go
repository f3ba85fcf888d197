package dialect

import "strings"

// The JSON operator `a ? b` has no parser in DuckDB, where `?` is a placeholder.
// It is translated on tokens: the operands are found by PostgreSQL's rules for
// its class of operators, which bind looser than arithmetic, tighter than
// comparisons, and to the left.

// calls says where the json_contains calls stand that replace each `a ? b`. It
// is empty when there is none.
type calls struct {
	opened []int32 // Of each token how many calls begin before it.
	closes []int32 // Of each token 1 + the index of the `?` whose call it ends, else 0: there is at most one.
}

// containment finds the operands of each `?`. One that is not between two
// operands is a placeholder, which is refused.
func containment(src string, toks []token) (calls, error) {
	var out calls
	var c *container
	for i, t := range toks {
		if !isQuestion(t) {
			continue
		}
		if c == nil {
			c = &container{src: src, toks: toks, match: brackets(toks), begin: make([]int32, len(toks))}
			out = calls{make([]int32, len(toks)), make([]int32, len(toks))}
		}
		left, right := c.left(i), c.right(i)
		if left == i || right == i {
			return out, syntaxError(t.pos, flawPlaceholder+" '?'; placeholders are $1, $2, ...")
		}
		c.begin[i] = int32(left)
		out.opened[left]++
		out.closes[right] = int32(i) + 1
	}
	return out, nil
}

// isQuestion reports whether t is the operator `?`.
func isQuestion(t token) bool { return t.kind == tOp && t.ch == '?' && t.end == t.pos+1 }

// begin appends the edits that come before token t, which is number i, and the
// comma if it is a `?`.
func (c calls) begin(e Edits, src string, t token, i int) Edits {
	if len(c.opened) == 0 {
		return e
	}
	if n := int(c.opened[i]); n > 0 {
		text := strings.Repeat("json_contains(", n)
		if t.pos > 0 && isWordByte(src[t.pos-1]) { // AND"a" ? 'k'
			text = " " + text
		}
		e = append(e, edit{start: t.pos, end: t.pos, text: text, from: t.pos})
	}
	if isQuestion(t) {
		e = append(e, edit{start: t.pos, end: t.end, text: ",", from: t.pos})
	}
	return e
}

// end appends the edit that comes after token number i.
func (c calls) end(e Edits, toks []token, i int) Edits {
	if len(c.closes) == 0 || c.closes[i] == 0 {
		return e
	}
	return append(e, edit{start: toks[i].end, end: toks[i].end, text: ")", from: toks[c.closes[i]-1].pos})
}

type container struct {
	src   string
	toks  []token
	match []int32 // Of each bracket its partner's index, otherwise -1.
	begin []int32 // Of each `?` already seen the first token of its left operand.
}

// brackets pairs the brackets of toks.
func brackets(toks []token) []int32 {
	match := make([]int32, len(toks))
	var open []int32
	for i, t := range toks {
		match[i] = -1
		if t.kind != tPunct {
			continue
		}
		switch t.ch {
		case '(', '[', '{':
			open = append(open, int32(i))
		case ')', ']', '}':
			if n := len(open); n > 0 {
				match[i], match[open[n-1]] = open[n-1], int32(i)
				open = open[:n-1]
			}
		}
	}
	return match
}

// left returns the index of the first token of the operand that ends before
// token i, i if there is none. A region between two `?` is walked once.
func (c *container) left(i int) int {
	first := c.primaryBack(i)
	for first > 0 && first < i {
		op := first - 1
		if !c.isOperator(op) {
			break
		}
		if isQuestion(c.toks[op]) {
			return int(c.begin[op])
		}
		before := c.primaryBack(op)
		if before == op {
			if !c.isSign(op) {
				break
			}
			before = op // Unary.
		}
		first = before
	}
	return first
}

// primaryBack returns the first token of the primary expression that ends
// before token i, i if there is none: a literal, a placeholder, a dotted name,
// a call, a bracketed expression, each with its subscripts and casts.
func (c *container) primaryBack(i int) int {
	for j := i - 1; j >= 0; j-- {
		t := c.toks[j]
		if t.kind == tPunct && (t.ch == ']' || t.ch == ')') {
			k := int(c.match[j])
			if k < 0 {
				return i
			}
			j = k
			if t.ch == ']' {
				if j > 0 && c.endsOperand(j-1) {
					continue // A subscript: the subscripted expression is before it.
				}
			} else if j > 0 && c.isCallable(j-1) {
				j-- // A call, or the arguments of a type.
			}
		} else if !c.isValue(j) {
			return i
		}
		for j > 1 && c.isPunct(j-1, '.') && c.isName(j-2) {
			j -= 2
		}
		if j > 0 && c.isOp(j-1, "::") {
			j--
			continue // A cast: what is cast is before it.
		}
		return j
	}
	return i
}

// right returns the index of the last token of the operand that begins after
// token i, i if there is none.
func (c *container) right(i int) int {
	last := c.primaryNext(i)
	if last == i {
		return i
	}
	for op := last + 1; op < len(c.toks) && c.isArithmetic(op); op = last + 1 {
		next := c.primaryNext(op)
		if next == op {
			break
		}
		last = next
	}
	return last
}

// primaryNext returns the last token of the primary expression after token i,
// i if there is none.
func (c *container) primaryNext(i int) int {
	j := i + 1
	for j < len(c.toks) && c.isSign(j) {
		j++
	}
	if j >= len(c.toks) {
		return i
	}
	switch {
	case c.isPunct(j, '(') || c.isPunct(j, '['):
		if j = int(c.match[j]); j < 0 {
			return i
		}
	case c.isCallable(j):
		for j+2 < len(c.toks) && c.isPunct(j+1, '.') && c.isName(j+2) {
			j += 2
		}
		if j+1 < len(c.toks) && c.isPunct(j+1, '(') && c.match[j+1] >= 0 {
			j = int(c.match[j+1])
		}
	case !c.isValue(j):
		return i
	}
	return c.suffixes(j)
}

// suffixes returns the last token of the subscripts and casts after token j.
func (c *container) suffixes(j int) int {
	for j+1 < len(c.toks) {
		switch {
		case c.isPunct(j+1, '[') && c.match[j+1] >= 0:
			j = int(c.match[j+1])
		case c.isOp(j+1, "::") && j+2 < len(c.toks) && c.isName(j+2):
			j += 2
			if j+1 < len(c.toks) && c.isPunct(j+1, '(') && c.match[j+1] >= 0 {
				j = int(c.match[j+1])
			}
		default:
			return j
		}
	}
	return j
}

func (c *container) text(i int) string { return c.src[c.toks[i].pos:c.toks[i].end] }

func (c *container) isPunct(i int, ch byte) bool {
	return c.toks[i].kind == tPunct && c.toks[i].ch == ch
}

func (c *container) isOp(i int, op string) bool { return c.toks[i].kind == tOp && c.text(i) == op }

func (c *container) isSign(i int) bool { return c.isOp(i, "-") || c.isOp(i, "+") }

// isOperator reports whether token i binds at least as tightly as `?`.
func (c *container) isOperator(i int) bool {
	if c.toks[i].kind != tOp {
		return false
	}
	switch c.text(i) {
	case "=", "<", ">", "<=", ">=", "<>", "!=", "==", ":=", "=>", "::":
		return false
	}
	return true
}

// isArithmetic reports whether token i binds more tightly than `?`.
func (c *container) isArithmetic(i int) bool {
	if c.toks[i].kind != tOp {
		return false
	}
	switch c.text(i) {
	case "+", "-", "*", "/", "%", "^", "//", "**":
		return true
	}
	return false
}

// isName reports whether token i can name a column or function.
func (c *container) isName(i int) bool {
	switch c.toks[i].kind {
	case tQuoted, tBacktick:
		return true
	case tWord:
		return !IsReserved(c.text(i)) || c.isDotted(i)
	}
	return false
}

// isDotted reports whether the word that is token i is part of a dotted name.
func (c *container) isDotted(i int) bool {
	return i > 0 && isDot(c.toks[i-1]) || opensName(c.src, c.toks, i)
}

// isCallable reports whether token i can name what stands before arguments in
// parentheses.
func (c *container) isCallable(i int) bool {
	if c.isName(i) {
		return true
	}
	w := c.text(i)
	return isWord(w, "CAST") || isWord(w, "LEFT") || isWord(w, "RIGHT")
}

// isValue reports whether token i alone is an operand.
func (c *container) isValue(i int) bool {
	switch c.toks[i].kind {
	case tString, tEscape, tDollar, tHex, tHexNumber, tNumber, tParam:
		return true
	case tWord:
		w := c.text(i)
		return !IsReserved(w) || c.isDotted(i) || isWord(w, "NULL") || isWord(w, "TRUE") || isWord(w, "FALSE")
	}
	return c.isName(i)
}

// endsOperand reports whether an operand can end with token i.
func (c *container) endsOperand(i int) bool {
	return c.isValue(i) || c.isPunct(i, ')') || c.isPunct(i, ']')
}
