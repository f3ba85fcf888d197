package sqltext_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/sqltext"
)

func TestSplit(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"empty", "", nil},
		{"blank and comments", " \t\n-- nothing\n/* here */ ;; ; ", nil},
		{"one", "SELECT 1", []string{"SELECT 1"}},
		{"trailing semicolon", "SELECT 1;", []string{"SELECT 1"}},
		{"blanks are trimmed", "  SELECT 1 \n;\n\tSELECT 2  ", []string{"SELECT 1", "SELECT 2"}},
		{"comments around are trimmed", "-- a\nSELECT 1 -- b\n; /* c */ SELECT /* d */ 2 /* e */",
			[]string{"SELECT 1", "SELECT /* d */ 2"}},
		{"string", "SELECT 'a;b'; SELECT 'it''s;'", []string{"SELECT 'a;b'", "SELECT 'it''s;'"}},
		{"backslash is no escape", `SELECT 'a\'; SELECT 2`, []string{`SELECT 'a\'`, "SELECT 2"}},
		{"escape string", `SELECT E'a\';b'; SELECT e'\\'; SELECT 3`, []string{`SELECT E'a\';b'`, `SELECT e'\\'`, "SELECT 3"}},
		{"word ending in e is no prefix", `SELECT type'a\'; SELECT 2`, []string{`SELECT type'a\'`, "SELECT 2"}},
		{"continued string", "SELECT 'a'\n  ';b'; SELECT 2", []string{"SELECT 'a'\n  ';b'", "SELECT 2"}},
		{"continued escape string", "SELECT E'a'\n'\\';b'; SELECT 2", []string{"SELECT E'a'\n'\\';b'", "SELECT 2"}},
		{"string continued after comment", "SELECT 'a' -- c;\n 'b\\'; SELECT 2",
			[]string{"SELECT 'a' -- c;\n 'b\\'", "SELECT 2"}},
		{"identifier", `SELECT "a;""b"; SELECT 2`, []string{`SELECT "a;""b"`, "SELECT 2"}},
		{"backtick", "SELECT `a;``b`; SELECT 2", []string{"SELECT `a;``b`", "SELECT 2"}},
		{"dollar quotes", "SELECT $$a;'b$$; SELECT $t$;$$;$t$; SELECT 3",
			[]string{"SELECT $$a;'b$$", "SELECT $t$;$$;$t$", "SELECT 3"}},
		{"dollar in word is no quote", "SELECT a$$; SELECT b$$", []string{"SELECT a$$", "SELECT b$$"}},
		{"placeholders", "SELECT $1; SELECT $2", []string{"SELECT $1", "SELECT $2"}},
		{"line comment", "SELECT 1 -- ; '\n+ 2; SELECT 3", []string{"SELECT 1 -- ; '\n+ 2", "SELECT 3"}},
		{"carriage return ends comment", "SELECT 1 -- ; \r+ 2; SELECT 3", []string{"SELECT 1 -- ; \r+ 2", "SELECT 3"}},
		{"nested comment", "SELECT 1 /* a /* ; */ ; */ ; SELECT 2", []string{"SELECT 1", "SELECT 2"}},
		{"comment after division", "SELECT 1 //* ; */ 2; SELECT 3", []string{"SELECT 1 //* ; */ 2", "SELECT 3"}},
		{"minus and slash", "SELECT 1-2/3; SELECT 4", []string{"SELECT 1-2/3", "SELECT 4"}},
		{"parentheses do not matter", "EXECUTE AS USER 'a' (SELECT 1); )", []string{"EXECUTE AS USER 'a' (SELECT 1)", ")"}},
		{"no-break space", "\u00a0SELECT\u00a01;\u3000SELECT 2\ufeff", []string{"SELECT\u00a01", "SELECT 2"}},
		{"NUL in string", "SELECT 'a\x00;b'; SELECT 2", []string{"SELECT 'a\x00;b'", "SELECT 2"}},
		{"unicode", "SELECT 'héllo;'; SELECT ключ", []string{"SELECT 'héllo;'", "SELECT ключ"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := sqltext.Split(c.text)
			if err != nil {
				t.Fatal(err)
			}
			var texts []string
			for _, f := range got {
				texts = append(texts, f.Text)
				if end := f.Offset + len(f.Text); c.text[f.Offset:end] != f.Text {
					t.Errorf("offset %d of %q is wrong", f.Offset, f.Text)
				}
			}
			if d := cmp.Diff(c.want, texts); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestSplitErrors(t *testing.T) {
	for _, c := range []struct {
		name, text, want string
		pos              int
	}{
		{"string", "SELECT 1; SELECT 'abc", "Failed to parse SQL batch: Unterminated quoted string", 18},
		{"escape string", `SELECT E'abc\'`, "Failed to parse SQL batch: Unterminated quoted string", 8},
		{"backslash at end", `SELECT E'abc\`, "Failed to parse SQL batch: Unterminated quoted string", 8},
		{"identifier", `SELECT "abc`, "Failed to parse SQL batch: Unterminated quoted identifier", 8},
		{"backtick", "SELECT `abc", "Failed to parse SQL batch: Unterminated quoted identifier", 8},
		{"dollar", "SELECT $x$abc$y$", "Failed to parse SQL batch: Unterminated dollar-quoted string", 8},
		{"comment", "SELECT 1 /* a /* b */", "Failed to parse SQL batch: Unterminated comment", 10},
		{"leading comment", "/* a", "Failed to parse SQL batch: Unterminated comment", 1},
		{"NUL", "SELECT\x00 1", "Failed to parse SQL batch: NUL byte outside a string literal", 7},
		{"NUL in comment", "SELECT 1 -- \x00", "Failed to parse SQL batch: NUL byte outside a string literal", 13},
		{"NUL in identifier", "SELECT \"a\x00\"", "Failed to parse SQL batch: NUL byte outside a string literal", 10},
		{"UTF-8", "SELECT 'é\xff'", "Failed to parse SQL batch: Text is not valid UTF-8", 11},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := sqltext.Split(c.text)
			if got != nil {
				t.Errorf("fragments with an error: %v", got)
			}
			checkError(t, err, kalam.CodeBatchParse, c.pos, c.want)
		})
	}
}

// checkError checks code, 1-based position and text of a *kalam.Error.
func checkError(t *testing.T, err error, code kalam.Code, pos int, text string) {
	t.Helper()
	var ke *kalam.Error
	if !errors.As(err, &ke) {
		t.Fatalf("got error %v, want *kalam.Error %q", err, text)
	}
	if ke.Code != code || ke.Position != pos || ke.Msg != text {
		t.Errorf("got code %d at %d: %s\nwant    %d at %d: %s", ke.Code, ke.Position, ke.Msg, code, pos, text)
	}
}
