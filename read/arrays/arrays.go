package arrays

import (
	"encoding/json"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/sqltext"
)

// MaxElements is how many elements the arrays of a statement may have together: a text has no more words than a
// statement may.
const MaxElements = 10_000

// maxDepth is how deep arrays may stand in one another.
const maxDepth = 20

// IsArray reports whether a parameter is a JSON array.
func IsArray(v kalam.Value) bool {
	return v.Kind() == kalam.KindJSON && strings.HasPrefix(v.Str(), "[")
}

// Expand returns a query without array parameters: the edits that write their elements into sql, from its first byte,
// and the parameters of what comes out. Without array parameters it returns params as they are and no edits. A
// placeholder in
//
//	x IN $1, x IN ($1), x = ANY ($1), x = SOME ($1)
//	x NOT IN $1, x NOT IN ($1), x <> ALL ($1)
//
// becomes the list of IN; any other becomes a list of DuckDB's, [a, b], as in unnest($1). Lists of IN grow by
// repeating their last element to a power of two, so that few texts have to be analysed. Of the elements of an array,
// objects are JSON documents, and arrays are lists. Too many elements are CodeInvalidParameter, at the placeholder.
func Expand(sql string, params []kalam.Value) (sqltext.Edits, []kalam.Value, error) {
	if !slices.ContainsFunc(params, IsArray) {
		return nil, params, nil
	}
	x := &expansion{given: params, index: map[int]int{}}
	return x.edits(tokens(sql), sql)
}

// expansion puts the elements of arrays into one text.
type expansion struct {
	given    []kalam.Value
	used     []kalam.Value // Of the new text.
	index    map[int]int   // Number of a parameter that is no array -> its new number.
	elements int
}

// tokens reads sql up to its end, or to what does not lex: the analysis will say that.
func tokens(sql string) (out []sqltext.Token) {
	for l := sqltext.NewLexer(sql); ; {
		t := l.Next()
		if t.Kind == sqltext.EOF || t.Kind == sqltext.Invalid {
			return out
		}
		out = append(out, t)
	}
}

func (x *expansion) edits(list []sqltext.Token, sql string) (edits sqltext.Edits, _ []kalam.Value, err error) {
	for i, t := range list {
		if t.Kind != sqltext.Param {
			continue
		}
		n, ok := sqltext.ParamNumber(sql[t.Pos:t.End])
		if !ok || n < 1 || n > len(x.given) { // The analysis will say that.
			continue
		}
		e := sqltext.Edit{Start: t.Pos, End: t.End, From: t.Pos}
		if !IsArray(x.given[n-1]) {
			e.Text = x.placeholder(n)
		} else if e, err = x.array(list, i, sql, x.given[n-1].Str()); err != nil {
			return nil, nil, kalam.Errorf(kalam.CodeInvalidParameter, "Parameter $%d invalid: %s", n,
				kalam.MessageOf(err)).At(t.Pos)
		}
		edits = append(edits, e)
	}
	return edits, x.used, nil
}

// placeholder returns the placeholder of a given parameter in the new text.
func (x *expansion) placeholder(n int) string {
	if x.index[n] == 0 {
		x.used = append(x.used, x.given[n-1])
		x.index[n] = len(x.used)
	}
	return "$" + strconv.Itoa(x.index[n])
}

// array returns the edit of the placeholder list[i], which stands for a document.
func (x *expansion) array(list []sqltext.Token, i int, sql, document string) (sqltext.Edit, error) {
	elements, err := x.elementsOf(document, 0)
	e := sqltext.Edit{Start: list[i].Pos, End: list[i].End, From: list[i].Pos}
	if err != nil {
		return e, err
	}
	within := membership(list, i, sql)
	if within == nil {
		e.Text = "[" + strings.Join(elements, ", ") + "]"
		return e, nil
	}
	e.Start, e.End = list[within.first].Pos, list[within.last].End
	e.Text = within.words + " (" + strings.Join(padded(elements), ", ") + ")"
	if len(elements) == 0 {
		e.Text = within.words + " (SELECT NULL WHERE false)"
	}
	return e, nil
}

// padded repeats the last element up to a power of two.
func padded(elements []string) []string {
	n := len(elements)
	if n < 2 {
		return elements
	}
	for range 1<<bits.Len(uint(n-1)) - n {
		elements = append(elements, elements[n-1])
	}
	return elements
}

// elementsOf returns a document's elements as expressions.
func (x *expansion) elementsOf(document string, depth int) ([]string, error) {
	if depth == maxDepth {
		return nil, kalam.Errorf(kalam.CodeInvalidParameter, "arrays stand in one another more than %d deep", maxDepth)
	}
	var raw []json.RawMessage
	if err := json.Unmarshal([]byte(document), &raw); err != nil {
		return nil, kalam.Errorf(kalam.CodeInvalidParameter, "malformed array")
	}
	if x.elements += len(raw); x.elements > MaxElements {
		return nil, kalam.Errorf(kalam.CodeInvalidParameter, "arrays of more than %d elements in a statement", MaxElements)
	}
	out := make([]string, len(raw))
	for i, r := range raw {
		text := string(r)
		if text[0] == '[' {
			inner, err := x.elementsOf(text, depth+1)
			if err != nil {
				return nil, err
			}
			out[i] = "[" + strings.Join(inner, ", ") + "]"
			continue
		}
		v, err := scalar(text)
		if err != nil {
			return nil, err
		}
		x.used = append(x.used, v)
		out[i] = "$" + strconv.Itoa(len(x.used))
	}
	return out, nil
}

// scalar returns the value of an element that is no array.
func scalar(text string) (kalam.Value, error) {
	switch text[0] {
	case '"':
		var s string
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			return kalam.Value{}, kalam.Errorf(kalam.CodeInvalidParameter, "malformed string")
		}
		return kalam.Text(s), nil
	case '{':
		return kalam.JSON(text), nil
	case 't', 'f':
		return kalam.Bool(text[0] == 't'), nil
	case 'n':
		return kalam.Null(), nil
	}
	v, ok := datatype.Number(text)
	if !ok {
		return v, kalam.Errorf(kalam.CodeInvalidParameter,
			"number out of range, or with more digits than DECIMAL(38) has; send it as a string")
	}
	return v, nil
}

// member says which tokens around a placeholder ask whether something is in its array.
type member struct {
	first, last int
	words       string // In their place, before the list.
}

// membership returns what stands around the placeholder list[i], nil when a list of DuckDB's is meant.
func membership(list []sqltext.Token, i int, sql string) *member {
	word := func(k int) string {
		if k < 0 || k >= len(list) {
			return ""
		}
		return strings.ToUpper(sql[list[k].Pos:list[k].End])
	}
	m := member{first: i - 1, last: i}
	if word(i-1) == "(" && word(i+1) == ")" {
		m = member{first: i - 2, last: i + 1}
	} else if word(i-1) != "IN" {
		return nil
	}
	switch word(m.first) {
	case "IN":
		m.words = "IN"
	case "ANY", "SOME":
		m.words = "IN"
		if m.first--; word(m.first) != "=" && word(m.first) != "==" {
			return nil
		}
	case "ALL":
		m.words = "NOT IN"
		if m.first--; word(m.first) != "<>" && word(m.first) != "!=" {
			return nil
		}
	default:
		return nil
	}
	return &m
}
