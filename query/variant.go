package query

import (
	"strings"
	"sync/atomic"

	"github.com/kalamlake/kalam"
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
	arg   *argKind
	files *fileArg
}

// fileArg is a placeholder for the paths of one group of a source's files.
type fileArg struct{ source, group int }

// maxVariants bounds the variants of one query.
const maxVariants = 8

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
	param := a.params + len(a.args) + len(a.operands) + 1
	branches := make([][]string, len(shapes))
	for i, s := range shapes {
		branches[i] = s.branches(i, param, a.visible(i))
		for g := range s.groups {
			files = append(files, fileArg{i, g})
			param++
		}
	}
	if len(shapes) == 1 && len(branches[0]) > 1 && len(a.top.outer.texts) > 0 {
		var firsts []string
		for _, b := range branches[0] {
			firsts = append(firsts, "("+a.top.branch.fill(func(int) string { return "(" + b + ")" })+")")
		}
		text := a.top.outer.fill(func(int) string { return "(" + strings.Join(firsts, " UNION ALL ") + ")" })
		return a.settle(a.wholeRows(text, shapes), types, files)
	}
	text := a.whole.fill(func(i int) string { return "(" + strings.Join(branches[i], " UNION ALL ") + ")" })
	return a.settle(a.wholeRows(text, shapes), types, files)
}

// visible tells which columns of table i the text has, and by which names.
func (a *analysed) visible(i int) func(column string) (string, bool) {
	return func(column string) (string, bool) { return a.system[i].visible(a.prefix, column) }
}

// wholeRows writes the rows of tables that text names as a whole: without the system
// columns that the text has of them beside.
func (a *analysed) wholeRows(text string, shapes []*shaped) string {
	for i, alias := range a.rows {
		var fields []string
		row := ""
		for _, c := range shapes[i].schema.columns {
			value := QuoteName(alias) + "." + QuoteName(c.name)
			if systemColumnOf(c.name) == 0 {
				fields = append(fields, QuoteName(c.name)+" := "+value)
			}
			if strings.EqualFold(c.name, alias) {
				row = value // A column of that name comes before the row.
			}
		}
		if row == "" {
			row = "struct_pack(" + strings.Join(fields, ", ") + ")"
		}
		text = strings.ReplaceAll(text, rowName(a.prefix, i), row)
	}
	return text
}
