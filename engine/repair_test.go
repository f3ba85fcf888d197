package engine_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/maintain/backup"
	"github.com/kalamlake/kalam/maintain/repair"
)

// TestRepair damages what can be mended: without consent it is told and nothing is changed; with it the lake is whole
// again, what was there is in the trash, and every row is as it was. A damaged Parquet file is put back from a backup.
func TestRepair(t *testing.T) {
	s := scrubbed(t)
	alice, bob := userOf("alice"), userOf("bob")
	s.must(alice, "DELETE FROM app.t WHERE id < 10")
	dir := filepath.Join(t.TempDir(), "backups")
	s.backUp(dir)
	cfg := s.config
	const sql = "SELECT count(*) || md5(string_agg(body, '' ORDER BY id)) FROM app.t"
	wantAlice, wantBob := s.single(alice, sql), s.single(bob, sql)
	s.stop()
	storage := cfg.StoragePath()
	one := func(pattern string) string {
		names, err := filepath.Glob(filepath.Join(storage, pattern))
		if err != nil || len(names) != 1 {
			t.Fatalf("%s: %v, %v", pattern, names, err)
		}
		return names[0]
	}
	aliceKeys, bobKeys := one("users/alice/*/*/*.keys"), one("users/bob/*/*/*.keys")
	bobRows := one("users/bob/*/*/*.parquet")
	must(t, os.Remove(aliceKeys))
	must(t, os.Remove(bobRows)) // Not in place: the backup has a hard link.
	must(t, os.WriteFile(bobRows, []byte("PAR1 damaged PAR1"), 0o600))
	put(t, one("users/alice/*/*/manifest.json"), []byte("{}"))
	must(t, os.Remove(one("users/bob/*/*/manifest.json")))
	orphan := filepath.Join(filepath.Dir(bobRows), "2026-01-31T12-00-00-7.parquet")
	must(t, os.WriteFile(orphan, []byte("left by a crash"), 0o600))
	stray := filepath.Join(storage, "notes.txt")
	must(t, os.WriteFile(stray, []byte("mine"), 0o600))
	before := treeOf(t, storage)
	mend := func(o repair.Options) (said []string, r repair.Report) {
		t.Helper()
		o.Done = func(line string) { said = append(said, line) }
		r, err := repair.Run(t.Context(), cfg.Inspect(), o)
		must(t, err)
		if len(r.Failed) > 0 {
			t.Errorf("failed: %v", r.Failed)
		}
		return said, r
	}
	d, err := backup.Open(t.Context(), dir, false)
	must(t, err)
	defer func() { must(t, d.Close()) }()
	said, r := mend(repair.Options{From: d})
	sameTree(t, "storage without consent", before, treeOf(t, storage))
	for _, name := range []string{aliceKeys, bobRows, orphan, "users/alice/app/t/manifest.json", "users/bob/app/t/manifest.json"} {
		if !slices.ContainsFunc(said, func(l string) bool { return strings.Contains(l, filepath.Base(name)) }) {
			t.Errorf("nothing is said of %s: %q", name, said)
		}
	}
	if r.Before.Problems != 3 || r.Done != 5 {
		t.Errorf("%d problems, %d repairs: %q", r.Before.Problems, r.Done, said)
	}
	if _, r = mend(repair.Options{Consent: true}); r.After.Problems != 1 || r.After.Unnamed != 0 || r.After.Strays != 1 {
		t.Errorf("without the backup: %+v", r.After)
	}
	if said, r = mend(repair.Options{Consent: true, From: d}); r.After.Problems != 0 || r.Done != 1 {
		t.Errorf("with the backup: %+v, %q", r.After, said)
	}
	if said, r = mend(repair.Options{Consent: true, From: d}); r.Done != 0 || r.Before.Problems != 0 {
		t.Errorf("once more: %+v, %q", r.Before, said)
	}
	trash := strings.Join(filesBelow(t, filepath.Join(storage, ".trash"), ""), " ")
	for _, name := range []string{orphan, bobRows, bobKeys, "users/alice/app/t/manifest.json"} {
		if !strings.Contains(trash, filepath.Base(name)) {
			t.Errorf("%s is not in the trash: %s", name, trash)
		}
	}
	if _, err := os.Stat(stray); err != nil {
		t.Errorf("a file that is not the lake's: %v", err)
	}
	again := serverAt(t, cfg)
	if a, b := again.single(alice, sql), again.single(bob, sql); a != wantAlice || b != wantBob {
		t.Errorf("alice has %s, bob %s; want %s, %s", a, b, wantAlice, wantBob)
	}
	if _, err := repair.Run(t.Context(), cfg.Inspect(), repair.Options{Consent: true}); kalam.CodeOf(err) != kalam.CodeInvalidOperation {
		t.Errorf("repair beside a server = %v", err)
	}
}
