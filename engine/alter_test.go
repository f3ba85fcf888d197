package engine_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/internal/eventually"
	"github.com/kalamlake/kalam/session"
)

// TestAlterRights is the rule of access, cell by cell, for every kind of table and role.
func TestAlterRights(t *testing.T) {
	s := newServer(t)
	s.must(root, "CREATE NAMESPACE app; ALTER NAMESPACE app SET OPTIONS (user_tables = true)")
	owner := userOf("owner")
	s.must(root, "CREATE USER owner WITH PASSWORD 'a long password' ROLE user")
	s.must(owner, "CREATE USER TABLE app.own (id INT PRIMARY KEY); CREATE STREAM TABLE app.ownstream (id INT PRIMARY KEY) TTL 60")
	s.must(root, "CREATE USER TABLE app.users (id INT PRIMARY KEY); CREATE STREAM TABLE app.stream (id INT PRIMARY KEY) TTL 60")
	for _, level := range []string{"public", "private", "restricted", "dba"} {
		s.must(root, "CREATE SHARED TABLE app."+level+" (id INT PRIMARY KEY) ACCESS LEVEL "+level)
	}
	who := []struct {
		name string
		p    kalam.Principal
	}{
		{"anonymous", kalam.Principal{Role: kalam.RoleAnonymous}},
		{"user", userOf("other")},
		{"owner", owner},
		{"service", kalam.Principal{User: "svc", Role: kalam.RoleService}},
		{"dba", kalam.Principal{User: "dba", Role: kalam.RoleDBA}},
		{"system", root},
	}
	const yes, no, none = "yes", "permission", "unknown"
	for table, want := range map[string][]string{
		"own":        {none, no, yes, yes, yes, yes},
		"ownstream":  {none, no, yes, yes, yes, yes},
		"users":      {none, no, no, yes, yes, yes},
		"stream":     {none, no, no, yes, yes, yes},
		"public":     {no, no, no, yes, yes, yes},
		"private":    {none, none, none, yes, yes, yes},
		"restricted": {none, none, none, yes, yes, yes},
		"dba":        {none, none, none, none, yes, yes},
	} {
		for i, w := range who {
			for _, what := range []string{"ADD COLUMN c INT", "DROP COLUMN c", "SET TBLPROPERTIES (DELETED_RETENTION_HOURS = 5)", "SET TBLPROPERTIES (DELETED_RETENTION_HOURS = 6)"} {
				_, err := s.try(w.p, "ALTER TABLE app."+table+" "+what)
				got := yes
				switch {
				case kalam.CodeOf(err) == kalam.CodePermissionDenied:
					got = no
				case kalam.CodeOf(err) == kalam.CodeTableNotFound:
					got = none
				case err != nil:
					got = err.Error()
				}
				if got != want[i] {
					t.Errorf("%s, %s: %s: %s, want %s", table, w.name, what, got, want[i])
				}
			}
		}
	}
	service := who[3].p
	if _, err := s.try(service, "ALTER TABLE app.public SET TBLPROPERTIES (ACCESS_LEVEL = 'DBA')"); kalam.CodeOf(err) != kalam.CodePermissionDenied {
		t.Errorf("a service gives away what it could not take back: %v", err)
	}
	s.must(service, "ALTER TABLE app.public SET ACCESS LEVEL RESTRICTED")
}

// TestAlterFlushPolicy: schedules follow a change of the policy at once.
func TestAlterFlushPolicy(t *testing.T) {
	s := newServer(t)
	ann := userOf("ann")
	s.must(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id INT PRIMARY KEY) FLUSH_POLICY 'manual'")
	s.must(ann, "INSERT INTO app.t VALUES (1), (2), (3)")
	policy := func() string {
		r := s.must(root, "SHOW TABLE STATS app.t")
		return r.rows[0][9]
	}
	if got := policy(); got != `"Manual"` {
		t.Errorf("the policy is %s", got)
	}
	s.must(root, "ALTER TABLE app.t SET TBLPROPERTIES (FLUSH_POLICY = 'rows:2')")
	if got := policy(); got == `"Manual"` {
		t.Errorf("the policy is %s", got)
	}
	eventually.True(t, "the rows are flushed", func() bool {
		return s.single(root, "SELECT count(*) AS n FROM system.jobs WHERE job_type = 'flush' AND status = 'completed'") == `"1"`
	})
	s.must(root, "ALTER TABLE app.t SET TBLPROPERTIES (FLUSH_CRON = '@hourly')")
	if got := s.single(root, "SELECT option_value FROM system.table_options WHERE table_name = 't' AND option_key = 'flush_cron'"); got != `"@hourly"` {
		t.Errorf("the schedule is %s", got)
	}
	s.must(root, "ALTER TABLE app.t SET TBLPROPERTIES (FLUSH_CRON = '0 3 * * *', FLUSH_CRON_TZ = 'Asia/Kolkata')")
	s.must(root, "ALTER TABLE app.t SET TBLPROPERTIES (FLUSH_CRON = '0 4 * * *')") // The zone stays.
	s.must(root, "INSERT INTO app.t VALUES (100)")
	s.restart()
	st := s.stats(root, "app.t")
	next := time.UnixMicro(count(t, st, "next_flush")).UTC()
	if st["flush_config"] != "Auto (2 rows, cron 0 4 * * * Asia/Kolkata)" || next.Format("15:04") != "22:30" ||
		st["next_flush_trigger"] != "cron" || st["last_flush_trigger"] != "rows" {
		t.Errorf("%v, next flush at %s", st, next)
	}
	for _, bad := range []struct{ set, says string }{
		{"FLUSH_CRON_TZ = 'Mars/Olympus'", "FLUSH_CRON_TZ: unknown time zone 'Mars/Olympus'"},
		{"FLUSH_CRON = 'soon'", "FLUSH_CRON: invalid schedule 'soon'"},
	} {
		if _, err := s.try(root, "ALTER TABLE app.t SET TBLPROPERTIES ("+bad.set+")"); err == nil || !strings.Contains(err.Error(), bad.says) {
			t.Errorf("%s: %v", bad.set, err)
		}
	}
	if _, err := s.try(root, "CREATE USER TABLE app.z (id INT PRIMARY KEY) FLUSH_CRON_TZ 'UTC'"); err == nil || !strings.Contains(err.Error(),
		"FLUSH_CRON_TZ is the time zone of FLUSH_CRON, which the table does not have") {
		t.Error(err)
	}
}

// TestAlterPrepared: a prepared statement is read again after its table was altered, and says so when it would give
// other columns.
func TestAlterPrepared(t *testing.T) {
	s := newServer(t)
	ctx, ann := context.Background(), userOf("ann")
	s.must(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id INT PRIMARY KEY, n INT)")
	c := s.Open(ann, "app")
	defer c.Close()
	insert, err := c.Prepare(ctx, "INSERT INTO t (id, n) VALUES ($1, $2)")
	must(t, err)
	star, err := c.Prepare(ctx, "SELECT * FROM t WHERE id = $1")
	must(t, err)
	some, err := c.Prepare(ctx, "SELECT n FROM t WHERE id = $1")
	must(t, err)
	one := kalam.BigInt(1)
	must(t, insert.Execute(ctx, []kalam.Value{one, one}, &collector{}))
	s.must(root, "ALTER TABLE app.t ADD COLUMN extra TEXT NOT NULL DEFAULT 'x'")
	must(t, insert.Execute(ctx, []kalam.Value{kalam.BigInt(2), one}, &collector{}))
	must(t, some.Execute(ctx, []kalam.Value{one}, &collector{}))
	if err := star.Execute(ctx, []kalam.Value{one}, &collector{}); err == nil ||
		!strings.Contains(err.Error(), "would give other columns") {
		t.Errorf("SELECT * with another column: %v", err)
	}
	s.must(root, "ALTER TABLE app.t ALTER COLUMN n TYPE BIGINT")
	if err := some.Execute(ctx, []kalam.Value{one}, &collector{}); err == nil ||
		!strings.Contains(err.Error(), "would give other columns") {
		t.Errorf("a column of another type: %v", err)
	}
	must(t, insert.Execute(ctx, []kalam.Value{kalam.BigInt(3), kalam.BigInt(5_000_000_000)}, &collector{}))
	if got := s.must(ann, "SELECT id, n, extra FROM app.t ORDER BY id").table(); got != "id | n | extra\n1 | 1 | x\n2 | 1 | x\n3 | 5000000000 | x\n" {
		t.Errorf("the table holds\n%s", got)
	}
	s.must(root, "ALTER TABLE app.t DROP COLUMN n")
	if err := insert.Execute(ctx, []kalam.Value{kalam.BigInt(4), one}, &collector{}); err == nil ||
		!strings.Contains(err.Error(), "Column 'n' does not exist") {
		t.Errorf("an INSERT into a column that was dropped: %v", err)
	}
}

// TestAlterTransaction: what a transaction has written for an older version is not committed, and reads of the
// transaction follow the new one.
func TestAlterTransaction(t *testing.T) {
	s := newServer(t)
	ctx, ann := context.Background(), userOf("ann")
	s.must(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id INT PRIMARY KEY, n INT); CREATE USER TABLE app.u (id INT PRIMARY KEY)")
	s.must(ann, "INSERT INTO app.t VALUES (1, 1)")
	c := s.Open(ann, "app")
	defer c.Close()
	run := func(sql string) (collector, error) {
		var out collector
		err := c.Run(ctx, session.Request{SQL: sql}, &out)
		return out, err
	}
	begin := func() {
		t.Helper()
		_, err := run("BEGIN; INSERT INTO t (id, n) VALUES (2, 2); INSERT INTO u VALUES (1)")
		must(t, err)
	}
	begin()
	s.must(root, "ALTER TABLE app.t ADD COLUMN x INT DEFAULT 7")
	out, err := run("SELECT id, n, x FROM t ORDER BY id")
	must(t, err)
	if got := out.results[0].table(); got != "id | n | x\n1 | 1 | 7\n2 | 2 | 7\n" {
		t.Errorf("the transaction reads\n%s", got)
	}
	if _, err := run("COMMIT"); kalam.CodeOf(err) != kalam.CodeConflict || !strings.Contains(err.Error(), "Table app.t was changed by another statement") {
		t.Errorf("COMMIT: %v", err)
	}
	if got := s.single(ann, "SELECT count(*) AS n FROM app.u"); got != `"0"` {
		t.Errorf("%s rows of a transaction that was refused", got)
	}
	begin()
	if _, err := run("COMMIT"); err != nil {
		t.Errorf("again: %v", err)
	}
	begin2 := "BEGIN; SELECT count(*) AS n FROM t; INSERT INTO u VALUES (2)"
	if _, err := run(begin2); err != nil {
		t.Fatal(err)
	}
	s.must(root, "ALTER TABLE app.t DROP COLUMN n")
	if _, err := run("COMMIT"); err != nil {
		t.Errorf("a transaction that only read the table: %v", err)
	}
}

// TestShowCreate: the statement makes a table of the same definition, whatever was altered.
func TestShowCreate(t *testing.T) {
	s := newServer(t)
	s.must(root, "CREATE NAMESPACE app")
	for _, create := range []string{
		"CREATE USER TABLE app.t (id BIGINT PRIMARY KEY DEFAULT SNOWFLAKE_ID(), a TEXT NOT NULL DEFAULT 'it''s', \"select\" INT, n DECIMAL(9,2) DEFAULT 1.5)" +
			" WITH (FLUSH_POLICY = 'rows:7,interval:60', DELETED_RETENTION_HOURS = 3)",
		"CREATE SHARED TABLE app.t (a TEXT, b INT, c SERIAL, d INT GENERATED ALWAYS AS IDENTITY, PRIMARY KEY (b, a)) ACCESS LEVEL PUBLIC FLUSH_CRON '@hourly' FLUSH_CRON_TZ 'Europe/Berlin'",
		"CREATE STREAM TABLE app.t (v JSON, at TIMESTAMP DEFAULT NOW()) TTL 60",
	} {
		s.must(root, create)
		s.must(root, "ALTER TABLE app.t ADD COLUMN extra TEXT DEFAULT 'x'")
		s.must(root, "ALTER TABLE app.t RENAME COLUMN extra TO \"order\"")
		shown := func() (text, columns string) {
			text = s.must(root, "SHOW CREATE TABLE app.t").rows[0][1]
			return text, s.must(root, "SELECT column_name, data_type, default_value, nullable, primary_key_pos FROM system.columns WHERE table_name = 't' ORDER BY ordinal").table()
		}
		text, columns := shown()
		var sql string
		must(t, json.Unmarshal([]byte(text), &sql))
		s.must(root, "DROP TABLE app.t")
		s.must(root, sql)
		if again, same := shown(); again != text || same != columns {
			t.Errorf("%s\nmakes\n%s\n%s, before it was\n%s", sql, again, same, columns)
		}
		s.must(root, "DROP TABLE app.t")
	}
	if _, err := s.try(root, "SHOW CREATE TABLE system.users"); kalam.CodeOf(err) != kalam.CodeTableNotFound {
		t.Errorf("of a system table: %v", err)
	}
}
