package policy

import (
	"fmt"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/sqltext"
	"github.com/kalamlake/kalam/subscribe"
)

// writer writes an expression for DuckDB.
type writer struct {
	user    kalam.UserID
	role    kalam.Role
	text    strings.Builder
	columns []string
	err     error
}

// compareOps are the operators of comparisons.
var compareOps = map[subscribe.CompareOp]string{
	subscribe.Equal: "=", subscribe.NotEqual: "<>", subscribe.Less: "<", subscribe.LessOrEqual: "<=",
	subscribe.Greater: ">", subscribe.GreaterOrEqual: ">=", subscribe.IsDistinct: "IS DISTINCT FROM",
	subscribe.IsNotDistinct: "IS NOT DISTINCT FROM",
}

func (w *writer) expr(e subscribe.Expr) {
	switch e := e.(type) {
	case subscribe.And:
		w.list(e.Args, " AND ", "TRUE")
	case subscribe.Or:
		w.list(e.Args, " OR ", "FALSE")
	case subscribe.Not:
		w.parts("(NOT ", e.Arg, ")")
	case subscribe.Compare:
		w.parts("(", e.Left, " "+compareOps[e.Op]+" ", e.Right, ")")
	case subscribe.Like:
		w.like(e)
	case subscribe.In:
		w.parts("(", e.Arg, " IN ")
		w.list(e.List, ", ", "NULL")
		w.parts(")")
	case subscribe.Between:
		w.parts("(", e.Arg, " BETWEEN ", e.Low, " AND ", e.High, ")")
	case subscribe.IsNull:
		w.parts("(", e.Arg, " IS NULL)")
	case subscribe.Case:
		w.caseOf(e)
	case subscribe.Column:
		name := strings.ToLower(e.Name)
		w.columns = append(w.columns, name)
		w.parts(sqltext.QuoteIdent(name))
	case subscribe.Const:
		w.constant(e.Value)
	case subscribe.CurrentUser:
		w.parts("CAST(" + sqltext.QuoteString(string(w.user)) + " AS VARCHAR)")
	case subscribe.CurrentRole:
		w.parts("CAST(" + sqltext.QuoteString(w.role.String()) + " AS VARCHAR)")
	default:
		w.fail("an expression %T", e)
	}
}

// parts writes texts and expressions.
func (w *writer) parts(parts ...any) {
	for _, p := range parts {
		if s, ok := p.(string); ok {
			w.text.WriteString(s)
		} else if e, ok := p.(subscribe.Expr); ok {
			w.expr(e)
		} else {
			w.fail("a part %T", p)
		}
	}
}

func (w *writer) list(args []subscribe.Expr, between, none string) {
	w.text.WriteString("(")
	if len(args) == 0 {
		w.text.WriteString(none)
	}
	for i, a := range args {
		if i > 0 {
			w.text.WriteString(between)
		}
		w.expr(a)
	}
	w.text.WriteString(")")
}

func (w *writer) like(e subscribe.Like) {
	op := " LIKE "
	if e.Insensitive {
		op = " ILIKE "
	}
	w.parts("(", e.Arg, op, e.Pattern)
	if e.Escape != "" {
		w.parts(" ESCAPE " + sqltext.QuoteString(e.Escape))
	}
	w.parts(")")
}

func (w *writer) caseOf(e subscribe.Case) {
	w.parts("(CASE")
	for _, x := range e.Whens {
		w.parts(" WHEN ", x.Cond, " THEN ", x.Then)
	}
	if e.Else != nil {
		w.parts(" ELSE ", e.Else)
	}
	w.parts(" END)")
}

// constant writes a literal of the type that the condition had. A string stays one that takes the type of what it
// meets.
func (w *writer) constant(v kalam.Value) {
	switch k := v.Kind(); {
	case v.IsNull():
		w.parts("NULL")
	case k == kalam.KindBoolean && v.Bool():
		w.parts("TRUE")
	case k == kalam.KindBoolean:
		w.parts("FALSE")
	case k == kalam.KindText:
		w.parts(sqltext.QuoteString(v.Str()))
	case k.IsInteger():
		w.parts(fmt.Sprintf("(%d)", v.Int()))
	case k == kalam.KindDecimal, k == kalam.KindDate, k == kalam.KindTimestamp, k == kalam.KindDouble:
		text, err := datatype.Cast(kalam.TypeOf(kalam.KindText), v)
		if err != nil {
			w.fail("a constant of type %s", k)
			return
		}
		switch k {
		case kalam.KindDecimal:
			w.parts("(" + text.Str() + ")")
		case kalam.KindDouble:
			w.parts("CAST(" + sqltext.QuoteString(text.Str()) + " AS DOUBLE)")
		default:
			w.parts(k.String() + " " + sqltext.QuoteString(text.Str()))
		}
	default:
		w.fail("a constant of type %s", k)
	}
}

func (w *writer) fail(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf("%w: "+format, append([]any{subscribe.ErrNotCompilable}, args...)...)
	}
}
