package engine_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/live"
	"github.com/kalamlake/kalam/session"
)

// unreadable has, by type, literals that INSERT refuses.
var unreadable = map[string][]form{
	"BOOLEAN":       {text("maybe"), text("")},
	"SMALLINT":      {text("99999"), text("1.5"), text("x")},
	"INT":           {text("abc"), text("1.5"), text("3000000000")},
	"BIGINT":        {text("9223372036854775808"), text("one")},
	"DOUBLE":        {text("1,5")},
	"FLOAT":         {text("1e60")},
	"DECIMAL(10,2)": {text("1.2.3"), text("123456789012")},
	"BYTES":         {text("0xabc"), text("not base64!"), text("[1,256]"), text(`\xZZ`)},
	"UUID":          {text("123e4567"), text("{123e4567-e89b-12d3-a456-426614174000")},
	"DATE":          {text("2026-02-30"), text("tomorrow"), text("2026-01-01T00:00:00Z")},
	"TIME":          {text("24:00:00"), text("noon"), number(86400000000)},
	"TIMESTAMP": {
		text("soon"), text("2026-01-01 00:00:00 Europe/Berlin"), text("2026-02-30T00:00:00Z"), text("1767225600000"), number(1767225600), number(1767225600000),
		{"1767225600000", kalam.Double(1767225600000)},
	},
	"DATETIME": {text("2026-01-01T25:00Z"), number(1767225600), number(-1767225600000), number(1767225600123)},
}

// TestUnreadableIsRefused: what INSERT refuses is refused wherever it meets the
// column, with the same words, and never matches nothing or something else. Case A3.
func TestUnreadableIsRefused(t *testing.T) {
	s := newServer(t)
	alice := userOf("alice")
	s.must(root, "CREATE NAMESPACE app")
	for typ, forms := range unreadable {
		name := "app." + strings.ToLower(strings.NewReplacer("(", "", ")", "", ",", "").Replace(typ))
		s.must(root, "CREATE USER TABLE "+name+" (id INT PRIMARY KEY, c "+typ+")")
		s.must(alice, "INSERT INTO "+name+" VALUES (1, NULL)")
		keyed := written{typ: typ}.keyed()
		if keyed {
			s.must(root, "CREATE USER TABLE "+name+"k (c "+typ+" PRIMARY KEY, n INT)")
		}
		statements := []string{
			"SELECT id FROM {t} WHERE c = @", "SELECT id FROM {t} WHERE @ < c", "SELECT id FROM {t} WHERE c IN (NULL, @)", "SELECT id FROM {t} WHERE c BETWEEN @ AND c",
			"SELECT a.id FROM {t} AS a JOIN {t} AS b ON b.c = @", "SELECT id FROM {t} GROUP BY ALL HAVING max(c) = @", "SELECT CASE c WHEN @ THEN 1 END FROM {t}",
			"SELECT id FROM (SELECT c AS d, * FROM {t}) WHERE d IS DISTINCT FROM @", "UPDATE {t} SET c = @ WHERE id = 1", "UPDATE {t} SET c = c WHERE c = @",
			"DELETE FROM {t} WHERE c = @", "DELETE FROM {t} WHERE id = 1 AND c <> @",
		}
		if keyed {
			statements = append(statements, "SELECT n FROM {k} WHERE c = @", "UPDATE {k} SET n = 1 WHERE c = @",
				"DELETE FROM {k} WHERE c = @")
		}
		for _, f := range forms {
			_, err := s.try(alice, "INSERT INTO "+name+" VALUES (2, "+f.sql+")")
			if err == nil {
				t.Errorf("INSERT of %s takes %s", typ, f.sql)
				continue
			}
			want, _, _ := strings.Cut(messageIn(err), " for column")
			for _, st := range statements {
				st = strings.NewReplacer("{k}", name+"k", "{t}", name).Replace(st)
				s.refuses(alice, strings.ReplaceAll(st, "@", f.sql), want)
				s.refuses(alice, strings.ReplaceAll(st, "@", "$1"), want, f.param)
			}
			s.refusesLive(alice, "SELECT * FROM "+name+" WHERE c = "+f.sql, want)
			s.refusesLive(alice, "SELECT * FROM "+name+" WHERE abs(id) > 0 AND c > "+f.sql, want)
		}
	}
}

// messageIn returns what a user is told, without the number of the statement.
func messageIn(err error) string {
	var se *session.StatementError
	if errors.As(err, &se) {
		err = se.Err
	}
	return messageOf(err)
}

// refuses checks that a statement fails with a message.
func (s *server) refuses(p kalam.Principal, sql, want string, params ...kalam.Value) {
	s.t.Helper()
	_, err := s.try(p, sql, params...)
	if err == nil || !strings.Contains(messageIn(err), strings.TrimPrefix(want, "Type mismatch: ")) &&
		!strings.Contains(messageIn(err), "Parameter $1: expected") {
		s.t.Errorf("%s %v: %v, want %q", sql, params, err, want)
	}
}

// refusesLive checks that a live query fails with a message.
func (s *server) refusesLive(p kalam.Principal, sql, want string) {
	s.t.Helper()
	out := s.Live().NewOutbox()
	defer out.Close()
	q, err := s.Live().Subscribe(s.t.Context(), p, live.Request{
		Connection: fmt.Sprintf("%032x", connections.Add(1)), ID: "sub-1", SQL: sql, Outbox: out,
	})
	if err == nil {
		q.Close()
	}
	if err == nil || !strings.Contains(messageOf(err), want) {
		s.t.Errorf("live %s: %v, want %q", sql, err, want)
	}
}
