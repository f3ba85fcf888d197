package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/kalamlake/kalam"
)

// TestViewsBetray tries to reach rows of others by views and AT: by their own text, by names that a view's text could
// be made to mean, and by what errors tell.
func TestViewsBetray(t *testing.T) {
	s := newServer(t)
	const canary = "canary-of-bob"
	ann, bob := userOf("ann"), userOf("bob")
	service := kalam.Principal{User: "svc", Role: kalam.RoleService}
	s.must(root, "CREATE NAMESPACE app; CREATE USER TABLE app.notes (id INT PRIMARY KEY, body TEXT) FLUSH_POLICY 'manual';"+
		" CREATE SHARED TABLE app.pay (id INT PRIMARY KEY, body TEXT) ACCESS LEVEL PRIVATE")
	s.must(bob, "INSERT INTO app.notes VALUES (1, '"+canary+"')")
	s.must(service, "INSERT INTO app.pay VALUES (1, '"+canary+"')")
	s.flush()
	s.must(bob, "UPDATE app.notes SET body = '"+canary+"2' WHERE id = 1")
	for _, create := range []string{
		"CREATE VIEW app.all_notes AS SELECT * FROM app.notes",
		"CREATE VIEW app.user_notes AS SELECT * FROM app.user.notes",
		"CREATE VIEW app.wages AS SELECT * FROM app.pay",
		"CREATE VIEW app.mixed AS SELECT body FROM app.notes UNION ALL SELECT body FROM app.pay",
		"CREATE VIEW app.deleted AS SELECT * FROM app.notes WHERE _deleted IS NOT NULL",
		"CREATE VIEW app.behind AS SELECT * FROM app.mixed",
		"CREATE VIEW app.jobs AS SELECT * FROM system.jobs",
		"CREATE VIEW app.dba AS SELECT * FROM system.users",
	} {
		if _, err := s.try(service, create); err != nil && !strings.Contains(create, "system.users") {
			t.Fatalf("%s: %v", create, err)
		}
	}
	last := fmt.Sprint(uint64(s.seqNow()))
	for _, sql := range []string{
		"SELECT * FROM app.all_notes", "SELECT * FROM app.user_notes", "SELECT * FROM app.wages", "SELECT * FROM app.mixed",
		"SELECT * FROM app.deleted", "SELECT * FROM app.behind", "SELECT * FROM app.jobs", "SELECT * FROM app.dba",
		"SELECT * FROM bob.all_notes", "SELECT * FROM app.bob.all_notes", "SELECT * FROM app.notes AT (SEQ => " + last + ")",
		"SELECT * FROM app.pay AT (SEQ => " + last + ")", "SELECT * FROM _history_0", "SELECT * FROM _view", "SELECT * FROM _feed",
		"SELECT h.* FROM app.notes AT (SEQ => " + last + ") AS n, _history_0 AS h",
		"SELECT h.*, h._seq, h._deleted FROM _history_0 AS h, app.notes AT (SEQ => " + last + ") AS n WHERE h._deleted IS NOT NULL",
		"WITH notes AS (SELECT 1 AS id, 'x' AS body) SELECT * FROM app.all_notes, notes",
		"WITH \"app.notes\" AS (SELECT 1) SELECT * FROM app.all_notes",
		"SELECT * FROM app.all_notes AS pay, app.wages",
		"SELECT (SELECT max(body) FROM app.all_notes)", "PIVOT app.mixed ON body USING count(*)", "SUMMARIZE app.mixed",
		"DESCRIBE app.wages", "SHOW CREATE VIEW app.wages", "SHOW CREATE VIEW app.mixed", "DROP VIEW app.wages",
		"SELECT * FROM information_schema.views", "SELECT * FROM information_schema.columns WHERE table_name IN ('wages', 'mixed')",
		"SHOW MANIFEST", "SELECT * FROM system.manifest WHERE scope <> 'ann'", "SHOW TABLES",
		"EXPLAIN ANALYZE SELECT * FROM app.mixed", "EXPLAIN SELECT * FROM app.all_notes",
	} {
		r, err := s.try(ann, sql)
		text := fmt.Sprint(err)
		for _, one := range r {
			text += one.table()
		}
		for _, secret := range []string{canary, "bob", "pay", "wages", "mixed", "behind", s.config.Storage.DataPath} {
			if strings.Contains(strings.ReplaceAll(text, sql, ""), secret) && !strings.Contains(sql, secret) {
				t.Errorf("%s tells %q: %s", sql, secret, text)
			}
		}
		if strings.Contains(text, canary) {
			t.Errorf("%s gives rows of another: %s", sql, text)
		}
	}
}

// TestViewsAreKept: views outlive a restart, and a change that a view would not stand is refused also while others create
// and drop it.
func TestViewsAreKept(t *testing.T) {
	s := newServer(t)
	s.must(root, "CREATE NAMESPACE app; CREATE SHARED TABLE app.t (id INT PRIMARY KEY, a INT, b INT)")
	s.must(root, "INSERT INTO app.t VALUES (1, 2, 3); CREATE VIEW app.kept AS SELECT a + b AS sum FROM app.t")
	s.restart()
	s.wantCell(root, "SELECT sum FROM app.kept", "5")
	var g errgroup.Group
	for w := range 2 {
		g.Go(func() error {
			for i := range 40 {
				name := fmt.Sprintf("app.v%d", w)
				for _, sql := range []string{
					"CREATE OR REPLACE VIEW " + name + " AS SELECT id, b AS c FROM app.t", "SELECT c FROM " + name, "DROP VIEW " + name,
				} {
					if _, err := s.tryCtx(context.Background(), root, sql); err != nil {
						return fmt.Errorf("round %d: %s: %w", i, sql, err)
					}
				}
			}
			return nil
		})
	}
	g.Go(func() error {
		for range 40 {
			_, err := s.tryCtx(context.Background(), root, "ALTER TABLE app.t RENAME COLUMN a TO z")
			if err == nil || !strings.Contains(err.Error(), "view app.kept uses it") {
				return errors.Join(errors.New("a column that a view uses was renamed"), err)
			}
		}
		return nil
	})
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
}
