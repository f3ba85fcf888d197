package subscribe

import (
	"errors"
	"fmt"

	"github.com/kalamlake/kalam"
)

// ErrNotCompilable is returned by Compile for an expression that only an
// Evaluator can decide: Compile refuses wherever its answer might differ from
// DuckDB's.
var ErrNotCompilable = errors.New("the expression needs an evaluator")

// notCompilable says why.
func notCompilable(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrNotCompilable}, args...)...)
}

// Filter decides whether a row of one table belongs to a live query. It is
// immutable and safe for concurrent use.
type Filter struct {
	key     string
	match   predicate // nil: all rows
	deleted bool
}

// Key returns a text that is equal for filters of one table that decide alike.
func (f *Filter) Key() string { return f.key }

// NamesDeleted reports whether the filter names _deleted.
func (f *Filter) NamesDeleted() bool { return f.deleted }

// Match reports whether the filter is true for the row version vals, the values
// of the table's columns in order and of their types.
func (f *Filter) Match(vals []kalam.Value, seq kalam.Seq, deleted bool) bool {
	return f.matchRow(&row{vals: vals, seq: seq, deleted: deleted})
}

func (f *Filter) matchRow(r *row) bool { return f.match == nil || f.match(r) == isTrue }

// row is one version of a row as a filter sees it.
type row struct {
	vals    []kalam.Value
	seq     kalam.Seq
	deleted bool
}

// tri is a truth value of SQL.
type tri uint8

const (
	isFalse tri = iota
	isTrue
	isUnknown
)

// triOf returns the truth value of b.
func triOf(b bool) tri {
	if b {
		return isTrue
	}
	return isFalse
}

// predicate is a compiled boolean expression.
type predicate func(r *row) tri

// not returns NOT t.
func not(t tri) tri {
	switch t {
	case isFalse:
		return isTrue
	case isTrue:
		return isFalse
	default:
		return isUnknown
	}
}
