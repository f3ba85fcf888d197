package shell_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kalamlake/kalam/shell"
)

var update = flag.Bool("update", false, "rewrite testdata/*.golden")

// base is a Config for the fake server, without an environment.
func base(f *fake) shell.Config {
	password := "secret"
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return shell.Config{
		URL: f.URL, User: "alice", Password: &password, Getenv: func(string) string { return "" },
		Now: func() time.Time { now = now.Add(145 * time.Millisecond); return now },
	}
}

// within bounds a test's waiting.
func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// golden compares an outcome with testdata/name.golden.
func golden(t *testing.T, f *fake, name string, code int, out, errOut string) {
	t.Helper()
	got := fmt.Sprintf("exit %d\n--- stdout\n%s--- stderr\n%s", code, out,
		strings.ReplaceAll(errOut, f.URL, "http://server"))
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s differs (-want +got); -update rewrites it:\n%s", path, d)
	}
}

const script = `-- Two tables; the second statement ends on another line.
CREATE TABLE app.t (id INT);
INSERT INTO app.t VALUES (1),
  (2);
USE chat;
BEGIN; INSERT INTO app.t VALUES (3); COMMIT;
\x
SELECT 1;
`

func TestGolden(t *testing.T) {
	for _, c := range []struct {
		name                 string
		format, command, in  string
		subscribe, namespace string
		null                 string
		verbose, color       bool
		count                int
		live                 []string
	}{
		{name: "table", command: "SELECT * FROM types"},
		{name: "table-color", command: "SELECT * FROM types", color: true},
		{name: "table-empty", command: "SELECT none"},
		{name: "table-truncated", command: "SELECT cut"},
		{name: "table-wide", command: "SELECT wide"},
		{name: "vertical", command: "SELECT * FROM types", format: "vertical"},
		{name: "json", command: "SELECT * FROM types", format: "json"},
		{name: "csv", command: "SELECT * FROM types", format: "csv"},
		{name: "csv-null", command: "SELECT * FROM types", format: "csv", null: `\N`},
		{name: "jsonl", command: "SELECT * FROM types", format: "jsonl"},
		{name: "tsv", command: "SELECT * FROM types", format: "tsv"},
		{name: "markdown", command: "SELECT * FROM types", format: "markdown"},
		{name: "html", command: "SELECT * FROM types", format: "html"},
		{name: "insert", command: "SELECT * FROM types", format: "insert"},
		{name: "csv-empty", command: "SELECT none", format: "csv"},
		{name: "envelope", command: "SELECT 1; INSERT INTO t", format: "envelope"},
		{name: "dml", command: "INSERT INTO t VALUES (1), (2)"},
		{name: "dml-json", command: "INSERT INTO t VALUES (1), (2)", format: "json"},
		{name: "batch", command: "SELECT 1; INSERT INTO t; SELECT none"},
		{name: "batch-json", command: "SELECT 1; INSERT INTO t; SELECT none", format: "json"},
		{name: "batch-csv", command: "SELECT 1; INSERT INTO t; SELECT none", format: "csv"},
		{name: "error", command: "SELECT 1;\nINSERT INTO t;\n  FROB 你好"},
		{name: "error-verbose", command: "FROB", verbose: true, color: true},
		{name: "script", in: script},
		{name: "script-json", in: script, format: "json"},
		{name: "script-error", in: "SELECT 1;\n\nSELECT 1; BEGIN;\nSELECT 1;\nFROB x; COMMIT;\nSELECT 1;"},
		{name: "script-unterminated", in: "SELECT 1;\nSELECT 'abc;\n"},
		{name: "script-unknown-command", in: "SELECT 1;\n\\frob\nSELECT 1;\n"},
		{name: "script-quit", in: "SELECT 1;\n\\q\nSELECT 1;\n"},
		{name: "script-empty", in: " -- nothing\n"},
		{name: "meta-help", command: `\help`},
		{name: "meta-health", command: `\health`},
		{name: "meta-format", command: `\format yaml`},
		{name: "live", subscribe: "SUBSCRIBE TO app.t WHERE id > 0 LAST 2", count: 3, live: liveFrames},
		{name: "live-json", subscribe: "SELECT * FROM app.t", count: 3, format: "json", live: liveFrames},
		{name: "live-csv", subscribe: "SELECT * FROM app.t", count: 3, format: "csv", live: liveFrames},
		{name: "live-command", command: "SUBSCRIBE TO app.t;", count: 1, live: liveFrames[1:]},
		{name: "live-refused", subscribe: "SELECT * FROM refused"},
		{name: "live-killed", subscribe: "SELECT * FROM app.t", count: 9, live: append(liveFrames[1:2:2], liveKilled)},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t)
			f.live = c.live
			config := base(f)
			config.Format, config.Verbose, config.Namespace, config.Subscribe, config.Count = c.format, c.verbose,
				c.namespace, c.subscribe, c.count
			if c.color {
				config.Color = &c.color
			}
			if c.null != "" {
				config.Null = &c.null
			}
			if c.command != "" {
				config.Command = &c.command
			}
			var out, errOut bytes.Buffer
			code := shell.Run(within(t), config, strings.NewReader(c.in), &out, &errOut)
			golden(t, f, c.name, code, out.String(), errOut.String())
		})
	}
}

var liveFrames = []string{
	`{"type":"initial_data_batch","subscription_id":"$ID","rows":[{"body":"first","id":"1","_seq":"10","_deleted":false},{"body":null,"id":"2","_seq":"11","_deleted":false}],"batch_control":{"batch_num":0,"has_more":false,"status":"ready","last_seq_id":11}}`,
	`{"type":"change","subscription_id":"$ID","change_type":"insert","rows":[{"id":"3","body":"new, \"你好\"\u001b[2J","_seq":"12","_deleted":false}]}`,
	`{"type":"change","subscription_id":"$ID","change_type":"update","rows":[{"id":"3","body":"","_seq":"13","_deleted":false}],"old_values":[{"id":"3","body":"new","_seq":"12","_deleted":false}]}`,
	`{"type":"change","subscription_id":"$ID","change_type":"delete","old_values":[{"id":"3","body":"","_seq":"14","_deleted":true}]}`,
}

const liveKilled = `{"type":"error","subscription_id":"$ID","code":"SUBSCRIPTION_KILLED","message":"Live query killed"}`
