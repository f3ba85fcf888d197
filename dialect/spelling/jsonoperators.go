package spelling

import (
	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/sqltext"
)

// DuckDB has no parser for the JSON operator `a ? b`, whose sign is a placeholder
// there, and gives `a -> b` and `a ->> b` the weakest precedence of all, since an
// arrow is a lambda's too: title = j->>'t' is (title = j)->>'t'. Both are written
// anew on tokens: `a ? b` becomes json_contains(a, b), the arrows get brackets.
// Operands are found by PostgreSQL's rules for its class of JSON operators, which
// bind looser than arithmetic, tighter than comparisons, and to the left; only the
// arrows bind tighter than `||` here, so that 'p' || j->>'t' is what it looks like.

// calls says where the edits of the JSON operators stand. It is empty when there is
// none.
type calls struct {
	opened [][]int32 // Of each token the operators whose text begins before it, the outermost last.
	closes []int32   // Of each token 1 + the index of the operator that it ends, else 0: there is at most one.
}

// jsonOperators finds the operands of each JSON operator. A `?` that is not between
// two operands is a placeholder, which is refused; such an arrow is left to DuckDB.
func jsonOperators(src string, toks []sqltext.Token) (calls, error) {
	var out calls
	var c *operands
	for i, t := range toks {
		question, arrow := isQuestion(t), isArrow(src, t)
		if !question && !arrow {
			continue
		}
		if c == nil {
			c = &operands{src: src, toks: toks, match: brackets(toks), begin: make([]int32, len(toks)),
				lambda: map[int]bool{}}
			out = calls{make([][]int32, len(toks)), make([]int32, len(toks))}
		}
		if arrow && c.isLambda(i) {
			c.lambda[i] = true
			continue
		}
		left, right := c.left(i), c.right(i)
		if left == i || right == i {
			if arrow {
				c.lambda[i] = true // Whatever it is, nothing that we know reaches across it.
				continue
			}
			return out, kalam.Errorf(kalam.CodeInvalidSQL,
				sqltext.FlawPlaceholder+" '?'; placeholders are $1, $2, ...").At(t.Pos)
		}
		c.begin[i] = int32(left)
		if arrow && c.isAlone(left, right) {
			continue
		}
		out.opened[left] = append(out.opened[left], int32(i))
		out.closes[right] = int32(i) + 1
	}
	return out, nil
}

// isAlone reports whether the tokens first to last are all that is between two
// brackets or commas, where no operator can reach them.
func (c *operands) isAlone(first, last int) bool {
	if first == 0 || last+1 == len(c.toks) {
		return false
	}
	before := c.isPunct(first-1, '(') || c.isPunct(first-1, ',') || c.isPunct(first-1, '[')
	return before && (c.isPunct(last+1, ')') || c.isPunct(last+1, ',') || c.isPunct(last+1, ']'))
}

// isArrow reports whether t is the operator -> or ->>.
func isArrow(src string, t sqltext.Token) bool {
	return t.Kind == sqltext.Op && t.Ch == '-' && (src[t.Pos:t.End] == "->" || src[t.Pos:t.End] == "->>")
}

// lambdaCalls are the functions that take a lambda, which may be written with an
// arrow.
const lambdaCalls = " LIST_TRANSFORM ARRAY_TRANSFORM LIST_APPLY ARRAY_APPLY APPLY LIST_FILTER ARRAY_FILTER FILTER" +
	" LIST_REDUCE ARRAY_REDUCE REDUCE "

// isLambda reports whether the arrow that is token i belongs to a lambda: its
// parameters are names, and an argument of a function that takes one, but not the
// first, unless the list stands before a dot.
func (c *operands) isLambda(i int) bool {
	if c.text(i) != "->" || i < 2 {
		return false
	}
	first := i - 1
	if c.isPunct(first, ')') {
		if first = int(c.match[first]); first < 0 {
			return false
		}
	} else if !c.isName(first) {
		return false
	}
	if first == 0 {
		return false
	}
	open := c.enclosing(first)
	if open < 1 || !c.isName(open-1) || !sqltext.WordIn(c.text(open-1), lambdaCalls) {
		return false
	}
	method := open >= 2 && sqltext.IsDot(c.toks[open-2])
	return c.isPunct(first-1, ',') || method && first-1 == open
}

// enclosing returns the index of the bracket that token i is directly in, -1 if it
// is in none.
func (c *operands) enclosing(i int) int {
	for j := i - 1; j >= 0; j-- {
		if c.match[j] < 0 {
			continue
		}
		if int(c.match[j]) > j {
			return j
		}
		j = int(c.match[j])
	}
	return -1
}

// isQuestion reports whether t is the operator `?`.
func isQuestion(t sqltext.Token) bool { return t.Kind == sqltext.Op && t.Ch == '?' && t.End == t.Pos+1 }

// begin appends the edits that come before token t, which is number i, and the
// comma if it is a `?`.
func (c calls) begin(e sqltext.Edits, src string, toks []sqltext.Token, i int) sqltext.Edits {
	if len(c.opened) == 0 {
		return e
	}
	t := toks[i]
	if len(c.opened[i]) > 0 {
		text := ""
		for _, op := range c.opened[i] {
			if isQuestion(toks[op]) {
				text = "json_contains(" + text
			} else {
				text = "(" + text
			}
		}
		if t.Pos > 0 && sqltext.IsWordByte(src[t.Pos-1]) { // AND"a" ? 'k'
			text = " " + text
		}
		e = append(e, sqltext.Edit{Start: t.Pos, End: t.Pos, Text: text, From: t.Pos})
	}
	if isQuestion(t) {
		e = append(e, sqltext.Edit{Start: t.Pos, End: t.End, Text: ",", From: t.Pos})
	}
	return e
}

// end appends the edit that comes after token number i.
func (c calls) end(e sqltext.Edits, toks []sqltext.Token, i int) sqltext.Edits {
	if len(c.closes) == 0 || c.closes[i] == 0 {
		return e
	}
	return append(e, sqltext.Edit{Start: toks[i].End, End: toks[i].End, Text: ")", From: toks[c.closes[i]-1].Pos})
}

type operands struct {
	src   string
	toks  []sqltext.Token
	match []int32 // Of each bracket its partner's index, otherwise -1.
	begin []int32 // Of each operator already seen the first token of its left operand.
	// lambda are the arrows that are no JSON operators.
	lambda map[int]bool
}

// brackets pairs the brackets of toks.
func brackets(toks []sqltext.Token) []int32 {
	match := make([]int32, len(toks))
	var open []int32
	for i, t := range toks {
		match[i] = -1
		if t.Kind != sqltext.Punct {
			continue
		}
		switch t.Ch {
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

// left returns the index of the first token of the left operand of the operator
// that is token i, i if there is none. A region between two is walked once.
func (c *operands) left(i int) int {
	tight := !isQuestion(c.toks[i])
	first := c.primaryBack(i)
	for first > 0 && first < i {
		op := first - 1
		if !c.isOperator(op) || c.lambda[op] {
			break
		}
		if isQuestion(c.toks[op]) || isArrow(c.src, c.toks[op]) {
			return int(c.begin[op])
		}
		if tight && !c.isArithmetic(op) {
			break
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
func (c *operands) primaryBack(i int) int {
	for j := i - 1; j >= 0; j-- {
		t := c.toks[j]
		if c.isWordAt(j, "END") && !c.isDotted(j) {
			if k := c.caseOf(j); k >= 0 {
				return k
			}
			return i
		}
		if t.Kind == sqltext.Punct && (t.Ch == ']' || t.Ch == ')') {
			k := int(c.match[j])
			if k < 0 {
				return i
			}
			j = k
			if t.Ch == ']' {
				if j > 0 && c.endsOperand(j-1) {
					continue // A subscript: the subscripted expression is before it.
				}
			} else if j > 0 && (c.isWordAt(j-1, "OVER") || c.isWordAt(j-1, "FILTER") && j > 1 && c.isPunct(j-2, ')')) {
				j-- // What follows a call: the call is before it.
				continue
			} else if j > 0 && c.isCallable(j-1) {
				j-- // A call, or the arguments of a type.
			}
		} else if !c.isValue(j) {
			return i
		} else if endsWithQuote(t) && j > 0 && c.toks[j-1].Kind == sqltext.Word && c.isName(j-1) && !c.isDotted(j-1) {
			j-- // JSON '{}'.
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
func (c *operands) right(i int) int {
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
func (c *operands) primaryNext(i int) int {
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
	case c.isWordAt(j, "CASE") && !c.isDotted(j):
		if j = c.endOf(j); j < 0 {
			return i
		}
	case c.isCallable(j):
		for j+2 < len(c.toks) && c.isPunct(j+1, '.') && c.isName(j+2) {
			j += 2
		}
		if j+1 < len(c.toks) && c.isPunct(j+1, '(') && c.match[j+1] >= 0 {
			j = c.afterCall(int(c.match[j+1]))
		} else if j+1 < len(c.toks) && endsWithQuote(c.toks[j+1]) && c.toks[j].Kind == sqltext.Word {
			j++ // JSON '{}'.
		}
	case !c.isValue(j):
		return i
	}
	return c.suffixes(j)
}

// afterCall returns the last token of the FILTER (...) and OVER (...) or OVER name
// that follow a call, which ends with token j.
func (c *operands) afterCall(j int) int {
	if j+2 < len(c.toks) && c.isWordAt(j+1, "FILTER") && c.isPunct(j+2, '(') && c.match[j+2] >= 0 {
		j = int(c.match[j+2])
	}
	if j+2 < len(c.toks) && c.isWordAt(j+1, "OVER") {
		if c.isPunct(j+2, '(') && c.match[j+2] >= 0 {
			return int(c.match[j+2])
		}
		if c.isName(j + 2) {
			return j + 2
		}
	}
	return j
}

// caseOf returns the CASE that token j, an END, ends; -1 if there is none.
func (c *operands) caseOf(j int) int {
	for depth, k := 0, j; k >= 0; k-- {
		switch {
		case c.match[k] >= 0 && int(c.match[k]) < k:
			k = int(c.match[k])
		case c.isDotted(k):
		case c.isWordAt(k, "END"):
			depth++
		case c.isWordAt(k, "CASE"):
			if depth--; depth == 0 {
				return k
			}
		}
	}
	return -1
}

// endOf returns the END of the CASE that is token j; -1 if there is none.
func (c *operands) endOf(j int) int {
	for depth, k := 0, j; k < len(c.toks); k++ {
		switch {
		case c.match[k] > int32(k):
			k = int(c.match[k])
		case c.isDotted(k):
		case c.isWordAt(k, "CASE"):
			depth++
		case c.isWordAt(k, "END"):
			if depth--; depth == 0 {
				return k
			}
		}
	}
	return -1
}

func (c *operands) isWordAt(i int, w string) bool {
	return c.toks[i].Kind == sqltext.Word && sqltext.IsWord(c.text(i), w)
}

// suffixes returns the last token of the subscripts and casts after token j.
func (c *operands) suffixes(j int) int {
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

func (c *operands) text(i int) string { return c.src[c.toks[i].Pos:c.toks[i].End] }

func (c *operands) isPunct(i int, ch byte) bool {
	return c.toks[i].Kind == sqltext.Punct && c.toks[i].Ch == ch
}

func (c *operands) isOp(i int, op string) bool {
	return c.toks[i].Kind == sqltext.Op && c.text(i) == op
}

func (c *operands) isSign(i int) bool { return c.isOp(i, "-") || c.isOp(i, "+") }

// isOperator reports whether token i binds at least as tightly as `?`.
func (c *operands) isOperator(i int) bool {
	if c.toks[i].Kind != sqltext.Op {
		return false
	}
	switch c.text(i) {
	case "=", "<", ">", "<=", ">=", "<>", "!=", "==", ":=", "=>", "::":
		return false
	}
	return true
}

// isArithmetic reports whether token i binds more tightly than `?`.
func (c *operands) isArithmetic(i int) bool {
	if c.toks[i].Kind != sqltext.Op {
		return false
	}
	switch c.text(i) {
	case "+", "-", "*", "/", "%", "^", "//", "**":
		return true
	}
	return false
}

// isName reports whether token i can name a column or function.
func (c *operands) isName(i int) bool {
	switch c.toks[i].Kind {
	case sqltext.Quoted, sqltext.Backtick:
		return true
	case sqltext.Word:
		return !sqltext.IsReserved(c.text(i)) || c.isDotted(i)
	}
	return false
}

// isDotted reports whether the word that is token i is part of a dotted name.
func (c *operands) isDotted(i int) bool {
	return i > 0 && sqltext.IsDot(c.toks[i-1]) || opensName(c.src, c.toks, i)
}

// isCallable reports whether token i can name what stands before arguments in
// parentheses.
func (c *operands) isCallable(i int) bool {
	if c.isName(i) {
		return true
	}
	w := c.text(i)
	return sqltext.IsWord(w, "CAST") || sqltext.IsWord(w, "LEFT") || sqltext.IsWord(w, "RIGHT")
}

// isValue reports whether token i alone is an operand.
func (c *operands) isValue(i int) bool {
	switch c.toks[i].Kind {
	case sqltext.String, sqltext.Escape, sqltext.Dollar, sqltext.Hex, sqltext.HexNumber, sqltext.Number, sqltext.Param:
		return true
	case sqltext.Word:
		w := c.text(i)
		return !sqltext.IsReserved(w) || c.isDotted(i) || sqltext.IsWord(w, "NULL") ||
			sqltext.IsWord(w, "TRUE") || sqltext.IsWord(w, "FALSE")
	}
	return c.isName(i)
}

// endsOperand reports whether an operand can end with token i.
func (c *operands) endsOperand(i int) bool {
	return c.isValue(i) || c.isPunct(i, ')') || c.isPunct(i, ']')
}
