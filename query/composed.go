package query

import (
	"strings"
	"sync/atomic"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query/guard"
)

// composedSQL is the text of a query over physical sources: which of them have files,
// batches and delete vectors, and what columns. It holds nothing of the rows, so
// that users share it.
type composedSQL struct {
	id    uint64 // Distinguishes composed texts for the whole life of the process.
	sql   string
	set   Settings
	slots []slot // What the placeholders stand for, $1 first.
}

// slot is what one placeholder of a composed text stands for: one of its fields.
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

// maxComposed bounds the composed texts of one query.
const maxComposed = 16

// lastComposed numbers the composed texts.
type lastComposed struct{ atomic.Uint64 }

// composedFor returns the text over physical sources. types tells the types of the
// meetings. The error is that of types, or of an operand that is not of the type that
// it meets.
func (a *analysed) composedFor(
	physical []*physicalSource, last *lastComposed, types func() ([]kalam.DataType, error),
) (*composedSQL, error) {
	var key strings.Builder
	for _, s := range physical {
		s.key(&key)
	}
	if v, ok := a.composedOf(key.String()); ok {
		return v, nil
	}
	found, err := types()
	if err != nil {
		return nil, err
	}
	v, err := a.compose(physical, found)
	if err != nil {
		return nil, err
	}
	v.id = last.Add(1)
	a.mu.Lock()
	defer a.mu.Unlock()
	if other, ok := a.composed[key.String()]; ok {
		return other, nil
	}
	if len(a.composed) >= maxComposed {
		clear(a.composed)
	}
	a.composed[key.String()] = v
	return v, nil
}

func (a *analysed) composedOf(key string) (*composedSQL, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	v, ok := a.composed[key]
	return v, ok
}

// compose writes the text. types are those of the meetings.
func (a *analysed) compose(physical []*physicalSource, types []kalam.DataType) (*composedSQL, error) {
	var files []fileArg
	param := a.Params + len(a.Args) + len(a.Operands) + 1
	branches := make([][]string, len(physical))
	for i, s := range physical {
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
	if len(physical) == 1 && physical[0].bound == nil && len(branches[0]) > 1 && len(a.top.outer.texts) > 0 {
		var firsts []string
		for _, b := range branches[0] {
			firsts = append(firsts, "("+a.top.branch.fill(func(int) string { return "(" + b + ")" })+")")
		}
		text := a.top.outer.fill(func(int) string { return "(" + strings.Join(firsts, " UNION ALL ") + ")" })
		return a.settle(a.WholeRows(text, columnNames(physical)), types, files)
	}
	text := a.whole.fill(func(i int) string { return "(" + strings.Join(branches[i], " UNION ALL ") + ")" })
	return a.settle(a.WholeRows(text, columnNames(physical)), types, files)
}

// columnNames gives the names of the columns of sources by their number.
func columnNames(physical []*physicalSource) func(i int) []string {
	return func(i int) []string {
		var out []string
		for _, c := range physical[i].schema.columns {
			out = append(out, c.name)
		}
		return out
	}
}
