package query

import (
	"strings"
	"sync/atomic"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query/guard"
)

// variant is the text of a query for sources of certain shapes: which have files,
// batches and delete vectors, and what columns. It holds nothing of the rows, so
// that users share it.
type variant struct {
	id    uint64 // Distinguishes variants for the whole life of the process.
	sql   string
	set   Settings
	slots []slot // What the placeholders stand for, $1 first.
}

// slot is what one placeholder of a variant stands for: one of its fields.
type slot struct {
	param int            // A parameter of the user's.
	typ   kalam.DataType // That of what the parameter meets; KindNull when nothing says it.
	try   bool           // What is not of that type is NULL.
	arg   *guard.ArgKind
	files *fileArg
}

// fileArg is a placeholder for the paths of one group of a source's files; the group after
// the last stands for the value of the source's bound.
type fileArg struct{ source, group int }

// maxVariants bounds the variants of one query.
const maxVariants = 16

// lastVariant numbers the variants.
type lastVariant struct{ atomic.Uint64 }

// variant returns the text for sources of these shapes. types tells the types of the
// meetings. The error is that of types, or of an operand that is not of the type that
// it meets.
func (a *analysed) variant(
	shapes []*shaped, last *lastVariant, types func() ([]kalam.DataType, error),
) (*variant, error) {
	var key strings.Builder
	for _, s := range shapes {
		s.key(&key)
	}
	if v, ok := a.variantOf(key.String()); ok {
		return v, nil
	}
	found, err := types()
	if err != nil {
		return nil, err
	}
	v, err := a.compose(shapes, found)
	if err != nil {
		return nil, err
	}
	v.id = last.Add(1)
	a.mu.Lock()
	defer a.mu.Unlock()
	if other, ok := a.variants[key.String()]; ok {
		return other, nil
	}
	if len(a.variants) >= maxVariants {
		clear(a.variants)
	}
	a.variants[key.String()] = v
	return v, nil
}

func (a *analysed) variantOf(key string) (*variant, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	v, ok := a.variants[key]
	return v, ok
}

// compose writes the text. types are those of the meetings.
func (a *analysed) compose(shapes []*shaped, types []kalam.DataType) (*variant, error) {
	var files []fileArg
	param := a.Params + len(a.Args) + len(a.Operands) + 1
	branches := make([][]string, len(shapes))
	for i, s := range shapes {
		branches[i] = s.branches(i, param, a.Visible(i))
		for g := range s.groups {
			files = append(files, fileArg{i, g})
			param++
		}
		if s.bound != nil {
			files = append(files, fileArg{i, len(s.groups)})
			param++
		}
	}
	// With a bound few rows are left: to read the columns of the sort key before the others,
	// which a branch of its own calls for, would cost more than it saves.
	if len(shapes) == 1 && shapes[0].bound == nil && len(branches[0]) > 1 && len(a.top.outer.texts) > 0 {
		var firsts []string
		for _, b := range branches[0] {
			firsts = append(firsts, "("+a.top.branch.fill(func(int) string { return "(" + b + ")" })+")")
		}
		text := a.top.outer.fill(func(int) string { return "(" + strings.Join(firsts, " UNION ALL ") + ")" })
		return a.settle(a.WholeRows(text, columnNames(shapes)), types, files)
	}
	text := a.whole.fill(func(i int) string { return "(" + strings.Join(branches[i], " UNION ALL ") + ")" })
	return a.settle(a.WholeRows(text, columnNames(shapes)), types, files)
}

// columnNames gives the names of the columns of sources by their number.
func columnNames(shapes []*shaped) func(i int) []string {
	return func(i int) []string {
		var out []string
		for _, c := range shapes[i].schema.columns {
			out = append(out, c.name)
		}
		return out
	}
}
