package query

import (
	"strings"

	"github.com/kalamlake/kalam"
)

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
