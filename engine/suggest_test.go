package engine_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
)

// TestSuggestions mistypes names: the error says what was probably meant, of what its reader may know of.
func TestSuggestions(t *testing.T) {
	s := newServer(t)
	for _, sql := range []string{
		"CREATE NAMESPACE app", "CREATE NAMESPACE secret",
		"CREATE USER TABLE app.notes (id BIGINT PRIMARY KEY, body TEXT, created_at TIMESTAMP)",
		"CREATE SHARED TABLE secret.plans (id BIGINT PRIMARY KEY, detail TEXT) WITH (ACCESS_LEVEL = 'PRIVATE')",
		"CREATE VIEW app.recent AS SELECT id, body AS words FROM app.notes",
	} {
		s.must(root, sql)
	}
	alice := userOf("alice")
	for _, c := range []struct {
		sql  string
		want []string
	}{
		{"SELECT id, bodyy FROM app.notes", []string{"body"}},
		{"SELECT n.bdoy FROM app.notes n", []string{"body"}},
		{"SELECT id FROM app.notes WHERE bdy = 'x'", []string{"body"}},
		{"SELECT id FROM app.notes ORDER BY creatd_at", []string{"created_at"}},
		{"SELECT wrods FROM app.recent", []string{"words"}},
		{"UPDATE app.notes SET boddy = 'x' WHERE id = 1", []string{"body"}},
		{"UPDATE app.notes SET body = 'x' WHERE bodi = 'y'", []string{"body"}},
		{"DELETE FROM app.notes WHERE bodi = 'y'", []string{"body"}},
		{"INSERT INTO app.notes (id, boby) VALUES (1, 'x')", []string{"body"}},
		{"SELECT id FROM app.note", []string{"app.notes"}},
		{"SELECT id FROM ap.notes", []string{"app.notes"}},
		{"SELECT id FROM notes", []string{"app.notes"}},
		{"SELECT id FROM app.recnet", []string{"app.recent"}},
		{"SELECT * FROM system.job", []string{"system.jobs"}},
		{"SELECT lenth(body) FROM app.notes", []string{"length"}},
		{"SELECT id::BIGNT FROM app.notes", []string{"BIGINT"}},
		{"SELEC id FROM app.notes", []string{"SELECT"}},
		{"SHOW TABELS", []string{"TABLES"}},
		{"SELECT id FRM app.notes", []string{"FROM"}},
		{"SELECT id FROM app.notes WHER id = 1", []string{"WHERE"}},
		{"USE ap", []string{"app"}},

		{"SELECT id FROM secret.plan", nil},
		{"SELECT id FROM plans", nil},
		{"SELECT detial FROM secret.plans", nil},
		{"SELECT zzz FROM app.notes", nil},
		{"SELECT 'detial' FROM app.notes WHERE", nil},
	} {
		_, err := s.try(alice, c.sql)
		var e *kalam.Error
		if !errors.As(err, &e) || !slices.Equal(e.Suggestions, c.want) {
			t.Errorf("%s: %v suggests %q, want %q", c.sql, err, suggestions(e), c.want)
		}
	}
	_, err := s.try(root, "SELECT detial FROM secret.plans")
	var e *kalam.Error
	if !errors.As(err, &e) || !slices.Equal(e.Suggestions, []string{"detail"}) {
		t.Errorf("root: %v suggests %q", err, suggestions(e))
	}
}

// TestPlaceOfNames: the error of a name that means nothing has its place.
func TestPlaceOfNames(t *testing.T) {
	s := newServer(t)
	s.must(root, "CREATE NAMESPACE app")
	s.must(root, "CREATE USER TABLE app.notes (id BIGINT PRIMARY KEY, body TEXT)")
	for _, sql := range []string{
		"DELETE FROM app.notes WHERE §idx = 1", "UPDATE app.notes SET body = 'x' WHERE §\"Bodi\" = 'y'",
		"SELECT id::§bignt FROM app.notes", "SELECT id, §n.boddy FROM app.notes n", "USE §nothing",
		"SELECT 'boddy' /* boddy */, §boddy FROM app.notes",
	} {
		before, after, _ := strings.Cut(sql, "§")
		_, err := s.try(userOf("alice"), before+after)
		var e *kalam.Error
		if !errors.As(err, &e) || e.Position != len(before)+1 {
			t.Errorf("%s: %+v, want position %d", sql, e, len(before)+1)
		}
	}
}

func suggestions(e *kalam.Error) []string {
	if e == nil {
		return nil
	}
	return e.Suggestions
}
