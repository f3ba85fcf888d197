package catalog_test

import (
	"bytes"
	"context"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/buffer/buffertest"
	"github.com/kalamlake/kalam/buffer/memory"
	"github.com/kalamlake/kalam/catalog"
)

// stuck is a backend whose Apply waits when on.
type stuck struct {
	*memory.Backend
	on            bool
	entered, gate chan struct{}
}

func (s *stuck) Apply(ctx context.Context, ops []buffer.Op) error {
	if s.on {
		s.entered <- struct{}{}
		<-s.gate
	}
	return s.Backend.Apply(ctx, ops)
}

// TestDamage changes every record in many ways: it is found, and named, when the
// record is read, and nothing is changed by finding it.
func TestDamage(t *testing.T) {
	clk, base := newClock(), memory.New()
	c := open(t, base, catalog.Options{Now: clk.now})
	rich(t, c, clk)
	all := records(t, base)
	kinds := map[string]bool{}
	for _, key := range sortedKeys(all) {
		raw := all[key]
		kinds[strings.TrimRight(key[:strings.LastIndex("/"+key, "/")], "/")] = true
		for name, bad := range damages(raw) {
			b := base.Clone()
			check(t, buffertest.Put(t.Context(), b, catalog.Keyspace, []byte(key), bad))
			damagedIsFound(t, b, key, name)
		}
	}
	for _, kind := range []string{"", "namespace", "table", "dropped", "user", "storage",
		"secret", "apikey", "job/active", "job/done"} {
		if !kinds[kind] {
			t.Errorf("no record of kind %q was damaged; there are %v", kind, kinds)
		}
	}
}

// damages returns broken forms of a record.
func damages(raw []byte) map[string][]byte {
	m := map[string][]byte{
		"empty": {}, "garbage": []byte("garbage"), "head only": raw[:bytes.IndexByte(raw, '\n')],
		"cut":       raw[:len(raw)-1],
		"longer":    append(bytes.Clone(raw), ' '),
		"version 0": bytes.Replace(raw, []byte("kalam 9 "), []byte("kalam 0 "), 1),
	}
	for _, at := range []int{0, 6, 8, 12, len(raw) / 2, len(raw) - 2, len(raw) - 1} {
		for _, bit := range []byte{0x01, 0x80} {
			bad := bytes.Clone(raw)
			bad[at] ^= bit
			m[fmt.Sprintf("byte %d xor %#x", at, bit)] = bad
		}
	}
	return m
}

func damagedIsFound(t *testing.T, b *memory.Backend, key, name string) {
	t.Helper()
	before := records(t, b)
	c, err := catalog.Open(t.Context(), b, catalog.Options{BcryptCost: cheap})
	if id, finished := strings.CutPrefix(key, "job/done/"); finished {
		if err != nil {
			t.Errorf("%s of %s: open: %v", name, key, err)
			return
		}
		_, _, err = c.Job(t.Context(), kalam.JobID(id))
	}
	if kalam.CodeOf(err) != kalam.CodeCorrupt || !strings.Contains(err.Error(), fmt.Sprintf("%q", key)) {
		t.Errorf("%s of %s: %v", name, key, err)
	}
	if after := records(t, b); len(after) != len(before) {
		t.Errorf("%s of %s: %d records became %d", name, key, len(before), len(after))
	}
}

// TestMisplacedRecord moves records to other keys.
func TestMisplacedRecord(t *testing.T) {
	clk, base := newClock(), memory.New()
	rich(t, open(t, base, catalog.Options{Now: clk.now}), clk)
	all := records(t, base)
	move := func(from, to string) error {
		b := base.Clone()
		check(t, buffertest.Put(t.Context(), b, catalog.Keyspace, []byte(to), all[from]))
		_, err := catalog.Open(t.Context(), b, catalog.Options{BcryptCost: cheap})
		return err
	}
	for from, to := range map[string]string{
		"user/in": "user/locked", "namespace/app": "namespace/default", "user/dropped": "user/ghost",
		"storage/s3": "storage/local",
	} {
		if err := move(from, to); kalam.CodeOf(err) != kalam.CodeCorrupt || !strings.Contains(err.Error(), to) {
			t.Errorf("%s moved to %s: %v", from, to, err)
		}
	}
	for _, missing := range []string{"meta", "namespace/app"} {
		b := base.Clone()
		check(t, buffertest.Delete(t.Context(), b, catalog.Keyspace, []byte(missing)))
		if _, err := catalog.Open(t.Context(), b,
			catalog.Options{BcryptCost: cheap}); kalam.CodeOf(err) != kalam.CodeCorrupt {
			t.Errorf("without %s: %v", missing, err)
		}
	}
}

// TestDamagedHistory checks that one damaged record of a finished job hinders
// neither the others nor their removal.
func TestDamagedHistory(t *testing.T) {
	clk, b := newClock(), memory.New()
	c := open(t, b, catalog.Options{Now: clk.now})
	richJobs(t, c, clk)
	const bad = "job/done/CL-000000000002"
	check(t, buffertest.Put(t.Context(), b, catalog.Keyspace, []byte(bad), []byte("garbage")))
	var last error
	seen := 0
	for _, err := range c.Jobs(t.Context()) {
		if seen++; err != nil {
			last = err
		}
	}
	if kalam.CodeOf(last) != kalam.CodeCorrupt || !strings.Contains(last.Error(), bad) {
		t.Errorf("Jobs: %v", last)
	}
	n, err := c.DeleteJobsBefore(t.Context(), clk.now().AddDate(1, 0, 0))
	if kalam.CodeOf(err) != kalam.CodeCorrupt || n != 3 {
		t.Errorf("DeleteJobsBefore: %d, %v", n, err)
	}
	if _, ok := records(t, b)[bad]; !ok {
		t.Error("the damaged record was removed")
	}
}

// TestNewerFormat checks that the records of a newer version are not touched.
func TestNewerFormat(t *testing.T) {
	b := memory.New()
	open(t, b, catalog.Options{})
	check(t, buffertest.Put(t.Context(), b, catalog.Keyspace, []byte("user/root"), sealed("user/root", "99", "{}")))
	_, err := catalog.Open(t.Context(), b, catalog.Options{BcryptCost: cheap})
	if kalam.CodeOf(err) != kalam.CodeUnsupported || !strings.Contains(err.Error(), `"user/root"`) {
		t.Errorf("open: %v", err)
	}
}

// TestOlderFormat opens records of version 1, which tables without FLUSH_CRON had.
func TestOlderFormat(t *testing.T) {
	b, clk := memory.New(), newClock()
	c := open(t, b, catalog.Options{Now: clk.now})
	rich(t, c, clk)
	want := dumpOf(t, c)
	check(t, c.Close())
	old := 0
	for key, raw := range records(t, b) {
		_, body, _ := bytes.Cut(raw, []byte("\n"))
		if bytes.Contains(body, []byte("flush_cron")) {
			continue
		}
		old++
		check(t, buffertest.Put(t.Context(), b, catalog.Keyspace, []byte(key), sealed(key, "1", string(body))))
	}
	got := dumpOf(t, open(t, b, catalog.Options{Now: clk.now}))
	if diff := same(want, got); diff != "" || old < 10 {
		t.Errorf("%d records of version 1: (-want +got):\n%s", old, diff)
	}
}

// sealed returns a record as docs/architecture/catalog-format.md describes it.
func sealed(key, version, body string) []byte {
	sum := crc32.Checksum([]byte(key+"\x00"+version+"\x00"+body), crc32.MakeTable(crc32.Castagnoli))
	return fmt.Appendf(nil, "kalam %s %08x\n%s", version, sum, body)
}

// TestFormat checks that records are read and written as documented.
func TestFormat(t *testing.T) {
	b := memory.New()
	c := open(t, b, catalog.Options{})
	check(t, c.PutSecret(t.Context(), "jwt", catalog.NewSecret("hidden")))
	key := "secret/jwt"
	got, want := string(records(t, b)[key]), "kalam 9 b3acee1c\n{\"text\":\"hidden\"}"
	if got != want || string(sealed(key, "9", `{"text":"hidden"}`)) != want {
		t.Errorf("record %q, want %q", got, want)
	}
}

// TestUnusableRecords writes records that are whole but make no sense.
func TestUnusableRecords(t *testing.T) {
	const table, user = "table/0000000000000007", "user/x"
	column := `{"id":1,"name":"id","type":"BigInt"}`
	version := func(columns, rest string) string {
		return `{"number":7,"namespace":"default","name":"t","kind":"user","next_column":2,` +
			`"created_at":"2025-01-01T00:00:00Z","versions":[` +
			`{"version":1,"columns":[` + columns + `],"changes":"","created_at":"2025-01-01T00:00:00Z",` + rest + `}]}`
	}
	good := version(column, `"primary_key":[1],"options":{}`)
	tests := []struct{ name, key, body string }{
		{"no JSON", table, `{`},
		{"unknown field", table, strings.Replace(good, `"kind"`, `"colour":1,"kind"`, 1)},
		{"table of no kind", table, strings.Replace(good, `"user"`, `"odd"`, 1)},
		{"table without namespace", table, strings.Replace(good, `"default"`, `"nowhere"`, 1)},
		{"table number not given yet", table, strings.Replace(good, `"number":7`, `"number":70`, 1)},
		{"no versions", table,
			`{"number":7,"namespace":"default","name":"t","kind":"user","next_column":2,` +
				`"created_at":"2025-01-01T00:00:00Z","versions":[]}`},
		{"version missing", table, strings.Replace(good, `"version":1`, `"version":2`, 1)},
		{"key of no column", table, version(column, `"primary_key":[9],"options":{}`)},
		{"unknown type", table,
			version(strings.Replace(column, "BigInt", "Huge", 1), `"primary_key":[1],"options":{}`)},
		{"unknown access", table, version(column, `"primary_key":[1],"options":{"access":"odd"}`)},
		{"unknown default", table, version(strings.Replace(column, `}`, `,"default":{"func":"RAND()","sql":""}}`, 1),
			`"primary_key":[1],"options":{}`)},
		{"default without value", table, version(strings.Replace(column, `}`, `,"default":{"sql":"1"}}`, 1),
			`"primary_key":[1],"options":{}`)},
		{"default of no kind", table,
			version(strings.Replace(column, `}`, `,"default":{"sql":"1","value":{"kind":"ODD"}}}`,
				1), `"primary_key":[1],"options":{}`)},
		{"default that is no number", table, version(strings.Replace(column, `}`,
			`,"default":{"sql":"1","value":{"kind":"INT","text":"x"}}}`, 1), `"primary_key":[1],"options":{}`)},
		{"default that is no uuid", table, version(strings.Replace(column, `}`,
			`,"default":{"sql":"1","value":{"kind":"UUID","hex":"00"}}}`, 1), `"primary_key":[1],"options":{}`)},
		{"default that is no hex", table, version(strings.Replace(column, `}`,
			`,"default":{"sql":"1","value":{"kind":"BYTES","hex":"0g"}}}`, 1), `"primary_key":[1],"options":{}`)},
		{"dropped table of no kind", "dropped/0000000000000007", strings.Replace(good, `"user"`, `"odd"`, 1)},
		{"user of no role", user,
			`{"id":"x","username":"x","role":"odd","auth_type":"password","storage_mode":"table","token_epoch":1}`},
		{"user of no auth type", user,
			`{"id":"x","username":"x","role":"user","auth_type":"odd","storage_mode":"table","token_epoch":1}`},
		{"user of no storage mode", user,
			`{"id":"x","username":"x","role":"user","auth_type":"password","storage_mode":"odd","token_epoch":1}`},
		{"key without hash", "apikey/x", `{"id":"x","name":"x","user":"root","hash":"","created_by":"root",` +
			`"created_at":"2025-01-01T00:00:00Z"}`},
		{"key with a short hash", "apikey/x", `{"id":"x","name":"x","user":"root","hash":"00ff","created_by":"root",` +
			`"created_at":"2025-01-01T00:00:00Z"}`},
		{"key with a long hash", "apikey/x", `{"id":"x","name":"x","user":"root","hash":"` + strings.Repeat("0", 66) +
			`","created_by":"root","created_at":"2025-01-01T00:00:00Z"}`},
		{"key of odd scopes", "apikey/x", `{"id":"x","name":"x","user":"root","hash":"` + strings.Repeat("0", 64) +
			`","scopes":"all","created_by":"root","created_at":"2025-01-01T00:00:00Z"}`},
		{"grant on nothing", "grant/table/0000000000000007/user/u", `{"user":"u","privileges":"SELECT","granted_by":"root",` +
			`"created_at":"2025-01-01T00:00:00Z","updated_at":"2025-01-01T00:00:00Z"}`},
		{"grant to a user and a role", "grant/table/0000000000000007/user/u", `{"table":7,"user":"u","role":"user",` +
			`"privileges":"SELECT","granted_by":"root",` +
			`"created_at":"2025-01-01T00:00:00Z","updated_at":"2025-01-01T00:00:00Z"}`},
		{"grant to role system", "grant/namespace/n/role/system", `{"namespace":"n","role":"system",` +
			`"privileges":"SELECT","granted_by":"root",` +
			`"created_at":"2025-01-01T00:00:00Z","updated_at":"2025-01-01T00:00:00Z"}`},
		{"grant of odd privileges", "grant/namespace/n/role/user", `{"namespace":"n","role":"user",` +
			`"privileges":"SELECT, DROP","granted_by":"root",` +
			`"created_at":"2025-01-01T00:00:00Z","updated_at":"2025-01-01T00:00:00Z"}`},
		{"grant under the key of another", "grant/namespace/m/role/user", `{"namespace":"n","role":"user",` +
			`"privileges":"SELECT","granted_by":"root",` +
			`"created_at":"2025-01-01T00:00:00Z","updated_at":"2025-01-01T00:00:00Z"}`},
		{"policy without a condition", "policy/0000000000000007/p", `{"name":"p","table":7,"commands":"SELECT","columns":[],` +
			`"created_by":"root","created_at":"2025-01-01T00:00:00Z"}`},
		{"policy of an odd command", "policy/0000000000000007/p", `{"name":"p","table":7,"commands":"DROP","using":"a","columns":["a"],` +
			`"created_by":"root","created_at":"2025-01-01T00:00:00Z"}`},
		{"policy for an odd role", "policy/0000000000000007/p", `{"name":"p","table":7,"commands":"SELECT","roles":["odd"],"using":"a",` +
			`"columns":["a"],"created_by":"root","created_at":"2025-01-01T00:00:00Z"}`},
		{"policy under the key of another", "policy/0000000000000008/p", `{"name":"p","table":7,"commands":"SELECT","using":"a",` +
			`"columns":["a"],"created_by":"root","created_at":"2025-01-01T00:00:00Z"}`},
		{"namespace option of no kind", "namespace/n",
			`{"id":"n","options":{"a":{"kind":"ODD"}},"created_at":"2025-01-01T00:00:00Z",` +
				`"updated_at":"2025-01-01T00:00:00Z"}`},
	}
	base := memory.New()
	c := open(t, base, catalog.Options{})
	for i := range 10 {
		createTable(t, c, spec("default", kalam.TableName(fmt.Sprint("t", i))))
	}
	for i := range 10 {
		dropped, err := c.DropTable(t.Context(), kalam.TableID{Namespace: "default",
			Name: kalam.TableName(fmt.Sprint("t", i))})
		check(t, err)
		check(t, c.ForgetDropped(t.Context(), dropped.Number))
	}
	openWith := func(key, body string) error {
		b := base.Clone()
		check(t, buffertest.Put(t.Context(), b, catalog.Keyspace, []byte(key), sealed(key, "1", body)))
		_, err := catalog.Open(t.Context(), b, catalog.Options{BcryptCost: cheap})
		return err
	}
	if err := openWith(table, good); err != nil {
		t.Fatalf("the good record: %v", err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := openWith(tt.key, tt.body); kalam.CodeOf(err) != kalam.CodeCorrupt ||
				!strings.Contains(err.Error(), fmt.Sprintf("%q", tt.key)) {
				t.Errorf("open: %v", err)
			}
		})
	}
	b := base.Clone()
	twin := strings.Replace(good, `"number":7`, `"number":8`, 1)
	check(t, buffertest.Put(t.Context(), b, catalog.Keyspace, []byte(table), sealed(table, "1", good)))
	check(t, buffertest.Put(t.Context(), b, catalog.Keyspace, []byte("table/0000000000000008"),
		sealed("table/0000000000000008", "1", twin)))
	if _, err := catalog.Open(t.Context(), b,
		catalog.Options{BcryptCost: cheap}); kalam.CodeOf(err) != kalam.CodeCorrupt {
		t.Errorf("two tables of one name: %v", err)
	}
}
