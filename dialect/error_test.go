package dialect_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect"
)

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

func TestMessagesAreShort(t *testing.T) {
	huge := strings.Repeat("x", 1<<20)
	for _, sql := range []string{
		huge, "SELECT " + huge + " FROM t; ALTER " + huge, "INSERT INTO " + huge + " VALUES (1)",
		"UPDATE t SET \"" + huge + "\" = 1 WHERE a = 1",
		"CREATE TABLE " + huge + " (a INT)", "CREATE TABLE t (" + huge + " INT)", "CREATE TABLE t (a " + huge + ")",
		"CREATE USER '" + huge + "' WITH INTERNAL",
		"CREATE TABLE t (a INT) " + huge + " 1", "CREATE TABLE t (a INT) FLUSH_POLICY '" + huge + "'",
		"KILL JOB '" + huge + "'", "KILL JOB " + huge,
		"SHOW " + huge, "SELECT $" + huge, "SELECT $" + strings.Repeat("9", 1<<20), "USE " + huge,
		"CREATE TABLE t (a DECIMAL(" + strings.Repeat("9", 1<<20) + "))",
		"CREATE STORAGE " + huge + " TYPE s3", "CREATE USER u WITH INTERNAL ROLE " + huge,
		"DESCRIBE t HISTORY LIMIT " + strings.Repeat("9", 1<<20),
		"SUBSCRIBE TO t OPTIONS (" + huge + " = 1)", "ALTER NAMESPACE n SET OPTIONS (" + huge + " = 1)",
		"EXECUTE AS USER '" + huge + "' (SELECT 1)",
		"CREATE TABLE t (a INT DEFAULT " + huge + ")", "CREATE NAMESPACE " + huge,
		"CREATE TABLE t (a INT) STORAGE '" + huge + "'",
		"CREATE TABLE t (a INT) ACCESS '" + huge + "'", "CREATE TABLE t (a INT) SHARD_STRATEGY '" + huge + "'",
		"CREATE STORAGE s TYPE " + huge,
	} {
		_, err := dialect.Parse(sql)
		if err == nil {
			t.Errorf("no error for %.40q", sql)
			continue
		}
		if n := len(err.Error()); n > 300 {
			t.Errorf("message of %d bytes for %.40q: %.200s", n, sql, err)
		}
	}
}
