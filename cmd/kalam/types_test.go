//go:build unix

package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTypes writes the types of tables of a real server. They are those that the tests of the TypeScript client
// compile against and compare with the values that come.
func TestTypes(t *testing.T) {
	s := startServer(t)
	s.sql(`CREATE NAMESPACE app; CREATE NAMESPACE other; CREATE USER TABLE other.t (id BIGINT PRIMARY KEY);
CREATE USER TABLE app.every_type (id BIGINT PRIMARY KEY, b BOOLEAN NOT NULL, si SMALLINT, i INT, f FLOAT, d DOUBLE,
	de DECIMAL(20,4), tx TEXT, ts TIMESTAMP, dt DATETIME, da DATE, ti TIME, js JSON, by BYTES, uu UUID);`)
	run := func(args ...string) (code int, out, errOut string) {
		var o, e bytes.Buffer
		m := Main{
			Args: append([]string{"types", "--url", s.url, "-u", "root", "--password", rootPassword}, args...),
			In:   strings.NewReader(""), Out: &o, Err: &e, Getenv: func(string) string { return "" },
		}
		code = m.Run(t.Context())
		return code, o.String(), e.String()
	}
	want, err := os.ReadFile("../../link/js/test/tables.ts")
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"-n", "app"}, {"app.every_type"}, {"-n", "app", "every_type"}} {
		code, got, errOut := run(args...)
		if d := cmp.Diff(string(want), got); d != "" || code != 0 || errOut != "" {
			t.Errorf("%q: exit %d, %s\n(-want +got)\n%s", args, code, errOut, d)
		}
	}
	if code, got, _ := run(); code != 0 || !strings.Contains(got, "interface AppEveryType") || !strings.Contains(got, "interface OtherT") {
		t.Errorf("exit %d, %s", code, got)
	}
	for _, name := range []string{"app.nothing", "a.b.c", "app.every_type' OR '1'='1"} {
		if code, got, errOut := run("other.t", name); code != 1 || got != "" || !strings.HasPrefix(errOut, "ERROR: ") {
			t.Errorf("%s: exit %d, %q, %q", name, code, got, errOut)
		}
	}
}
