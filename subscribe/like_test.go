package subscribe_test

import (
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/subscribe"
)

func TestLike(t *testing.T) {
	tests := []struct {
		text, pattern, escape string
		like, ilike           bool
	}{
		{"abc", "abc", "", true, true},
		{"abc", "ABC", "", false, true},
		{"abc", "ab", "", false, false},
		{"abc", "a%", "", true, true},
		{"abc", "%c", "", true, true},
		{"abc", "%B%", "", false, true},
		{"abc", "%", "", true, true},
		{"", "%", "", true, true},
		{"", "", "", true, true},
		{"a", "", "", false, false},
		{"", "_", "", false, false},
		{"abc", "___", "", true, true},
		{"abc", "__", "", false, false},
		{"abc", "_%_", "", true, true},
		{"a", "_%_", "", false, false},
		{"é", "_", "", true, true},
		{"日本語", "_本_", "", true, true},
		{"日本語", "%語", "", true, true},
		{"ÄÖ", "äö", "", false, true},
		{"mississippi", "%iss%ppi", "", true, true},
		{"mississippi", "m%iss%iss%", "", true, true},
		{"mississippi", "m%iss%iss%iss%", "", false, false},
		{"aaaaaaaaab", "%a%a%a%c", "", false, false},
		{"10%", "10%", "", true, true},
		{"10%", `10\%`, `\`, true, true},
		{"10x", `10\%`, `\`, false, false},
		{"a_b", "a!_b", "!", true, true},
		{"axb", "a!_b", "!", false, false},
		{"a!b", "a!!b", "!", true, true},
		{`a\b`, `a\b`, "", true, true},
		{"ab", "a!b", "!", true, true},
		{"a%", "a%%", "%", true, true},
		{"a_", "a__", "_", true, true},
		{"ab", "a__", "_", false, false},
		{"50%éx", "50!%_x", "!", true, true},
		{"line\nbreak", "line%break", "", true, true},
		{"a\x00b", "a_b", "", true, true},
		{".*", ".*", "", true, true},
		{"xx", ".*", "", false, false},
	}
	table := wide()
	for _, tt := range tests {
		for _, insensitive := range []bool{false, true} {
			want := tt.like
			if insensitive {
				want = tt.ilike
			}
			row := rowOf(table, map[string]kalam.Value{"c_text": kalam.Text(tt.text), "c_json": kalam.JSON(tt.text)})
			for _, name := range []string{"c_text", "c_json"} {
				e := subscribe.Like{Arg: col(name), Pattern: text(tt.pattern), Escape: tt.escape,
					Insensitive: insensitive}
				if got := truth(t, table, e, row); (got == "true") != want || got == "NULL" {
					t.Errorf("%q LIKE %q ESCAPE %q, insensitive %v: %s", tt.text, tt.pattern, tt.escape, insensitive,
						got)
				}
			}
		}
	}
	null := lit(kalam.Null())
	for _, e := range []subscribe.Like{{Arg: col("c_text"), Pattern: text("a")}, {Arg: null, Pattern: text("a")},
		{Arg: text("a"), Pattern: null}} {
		if got := truth(t, table, e, rowOf(table, nil)); got != "NULL" {
			t.Errorf("%+v is %s", e, got)
		}
	}
}

// likeModel is LIKE by its definition, on characters.
func likeModel(s, p []rune, escape rune) bool {
	if len(p) == 0 {
		return len(s) == 0
	}
	switch {
	case p[0] == escape && escape != 0:
		return len(s) > 0 && s[0] == p[1] && likeModel(s[1:], p[2:], escape)
	case p[0] == '%':
		return likeModel(s, p[1:], escape) || len(s) > 0 && likeModel(s[1:], p, escape)
	case p[0] == '_':
		return len(s) > 0 && likeModel(s[1:], p[1:], escape)
	}
	return len(s) > 0 && s[0] == p[0] && likeModel(s[1:], p[1:], escape)
}

// TestLikeModel compares LIKE and ILIKE with their definition.
func TestLikeModel(t *testing.T) {
	table := wide()
	alphabet := []rune("aAbé日%_!")
	word := rapid.StringOfN(rapid.SampledFrom(alphabet), 0, 8, -1)
	rapid.Check(t, func(t *rapid.T) {
		s, p := word.Draw(t, "text"), word.Draw(t, "pattern")
		escape := rapid.SampledFrom([]string{"", "!", "%", "_"}).Draw(t, "escape")
		insensitive := rapid.Bool().Draw(t, "insensitive")
		f, err := subscribe.Compile(table, subscribe.Like{Arg: col("c_text"), Pattern: text(p), Escape: escape,
			Insensitive: insensitive}, "", 0)
		var e rune
		if escape != "" {
			e = rune(escape[0])
		}
		if endsWithEscape([]rune(p), e) {
			if err == nil {
				t.Fatalf("pattern %q ends with its escape %q", p, escape)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		a, b := s, p
		if insensitive {
			a, b = strings.Map(unicode.ToLower, s), strings.Map(unicode.ToLower, p)
		}
		want := likeModel([]rune(a), []rune(b), e)
		if got := f.Match(rowOf(table, map[string]kalam.Value{"c_text": kalam.Text(s)}), 1, false); got != want {
			t.Fatalf("%q LIKE %q ESCAPE %q, insensitive %v: %v", s, p, escape, insensitive, got)
		}
	})
}

// endsWithEscape reports whether the last escape of p has nothing after it.
func endsWithEscape(p []rune, escape rune) bool {
	for i := 0; i < len(p); i++ {
		if escape != 0 && p[i] == escape {
			if i++; i == len(p) {
				return true
			}
		}
	}
	return false
}

// TestEquivalences checks laws of SQL on random conditions and rows.
func TestEquivalences(t *testing.T) {
	table := wide()
	cell := rapid.Custom(func(t *rapid.T) kalam.Value {
		if n := rapid.IntRange(-1, 12).Draw(t, "n"); n >= 0 {
			return kalam.Integer(kalam.KindInt, int64(n))
		}
		return kalam.Null()
	})
	rapid.Check(t, func(rt *rapid.T) {
		row := rowOf(table, map[string]kalam.Value{"c_int": cell.Draw(rt, "a"), "c_int2": cell.Draw(rt, "b")})
		a, b := col("c_int"), col("c_int2")
		var list, ors []subscribe.Expr
		for _, v := range rapid.SliceOfN(cell, 1, 12).Draw(rt, "list") {
			list = append(list, lit(v))
			ors = append(ors, is(subscribe.Equal, a, lit(v)))
		}
		lo, hi := lit(cell.Draw(rt, "lo")), lit(cell.Draw(rt, "hi"))
		p, q := is(subscribe.Less, a, b), subscribe.In{Arg: b, List: list}
		for _, law := range []struct {
			name        string
			left, right subscribe.Expr
		}{
			{"IN is OR of =", subscribe.In{Arg: a, List: list}, subscribe.Or{Args: ors}},
			{"BETWEEN is AND of >= and <=", subscribe.Between{Arg: a, Low: lo, High: hi},
				subscribe.And{Args: []subscribe.Expr{is(subscribe.GreaterOrEqual, a, lo),
					is(subscribe.LessOrEqual, a, hi)}}},
			{"De Morgan", subscribe.Not{Arg: subscribe.And{Args: []subscribe.Expr{p, q}}},
				subscribe.Or{Args: []subscribe.Expr{subscribe.Not{Arg: p}, subscribe.Not{Arg: q}}}},
			{"NOT (a = b) is a <> b", subscribe.Not{Arg: is(subscribe.Equal, a, b)}, is(subscribe.NotEqual, a, b)},
			{"NOT (a < b) is a >= b", subscribe.Not{Arg: p}, is(subscribe.GreaterOrEqual, a, b)},
			{"a < b is b > a", p, is(subscribe.Greater, b, a)},
			{"CASE WHEN p THEN true ELSE false END is p IS TRUE",
				subscribe.Case{Whens: []subscribe.When{{Cond: p, Then: lit(kalam.Bool(true))}},
					Else: lit(kalam.Bool(false))},
				is(subscribe.IsNotDistinct, p, lit(kalam.Bool(true)))},
		} {
			if l, r := truth(t, table, law.left, row), truth(t, table, law.right, row); l != r {
				rt.Fatalf("%s: %s and %s", law.name, l, r)
			}
		}
	})
}
