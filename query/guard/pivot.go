package guard

import (
	"encoding/json"
	"sort"
	"strconv"
	"strings"

	"github.com/kalamlake/kalam/query/tree"
	"github.com/kalamlake/kalam/sqltext"
)

// PIVOT t ON v USING sum(n) finds the columns of its result among the rows. DuckDB's
// parser makes two statements of it, the first of which stores the values, and gives no
// tree of them. So each element of ON without a list gets one for the parser, of a
// single value of ours: its mark. See pivot.go for what takes its place.

// pivotMark is the value that stands for those of the i-th element without a list.
func pivotMark(prefix string, i int) string { return prefix + "pivot_" + strconv.Itoa(i) + "_" }

// maxPivots is how many PIVOTs of a statement are looked at: each is read to its end.
const maxPivots = 100

// withPivotLists returns sql with a list of our own behind every element of the ON of
// a PIVOT statement that has none, and where in sql the lists went.
func withPivotLists(sql, prefix string, lexemes []sqltext.Lexeme) (string, []pivotList) {
	words := make([]string, len(lexemes))
	for i, l := range lexemes {
		if words[i] = sql[l.Pos:l.End]; l.Kind == sqltext.LexWord {
			words[i] = strings.ToLower(words[i])
		}
	}
	var ends []int
	pivots := 0
	for i, w := range words {
		if w == "pivot" || w == "pivot_wider" {
			if pivots++; pivots > maxPivots {
				return sql, nil
			}
			for _, last := range pivotElements(words, i) {
				ends = append(ends, lexemes[last].End)
			}
		}
	}
	// What a PIVOT reads stands before its ON, so that lists come after those that they
	// depend on.
	sort.Ints(ends)
	var b strings.Builder
	lists := make([]pivotList, len(ends))
	done := 0
	for i, end := range ends {
		b.WriteString(sql[done:end])
		lists[i].pos = b.Len()
		b.WriteString(" IN (" + sqltext.QuoteString(pivotMark(prefix, i)) + ")")
		lists[i].length = b.Len() - lists[i].pos
		done = end
	}
	return b.String() + sql[done:], lists
}

// pivotList is a list that was put into a text: where it is in the result.
type pivotList struct{ pos, length int }

// pivotEnds are the words that end what PIVOT reads and the ON that follows.
const pivotEnds = "group order limit offset union intersect except fetch ;"

// pivotElements returns the index of the last word of each element without IN of the
// ON of the PIVOT statement at word start.
func pivotElements(words []string, start int) []int {
	on, end, depth := -1, len(words), 0
scan:
	for i := start + 1; i < len(words); i++ {
		w := words[i]
		depth += nesting(w)
		switch {
		case depth < 0 || depth == 0 && wordOf(pivotEnds, w):
			if end > i {
				end = i
			}
			break scan
		case depth == 1 && w == "for" && words[start+1] == "(" && on < 0:
			return nil // FROM t PIVOT (sum(n) FOR v IN (...)), which has its lists.
		case depth == 0 && w == "on": // The last is PIVOT's: the others are of joins that it reads.
			on, end = i, len(words)
		case depth == 0 && w == "using" && on >= 0 && end > i:
			end = i
		}
	}
	if on < 0 {
		return nil
	}
	return elementsWithout(words[:end], on+1)
}

// elementsWithout returns the index of the last word of each element from first on
// that has no list of its own.
func elementsWithout(words []string, first int) []int {
	var out []int
	depth, listed := 0, false
	for i := first; i <= len(words); i++ {
		if i < len(words) && (words[i] != "," || depth > 0) {
			depth += nesting(words[i])
			listed = listed || depth == 0 && words[i] == "in"
			continue
		}
		if !listed && i > first {
			out = append(out, i-1)
		}
		first, listed = i+1, false
	}
	return out
}

// nesting is what a word adds to the depth of those after it.
func nesting(word string) int {
	switch word {
	case "(", "[", "{", "case":
		return 1
	case ")", "]", "}", "end":
		return -1
	}
	return 0
}

// withoutPivotLists moves the places in a tree to where they are without the lists, and
// reports whether each of them became the list of a PIVOT.
func withoutPivotLists(q tree.Node, prefix string, lists []pivotList) bool {
	found := 0
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case tree.Node:
			if pos := tree.Offset(v); pos >= 0 {
				v["query_location"] = json.Number(strconv.Itoa(withoutLists(pos, lists)))
			}
			for _, p := range tree.Elems(v, "pivots") {
				if pivot, _ := p.(tree.Node); PivotNumber(pivot, prefix) >= 0 {
					found++
				}
			}
			for _, x := range v {
				walk(x)
			}
		case []any:
			for _, x := range v {
				walk(x)
			}
		}
	}
	walk(q)
	return found == len(lists)
}

func withoutLists(pos int, lists []pivotList) int {
	out := pos
	for _, l := range lists {
		if pos >= l.pos {
			out -= min(l.length, pos-l.pos)
		}
	}
	return out
}

// PivotNumber returns the number of the mark in an element of a PIVOT's ON, -1 if it has
// a list of its own.
func PivotNumber(pivot tree.Node, prefix string) int {
	entries := tree.Elems(pivot, "entries")
	if len(entries) != 1 {
		return -1
	}
	entry, _ := entries[0].(tree.Node)
	values := tree.Elems(entry, "values")
	if len(values) != 1 {
		return -1
	}
	value, _ := values[0].(tree.Node)
	rest, ok := strings.CutPrefix(tree.Str(value, "value"), prefix+"pivot_")
	if !ok {
		return -1
	}
	n, err := strconv.Atoi(strings.TrimSuffix(rest, "_"))
	if err != nil {
		return -1
	}
	return n
}

// pivotPlace returns where the first PIVOT of a text is, -1 for none.
func pivotPlace(sql string, lexemes []sqltext.Lexeme) int {
	for _, l := range lexemes {
		w := sql[l.Pos:l.End]
		if l.Kind == sqltext.LexWord && (strings.EqualFold(w, "pivot") || strings.EqualFold(w, "pivot_wider")) {
			return l.Pos
		}
	}
	return -1
}
