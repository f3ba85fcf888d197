package spelling

import (
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/sqltext"
)

// Watch notices, token by token, whether raw SQL needs a rewrite.
type Watch struct {
	Needed bool             // Rewrite has something to do.
	limit  uint8            // 1 after LIMIT, 2 after LIMIT n, 3 after LIMIT n,
	last   [3]sqltext.Token // The tokens before, the nearest first.
}

// See takes the next token of src, in their order.
func (w *Watch) See(src string, t sqltext.Token) {
	switch t.Kind {
	case sqltext.Backtick, sqltext.Hex, sqltext.HexNumber:
		w.Needed = true
	case sqltext.String, sqltext.Escape, sqltext.Dollar:
		s := src[t.Pos:t.End]
		if strings.IndexByte(s, 0) >= 0 || t.Kind == sqltext.Escape && strings.IndexByte(s, '\\') >= 0 {
			w.Needed = true
		}
	case sqltext.Op:
		w.Needed = w.Needed || isQuestion(t) || isArrow(src, t) || isStar(t) &&
			sqltext.IsDot(w.last[0]) && sqltext.IsDot(w.last[2])
	case sqltext.Word:
		w.Needed = w.Needed || t.End-t.Pos == 2 && sqltext.WordIn(src[t.Pos:t.End], SoftWords)
	case sqltext.Punct:
		w.Needed = w.Needed || sqltext.IsDot(t) && !sqltext.IsDot(w.last[1]) && isKeyword(src, w.last[0])
	}
	w.last[0], w.last[1], w.last[2] = t, w.last[0], w.last[1]
	w.limit = limitState(w.limit, src, t)
	if w.limit == 4 {
		w.Needed = true
	}
}

// limitState follows the tokens of LIMIT n, m; 4 means that t is m.
func limitState(state uint8, src string, t sqltext.Token) uint8 {
	value := t.Kind == sqltext.Number && sqltext.ClassOf(t.Ch) == sqltext.ClassDigit || t.Kind == sqltext.Param
	switch {
	case t.Kind == sqltext.Word && sqltext.IsWord(src[t.Pos:t.End], "LIMIT"):
		return 1
	case state == 1 && value:
		return 2
	case state == 2 && t.Kind == sqltext.Punct && t.Ch == ',':
		return 3
	case state == 3 && value:
		return 4
	}
	return 0
}

// starQualifier returns the index of the last part of the name that begins with
// token i and qualifies a star, as in ns.t.*; i if it has one part or there is none.
func starQualifier(toks []sqltext.Token, i int) int {
	isName := func(i int) bool {
		return i < len(toks) && (toks[i].Kind == sqltext.Word || toks[i].Kind == sqltext.Quoted ||
			toks[i].Kind == sqltext.Backtick)
	}
	if i > 0 && sqltext.IsDot(toks[i-1]) {
		return i
	}
	last := i
	for isName(last) && last+2 < len(toks) && sqltext.IsDot(toks[last+1]) {
		if isStar(toks[last+2]) {
			return last
		}
		last += 2
	}
	return i
}

// starName appends the edit that makes one name of ns.t before a star, tokens i to
// last: DuckDB's grammar takes no more. Package query takes it apart.
func starName(e sqltext.Edits, src string, toks []sqltext.Token, i, last int) sqltext.Edits {
	var parts []string
	for k := i; k <= last; k += 2 {
		part := src[toks[k].Pos:toks[k].End]
		if toks[k].Kind == sqltext.Word {
			part = sqltext.Fold(part)
		} else {
			part = sqltext.UnquoteIdent(part)
		}
		parts = append(parts, part)
	}
	name := sqltext.QuoteIdent(strings.Join(parts, "."))
	return append(e, sqltext.Edit{Start: toks[i].Pos, End: toks[last].End, Text: name, From: toks[i].Pos})
}

// Rewrite returns the edits that turn src[start:end] into SQL that DuckDB
// reads in the meaning of this dialect: `name` becomes "name", default.t becomes
// "default".t and likewise every keyword before a dot, ns.t.* "ns.t".*, LIMIT n, m
// becomes LIMIT m OFFSET n, a ? b becomes json_contains(a, b), a -> b (a -> b), hexadecimal
// literals become BLOB literals, and strings are spelled so that DuckDB takes
// them. The range has been lexed without error.
func Rewrite(src string, start, end int) (sqltext.Edits, error) {
	toks := tokens(src, start, end)
	calls, err := jsonOperators(src, toks)
	if err != nil {
		return nil, err
	}
	var e sqltext.Edits
	var limit uint8
	skip := -1               // The last token that starName has done.
	for i, t := range toks { // In the order of the source, as apply and Origin want it.
		if limit = limitState(limit, src, t); limit == 4 {
			n := toks[i-2]
			e = append(e,
				sqltext.Edit{Start: n.Pos, End: n.End, Text: src[t.Pos:t.End], From: t.Pos},
				sqltext.Edit{Start: toks[i-1].Pos, End: t.Pos, Text: " OFFSET ", From: n.Pos})
		}
		e = calls.begin(e, src, toks, i)
		if limit == 4 {
			n := toks[i-2]
			e = append(e, sqltext.Edit{Start: t.Pos, End: t.End, Text: src[n.Pos:n.End], From: n.Pos})
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

// backtick appends the edits that turn `name` into "name", byte by byte where
// the length stays the same.
func backtick(e sqltext.Edits, src string, t sqltext.Token) sqltext.Edits {
	e = append(e, sqltext.Edit{Start: t.Pos, End: t.Pos + 1, Text: `"`, From: t.Pos})
	for i := t.Pos + 1; i < t.End-1; i++ {
		switch src[i] {
		case '`':
			e = append(e, sqltext.Edit{Start: i, End: i + 2, Text: "`", From: i})
			i++
		case '"':
			e = append(e, sqltext.Edit{Start: i, End: i + 1, Text: `""`, From: i})
		}
	}
	return append(e, sqltext.Edit{Start: t.End - 1, End: t.End, Text: `"`, From: t.End - 1})
}

// respell appends the edit of token number i if DuckDB does not take it as it is.
func respell(e sqltext.Edits, src string, toks []sqltext.Token, i int) (sqltext.Edits, error) {
	t := toks[i]
	var out, word string
	var err error
	switch t.Kind {
	case sqltext.Backtick:
		return backtick(e, src, t), nil
	case sqltext.Word:
		if opensName(src, toks, i) || softName(src, toks, i) {
			word = src[t.Pos:t.End]
			out = sqltext.QuoteIdent(sqltext.Fold(word))
			if t.Pos > 0 && src[t.Pos-1] == '&' {
				out = " " + out // U&"..." would be one name.
			}
		}
	case sqltext.Hex, sqltext.HexNumber:
		value, bad := sqltext.HexText(src[t.Pos:t.End])
		if bad != "" {
			return nil, kalam.Errorf(kalam.CodeInvalidSQL, "Syntax error: %s", bad).At(t.Pos)
		}
		out = blobLiteral(value)
	case sqltext.String, sqltext.Escape, sqltext.Dollar:
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
	if t.End < len(src) && sqltext.IsWordByte(src[t.End]) {
		out += " "
	}
	return append(e, sqltext.Edit{Start: t.Pos, End: t.End, Text: out, From: t.Pos, Word: word}), nil
}

// respellString returns the spelling of a string with a NUL byte, which DuckDB's
// parser takes for the end of the text, or of an escape string, whose \u it does
// not know; "" for any other.
func respellString(src string, t sqltext.Token) (string, error) {
	s := src[t.Pos:t.End]
	if strings.IndexByte(s, 0) < 0 && (t.Kind != sqltext.Escape || strings.IndexByte(s, '\\') < 0) {
		return "", nil
	}
	l := sqltext.NewLexer(src)
	value, bad := l.Text(t)
	if bad != "" {
		return "", kalam.Errorf(kalam.CodeInvalidSQL, "Syntax error: %s", bad).At(t.Pos)
	}
	if strings.IndexByte(value, 0) < 0 {
		return sqltext.QuoteString(value), nil
	}
	return "(" + strings.ReplaceAll(sqltext.QuoteString(value), "\x00", "' || chr(0) || '") + ")", nil
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
