package subscribe

import (
	"strconv"
	"strings"

	"github.com/kalamlake/kalam"
)

// Expr is an expression over one row, built from the WHERE clause of a live
// query. What SQL has beyond these nodes has no Expr: its maker uses an Evaluator
// instead.
type Expr interface {
	// appendKey appends a text that is equal for expressions that mean the same
	// and different for others.
	appendKey(dst []byte) []byte
}

// And is true when all Args are; an empty one is true.
type And struct{ Args []Expr }

// Or is true when one of Args is; an empty one is false.
type Or struct{ Args []Expr }

// Not is NOT Arg.
type Not struct{ Arg Expr }

// CompareOp is the operator of a Compare.
type CompareOp uint8

// The comparison operators. IsDistinct and IsNotDistinct treat NULL as a value;
// IS TRUE and IS FALSE are IsNotDistinct with a BOOLEAN.
const (
	Equal CompareOp = iota
	NotEqual
	Less
	LessOrEqual
	Greater
	GreaterOrEqual
	IsDistinct
	IsNotDistinct
)

// Compare is Left Op Right.
type Compare struct {
	Op          CompareOp
	Left, Right Expr
}

// Like is Arg LIKE Pattern, or ILIKE when Insensitive. Escape is the character of
// the ESCAPE clause, empty for none.
type Like struct {
	Arg, Pattern Expr
	Escape       string
	Insensitive  bool
}

// In is Arg IN (List).
type In struct {
	Arg  Expr
	List []Expr
}

// Between is Arg BETWEEN Low AND High.
type Between struct{ Arg, Low, High Expr }

// IsNull is Arg IS NULL.
type IsNull struct{ Arg Expr }

// Case is CASE WHEN ... THEN ... ELSE ... END; a nil Else is NULL.
type Case struct {
	Whens []When
	Else  Expr
}

// When is one branch of a Case.
type When struct{ Cond, Then Expr }

// Column is a column of the table, or _seq, _deleted or _updated, by its name in
// any case.
type Column struct{ Name string }

// Const is a literal. A TEXT is a string literal, which takes the type of what it
// is compared with, as in SQL.
type Const struct{ Value kalam.Value }

// CurrentUser is CURRENT_USER(): the id of the subscription's user as TEXT.
type CurrentUser struct{}

// CurrentRole is CURRENT_ROLE(): the name of the subscription's role as TEXT.
type CurrentRole struct{}

func (e And) appendKey(dst []byte) []byte { return appendList(append(dst, "and"...), e.Args) }

func (e Or) appendKey(dst []byte) []byte { return appendList(append(dst, "or"...), e.Args) }

func (e Not) appendKey(dst []byte) []byte { return appendList(append(dst, "not"...), []Expr{e.Arg}) }

func (e Compare) appendKey(dst []byte) []byte {
	dst = append(dst, "cmp"...)
	dst = append(dst, '0'+byte(e.Op))
	return appendList(dst, []Expr{e.Left, e.Right})
}

func (e Like) appendKey(dst []byte) []byte {
	if e.Insensitive {
		dst = append(dst, 'i')
	}
	dst = strconv.AppendQuote(append(dst, "like"...), e.Escape)
	return appendList(dst, []Expr{e.Arg, e.Pattern})
}

func (e In) appendKey(dst []byte) []byte {
	return appendList(append(dst, "in"...), append([]Expr{e.Arg}, e.List...))
}

func (e Between) appendKey(dst []byte) []byte {
	return appendList(append(dst, "between"...), []Expr{e.Arg, e.Low, e.High})
}

func (e IsNull) appendKey(dst []byte) []byte {
	return appendList(append(dst, "isnull"...), []Expr{e.Arg})
}

func (e Case) appendKey(dst []byte) []byte {
	var args []Expr
	for _, w := range e.Whens {
		args = append(args, w.Cond, w.Then)
	}
	if e.Else != nil {
		args = append(args, e.Else)
	}
	return appendList(append(dst, "case"...), args)
}

func (e Column) appendKey(dst []byte) []byte {
	return strconv.AppendQuote(append(dst, "col"...), strings.ToLower(e.Name))
}

func (e Const) appendKey(dst []byte) []byte {
	dst = strconv.AppendUint(append(dst, "const"...), uint64(e.Value.Kind()), 10)
	hi, lo, scale := e.Value.Decimal() // all bits of every kind that is not text
	dst = strconv.AppendInt(append(dst, ':'), hi, 16)
	dst = strconv.AppendUint(append(dst, ':'), lo, 16)
	dst = strconv.AppendUint(append(dst, ':'), uint64(scale), 10)
	return strconv.AppendQuote(dst, e.Value.Str())
}

func (e CurrentUser) appendKey(dst []byte) []byte { return append(dst, "user"...) }

func (e CurrentRole) appendKey(dst []byte) []byte { return append(dst, "role"...) }

// appendList appends the keys of args in parentheses.
func appendList(dst []byte, args []Expr) []byte {
	dst = append(dst, '(')
	for i, a := range args {
		if i > 0 {
			dst = append(dst, ',')
		}
		if a == nil {
			dst = append(dst, "nil"...)
			continue
		}
		dst = a.appendKey(dst)
	}
	return append(dst, ')')
}
