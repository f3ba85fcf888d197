package dialect

import (
	"strings"
)

// watch notices, token by token, whether raw SQL needs a rewrite.
type watch struct {
	needed bool
	limit  uint8    // 1 after LIMIT, 2 after LIMIT n, 3 after LIMIT n,
	last   [3]token // The tokens before, the nearest first.
}

func (w *watch) see(src string, t token) {
	switch t.kind {
	case tBacktick, tHex, tHexNumber:
		w.needed = true
	case tString, tEscape, tDollar:
		s := src[t.pos:t.end]
		if strings.IndexByte(s, 0) >= 0 || t.kind == tEscape && strings.IndexByte(s, '\\') >= 0 {
			w.needed = true
		}
	case tOp:
		w.needed = w.needed || isQuestion(t) || isArrow(src, t) || isStar(t) && isDot(w.last[0]) && isDot(w.last[2])
	case tWord:
		w.needed = w.needed || t.end-t.pos == 2 && wordIn(src[t.pos:t.end], softWords)
	case tPunct:
		w.needed = w.needed || isDot(t) && !isDot(w.last[1]) && isKeyword(src, w.last[0])
	}
	w.last[0], w.last[1], w.last[2] = t, w.last[0], w.last[1]
	w.limit = limitState(w.limit, src, t)
	if w.limit == 4 {
		w.needed = true
	}
}

// limitState follows the tokens of LIMIT n, m; 4 means that t is m.
func limitState(state uint8, src string, t token) uint8 {
	value := t.kind == tNumber && classOf(t.ch) == cDigit || t.kind == tParam
	switch {
	case t.kind == tWord && isWord(src[t.pos:t.end], "LIMIT"):
		return 1
	case state == 1 && value:
		return 2
	case state == 2 && t.kind == tPunct && t.ch == ',':
		return 3
	case state == 3 && value:
		return 4
	}
	return 0
}

// isStar reports whether t is the operator `*`.
func isStar(t token) bool { return t.kind == tOp && t.ch == '*' && t.end == t.pos+1 }

// starQualifier returns the index of the last part of the name that begins with
// token i and qualifies a star, as in ns.t.*; i if it has one part or there is none.
func starQualifier(toks []token, i int) int {
	isName := func(i int) bool {
		return i < len(toks) && (toks[i].kind == tWord || toks[i].kind == tQuoted || toks[i].kind == tBacktick)
	}
	if i > 0 && isDot(toks[i-1]) {
		return i
	}
	last := i
	for isName(last) && last+2 < len(toks) && isDot(toks[last+1]) {
		if isStar(toks[last+2]) {
			return last
		}
		last += 2
	}
	return i
}

// starName appends the edit that makes one name of ns.t before a star, tokens i to
// last: DuckDB's grammar takes no more. Package query takes it apart.
func starName(e Edits, src string, toks []token, i, last int) Edits {
	var parts []string
	for k := i; k <= last; k += 2 {
		part := src[toks[k].pos:toks[k].end]
		if toks[k].kind == tWord {
			part = fold(part)
		} else {
			part = unquoteIdent(part)
		}
		parts = append(parts, part)
	}
	name := QuoteIdent(strings.Join(parts, "."))
	return append(e, edit{start: toks[i].pos, end: toks[last].end, text: name, from: toks[i].pos})
}

// isKeyword reports whether t is a word that DuckDB does not read as a name, not
// even before a dot. END is none there: it ends a CASE, and what is after the dot
// is a field or method of its value.
func isKeyword(src string, t token) bool {
	return t.kind == tWord && IsReserved(src[t.pos:t.end]) && !isWord(src[t.pos:t.end], "END")
}

// opensName reports whether token i is the first part of a dotted name and a
// keyword, as in default.t. After a dot DuckDB takes every word for a name.
func opensName(src string, toks []token, i int) bool {
	return i+1 < len(toks) && isDot(toks[i+1]) && isKeyword(src, toks[i]) && (i == 0 || !isDot(toks[i-1]))
}

// rewrite returns the edits that turn src[start:end] into SQL that DuckDB
// reads in the meaning of this dialect: `name` becomes "name", default.t becomes
// "default".t and likewise every keyword before a dot, ns.t.* "ns.t".*, LIMIT n, m
// becomes LIMIT m OFFSET n, a ? b becomes json_contains(a, b), a -> b (a -> b), hexadecimal
// literals become BLOB literals, and strings are spelled so that DuckDB takes
// them. The range has been lexed without error.
func rewrite(src string, start, end int) (Edits, error) {
	toks := tokens(src, start, end)
	calls, err := jsonOperators(src, toks)
	if err != nil {
		return nil, err
	}
	var e Edits
	var limit uint8
	skip := -1               // The last token that starName has done.
	for i, t := range toks { // In the order of the source, as apply and Origin want it.
		if limit = limitState(limit, src, t); limit == 4 {
			n := toks[i-2]
			e = append(e,
				edit{start: n.pos, end: n.end, text: src[t.pos:t.end], from: t.pos},
				edit{start: toks[i-1].pos, end: t.pos, text: " OFFSET ", from: n.pos})
		}
		e = calls.begin(e, src, toks, i)
		if limit == 4 {
			n := toks[i-2]
			e = append(e, edit{start: t.pos, end: t.end, text: src[n.pos:n.end], from: n.pos})
		} else if last := starQualifier(toks, i); last > i {
			e, skip = starName(e, src, toks, i, last), last
		} else if i <= skip {
			continue
		} else if e, err = respell(e, src, toks, i); err != nil {
			return nil, err
		}
		e = calls.end(e, toks, i)
	}
	return e, nil
}

// tokens lexes src[start:end].
func tokens(src string, start, end int) []token {
	var out []token
	l := lexerAt(src[:end], start)
	for {
		t := l.next()
		if t.kind == tEOF || t.kind == tError {
			return out
		}
		out = append(out, t)
	}
}

// backtick appends the edits that turn `name` into "name", byte by byte where
// the length stays the same.
func backtick(e Edits, src string, t token) Edits {
	e = append(e, edit{start: t.pos, end: t.pos + 1, text: `"`, from: t.pos})
	for i := t.pos + 1; i < t.end-1; i++ {
		switch src[i] {
		case '`':
			e = append(e, edit{start: i, end: i + 2, text: "`", from: i})
			i++
		case '"':
			e = append(e, edit{start: i, end: i + 1, text: `""`, from: i})
		}
	}
	return append(e, edit{start: t.end - 1, end: t.end, text: `"`, from: t.end - 1})
}

// respell appends the edit of token number i if DuckDB does not take it as it is.
func respell(e Edits, src string, toks []token, i int) (Edits, error) {
	t := toks[i]
	var out, word string
	var err error
	switch t.kind {
	case tBacktick:
		return backtick(e, src, t), nil
	case tWord:
		if opensName(src, toks, i) || softName(src, toks, i) {
			word = src[t.pos:t.end]
			out = QuoteIdent(fold(word))
			if t.pos > 0 && src[t.pos-1] == '&' {
				out = " " + out // U&"..." would be one name.
			}
		}
	case tHex, tHexNumber:
		value, bad := hexText(src[t.pos:t.end])
		if bad != "" {
			return nil, syntaxError(t.pos, "Syntax error: %s", bad)
		}
		out = blobLiteral(value)
	case tString, tEscape, tDollar:
		if out, err = respellString(src, t); err != nil {
			return nil, err
		}
	}
	if out == "" {
		return e, nil
	}
	// The text must not run into its neighbours: 'a'E'b' must not become 'a''b',
	// which is one string, as are 'a' and 'b' in two lines, nor X'00'c a type.
	if i > 0 && out[0] == '\'' && endsWithQuote(toks[i-1]) {
		out = "(" + out + ")"
	}
	if t.end < len(src) && isWordByte(src[t.end]) {
		out += " "
	}
	return append(e, edit{start: t.pos, end: t.end, text: out, from: t.pos, word: word}), nil
}

func endsWithQuote(t token) bool { return t.kind == tString || t.kind == tEscape || t.kind == tHex }

// respellString returns the spelling of a string with a NUL byte, which DuckDB's
// parser takes for the end of the text, or of an escape string, whose \u it does
// not know; "" for any other.
func respellString(src string, t token) (string, error) {
	s := src[t.pos:t.end]
	if strings.IndexByte(s, 0) < 0 && (t.kind != tEscape || strings.IndexByte(s, '\\') < 0) {
		return "", nil
	}
	l := newLexer(src)
	value, bad := l.text(t)
	if bad != "" {
		return "", syntaxError(t.pos, "Syntax error: %s", bad)
	}
	if strings.IndexByte(value, 0) < 0 {
		return QuoteString(value), nil
	}
	return "(" + strings.ReplaceAll(QuoteString(value), "\x00", "' || chr(0) || '") + ")", nil
}

// blobLiteral returns DuckDB's spelling of a BLOB.
func blobLiteral(bytes string) string {
	const digits = "0123456789ABCDEF"
	out := make([]byte, 0, 4*len(bytes)+len("''::BLOB"))
	out = append(out, '\'')
	for i := 0; i < len(bytes); i++ {
		out = append(out, '\\', 'x', digits[bytes[i]>>4], digits[bytes[i]&15])
	}
	return string(append(out, "'::BLOB"...))
}
