package sqltext

import (
	"strconv"
	"strings"
)

// MapParams returns sql with the number of each placeholder $n replaced by
// f(n). It leaves text that does not lex as it is from the flaw on. Engines use
// it to put pieces of raw SQL together into one query.
func MapParams(sql string, f func(n int) int) string {
	if strings.IndexByte(sql, '$') < 0 {
		return sql
	}
	var b strings.Builder
	at := 0
	for l := NewLexer(sql); ; {
		t := l.Next()
		if t.Kind == EOF || t.Kind == Invalid {
			break
		}
		if t.Kind != Param {
			continue
		}
		n, ok := ParamNumber(sql[t.Pos:t.End])
		if !ok {
			continue
		}
		b.WriteString(sql[at : t.Pos+1])
		b.WriteString(strconv.Itoa(f(n)))
		at = t.End
	}
	if at == 0 {
		return sql
	}
	b.WriteString(sql[at:])
	return b.String()
}

// maxParam is the largest number of a placeholder.
const maxParam = 65535

// ParamNumber returns the number of "$12"; ok is false outside 1..maxParam.
func ParamNumber(s string) (n int, ok bool) {
	for i := 1; i < len(s); i++ {
		if n = n*10 + int(s[i]-'0'); n > maxParam {
			return 0, false
		}
	}
	return n, n >= 1
}
