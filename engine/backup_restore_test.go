package engine_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/engine"
	"github.com/kalamlake/kalam/maintain"
	"github.com/kalamlake/kalam/maintain/backup"
	"github.com/kalamlake/kalam/query"
)

// verifiedBackups runs Verify over a directory and returns what is wrong.
func verifiedBackups(t *testing.T, dir string) (lines []string, v backup.Verified) {
	t.Helper()
	d, err := backup.Open(context.Background(), dir, false)
	must(t, err)
	defer func() { must(t, d.Close()) }()
	v, err = backup.Verify(context.Background(), d, "", func(line string) { lines = append(lines, line) })
	must(t, err)
	return lines, v
}

// TestBackupDamage damages each file of a backup in every kind of way: verifying and restoring it name the file, and
// of the refused restore nothing is left.
func TestBackupDamage(t *testing.T) {
	r := seededRand(t)
	s := scrubbed(t)
	s.must(userOf("alice"), "UPDATE app.t SET body = 'changed' WHERE id = 1")
	dir := filepath.Join(t.TempDir(), "backups")
	m := s.backUp(dir)
	cfg := s.config
	s.stop()
	lines, v := verifiedBackups(t, dir)
	if len(lines) > 0 || v.Backups != 1 || v.Files != 1+2*len(m.Segments) {
		t.Errorf("Verify of a whole backup = %+v, %q", v, lines)
	}
	var files []string
	for _, below := range []string{"backups", "records", "objects"} {
		for _, f := range filesBelow(t, filepath.Join(dir, below), "") {
			files = append(files, filepath.Join(dir, below, f))
		}
	}
	for i := range 60 {
		name := files[i%len(files)]
		whole, err := os.ReadFile(name)
		must(t, err)
		what := "a flipped bit"
		bad := slices.Clone(whole)
		bit := r.IntN(8 * len(bad))
		bad[bit/8] ^= 1 << (bit % 8)
		switch i / len(files) % 4 {
		case 1:
			what, bad = "a cut", bad[:r.IntN(len(bad))]
		case 2:
			what, bad = "the content of another", []byte("{}")
		}
		// Not in place: a hard link shares its bytes with the lake.
		must(t, os.Remove(name))
		if gone := i/len(files)%4 == 3 && !strings.HasSuffix(name, ".json"); !gone {
			must(t, os.WriteFile(name, bad, 0o600))
		} else {
			what = "a deletion"
		}
		lines, v := verifiedBackups(t, dir)
		if v.Problems == 0 || !slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, filepath.Base(name)) }) {
			t.Errorf("%s in %s: Verify says %q", what, name, lines)
		}
		to, err := restore(t, dir, cfg)
		if kalam.CodeOf(err) != kalam.CodeCorrupt || !strings.Contains(err.Error(), filepath.Base(name)) {
			t.Errorf("%s in %s: Restore = %v", what, name, err)
		}
		if left := filesBelow(t, filepath.Dir(to.Storage.DataPath), ""); len(left) > 0 {
			t.Errorf("%s in %s: a refused restore leaves %q", what, name, left)
		}
		must(t, os.WriteFile(name, whole, 0o600))
	}
	if lines, _ := verifiedBackups(t, dir); len(lines) > 0 {
		t.Errorf("Verify of the mended backup = %q", lines)
	}
}

// TestRestoreRefused: what holds data is not restored into, nor is anything that is no backup restored.
func TestRestoreRefused(t *testing.T) {
	s := scrubbed(t)
	dir := filepath.Join(t.TempDir(), "backups")
	s.backUp(dir)
	cfg := s.config
	s.stop()
	before := treeOf(t, cfg.Storage.DataPath)
	into := func(data string) func(*backup.RestoreOptions) {
		return func(o *backup.RestoreOptions) {
			c := cfg
			c.Storage.DataPath = data
			o.Pair = c.Pair()
		}
	}
	if _, err := restore(t, dir, cfg, into(cfg.Storage.DataPath)); kalam.CodeOf(err) != kalam.CodeInvalidOperation ||
		!strings.Contains(err.Error(), "is restored into an empty directory") {
		t.Errorf("Restore into a lake = %v", err)
	}
	sameTree(t, "data directory", before, treeOf(t, cfg.Storage.DataPath))
	other := t.TempDir()
	must(t, os.WriteFile(filepath.Join(other, "notes.txt"), []byte("mine"), 0o600))
	if _, err := restore(t, dir, cfg, into(other)); kalam.CodeOf(err) != kalam.CodeInvalidOperation {
		t.Errorf("Restore into a directory with a file = %v", err)
	}
	if _, err := backup.Open(t.Context(), other, true); kalam.CodeOf(err) != kalam.CodeInvalidOperation {
		t.Errorf("Open of a directory with a file = %v", err)
	}
	if _, err := backup.Open(t.Context(), t.TempDir(), false); kalam.CodeOf(err) != kalam.CodeNotFound {
		t.Errorf("Open of a directory without backups = %v", err)
	}
	if _, err := restore(t, dir, cfg, func(o *backup.RestoreOptions) { o.ID = "other" }); kalam.CodeOf(err) != kalam.CodeNotFound {
		t.Errorf("Restore of no backup = %v", err)
	}
	keyed := filepath.Join(t.TempDir(), "keyed")
	must(t, os.Mkdir(keyed, 0o700))
	must(t, os.WriteFile(filepath.Join(keyed, "credentials.key"), []byte("key"), 0o600))
	if _, err := restore(t, dir, cfg, into(keyed)); err != nil {
		t.Errorf("Restore beside the key of credentials = %v", err)
	}
}

// TestBackupDestinations: who may make backups, and where they may go.
func TestBackupDestinations(t *testing.T) {
	s := scrubbed(t)
	dir := filepath.Join(t.TempDir(), "backups")
	for _, p := range []kalam.Principal{userOf("alice"), {User: "svc", Role: kalam.RoleService}, {User: "nobody", Role: kalam.RoleAnonymous}} {
		if _, err := s.try(p, "BACKUP DATABASE TO '"+dir+"'"); err == nil || !strings.Contains(err.Error(), "make backups") {
			t.Errorf("as %v: %v", p, err)
		}
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("a refused backup makes its directory: %v", err)
	}
	cold := filepath.Join(t.TempDir(), "cold")
	s.must(root, "CREATE STORAGE cold TYPE filesystem PATH '"+cold+"'")
	data := s.config.Storage.DataPath
	for to, want := range map[string]string{
		"relative/dir": "neither an absolute directory", "": "neither", "nowhere": "Storage 'nowhere' does not exist",
		"local": "does not go to the storage 'local'", data: "cannot hold backups", filepath.Join(data, "x"): "cannot hold backups",
		filepath.Dir(data): "cannot hold backups", filepath.Join(cold, "users"): "cannot hold backups",
		data + "/../" + filepath.Base(data) + "/buffer": "cannot hold backups",
	} {
		if _, err := s.try(root, "BACKUP DATABASE TO '"+to+"'"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("TO '%s' = %v, want %q", to, err, want)
		}
	}
	j := s.await(s.must(kalam.Principal{User: "admin", Role: kalam.RoleDBA}, "BACKUP DATABASE TO cold").jobs[0])
	if j.Status != kalam.JobCompleted {
		t.Fatalf("backup to a storage is %s: %s", j.Status, j.Error)
	}
	if lines, v := verifiedBackups(t, filepath.Join(cold, ".kalam-backup")); len(lines) > 0 || v.Backups != 1 {
		t.Errorf("the backup in the storage: %+v, %q", v, lines)
	}
	if r, err := s.Maintain().RemoveOrphans(t.Context()); err != nil || r.FilesTrashed != 0 {
		t.Errorf("orphans after a backup to a storage: %+v, %v", r, err)
	}
}

// TestRestoreElsewhere backs up tables in other storages, a directory and a bucket, and restores them to "local".
func TestRestoreElsewhere(t *testing.T) {
	s, f := newS3Server(t)
	s.createS3(f)
	cold := filepath.Join(t.TempDir(), "cold")
	s.must(root, "CREATE STORAGE cold TYPE filesystem PATH '"+cold+"'")
	s.must(root, "CREATE NAMESPACE app")
	alice := userOf("alice")
	for _, id := range []string{"bucket", "cold", "local"} {
		s.must(root, "CREATE USER TABLE app."+id+" (id BIGINT PRIMARY KEY, v TEXT) STORAGE_ID '"+id+"' FLUSH_POLICY 'manual'")
		for i := range 3 {
			s.must(alice, fmt.Sprintf("INSERT INTO app.%s VALUES (%d, 'v'), (%d, 'w')", id, i, i+10))
			s.flush()
		}
		s.must(alice, "UPDATE app."+id+" SET v = 'changed' WHERE id = 2")
		s.must(alice, "DELETE FROM app."+id+" WHERE id = 11")
	}
	s.must(root, "CREATE USER TABLE app.gone (id BIGINT PRIMARY KEY) STORAGE_ID 'cold' FLUSH_POLICY 'manual'")
	dir := filepath.Join(t.TempDir(), "backups")
	m := s.backUp(dir)
	if len(m.Storages) != 2 || m.Storages[0].ID != "bucket" || m.Storages[0].SealedWith == "" || m.Storages[1].ID != "cold" {
		t.Errorf("storages of the backup: %+v", m.Storages)
	}
	inBucket := s.backUpTo("bucket")
	if n := len(f.Keys(t, ".record")); n == 0 || inBucket.Status != kalam.JobCompleted {
		t.Errorf("backup to a bucket: %d objects, %s: %s", n, inBucket.Status, inBucket.Error)
	}
	key, err := os.ReadFile(filepath.Join(s.config.Storage.DataPath, "credentials.key"))
	must(t, err)
	for _, name := range filesBelow(t, dir, "") {
		content, err := os.ReadFile(filepath.Join(dir, name))
		must(t, err)
		if strings.Contains(string(content), strings.TrimSpace(string(key))) {
			t.Errorf("%s holds the key of credentials", name)
		}
	}
	cfg := s.config
	s.stop()
	if _, err := restore(t, dir, cfg); kalam.CodeOf(err) != kalam.CodeInvalidOperation ||
		!strings.Contains(err.Error(), "'bucket', 'cold'") {
		t.Errorf("Restore without a word about storages = %v", err)
	}
	before := treeOf(t, cold)
	to, err := restore(t, dir, cfg, func(o *backup.RestoreOptions) { o.ToLocal = true })
	must(t, err)
	must(t, os.RemoveAll(cfg.Storage.DataPath))
	r := serverAt(t, to)
	for _, id := range []string{"bucket", "cold", "local"} {
		const want = "0v,1v,10w,12w,2changed"
		sql := "SELECT string_agg(id || v, ',' ORDER BY id::TEXT) FROM app." + id
		r.wantCell(alice, sql, want)
		r.flush()
		r.compact()
		r.wantCell(alice, sql, want)
	}
	r.must(root, "DROP STORAGE cold") // They are the first lake's.
	r.must(root, "DROP STORAGE bucket")
	r.stop()
	if lines, _, err := verified(t, to); err != nil || len(lines) > 0 {
		t.Errorf("the restored lake: %v, %q", err, lines)
	}
	sameTree(t, "storage of the first lake", before, treeOf(t, cold))
}

// backUpTo makes a backup by SQL.
func (s *server) backUpTo(to string) kalam.Job {
	s.t.Helper()
	return s.await(s.must(root, "BACKUP DATABASE TO '"+to+"'").jobs[0])
}

// writingCopier has something written while a segment is.
type writingCopier struct {
	maintain.Copier
	write *func()
}

func (c writingCopier) CopyParquet(ctx context.Context, spec query.CopySpec) (int64, error) {
	if *c.write != nil {
		(*c.write)()
	}
	return c.Copier.CopyParquet(ctx, spec)
}

// TestRestoreAtSeq writes one row after the other, over flushes and compactions, some of them while a segment is being
// written, and remembers the table after each. A backup is restored as of every seq that it knows, and refused by name
// as of others.
func TestRestoreAtSeq(t *testing.T) {
	r := seededRand(t)
	var meanwhile func()
	s := &server{t: t, config: newServer(t).config}
	s.config.Storage.DataPath = t.TempDir()
	s.opts = engine.Options{Wrap: engine.Wrap{
		Copier: func(c maintain.Copier) maintain.Copier { return writingCopier{c, &meanwhile} },
	}}
	s.start()
	t.Cleanup(s.stop)
	s.must(root, "CREATE NAMESPACE app")
	s.must(root, "CREATE USER TABLE app.notes (id BIGINT PRIMARY KEY, n BIGINT) FLUSH_POLICY 'manual'")
	history := map[kalam.Seq]map[int]int{}
	state, n := map[int]int{}, 0
	var seqs []kalam.Seq
	step := func() {
		id := r.IntN(40)
		n++
		if _, there := state[id]; there && r.IntN(3) == 0 {
			delete(state, id)
			s.must(writerUser(0), fmt.Sprintf("DELETE FROM app.notes WHERE id = %d", id))
		} else {
			state[id] = n
			s.must(writerUser(0), fmt.Sprintf("INSERT INTO app.notes VALUES (%d, %d) ON CONFLICT (id) DO UPDATE SET n = %d", id, n, n))
		}
		seq := s.LastSeq()
		seqs = append(seqs, seq)
		history[seq] = maps.Clone(state)
	}
	steps := func(count int) {
		for range count {
			step()
		}
	}
	dir := filepath.Join(t.TempDir(), "backups")
	var backups []*backup.Manifest
	for round := range 4 {
		steps(25)
		meanwhile = func() { steps(6) } // Rows of the segment are replaced before it is committed.
		s.flush()
		if round == 2 {
			s.compact()
		}
		meanwhile = nil
		steps(20)
		backups = append(backups, s.backUp(dir))
	}
	cfg := s.config
	s.stop()
	tried, refused := 0, 0
	for i, seq := range seqs {
		known := slices.ContainsFunc(backups, func(m *backup.Manifest) bool { return m.Floor <= seq && seq <= m.Seq })
		if known && i%3 != 0 && tried > 6 {
			continue // Each is a start of a server.
		}
		to, err := restore(t, dir, cfg, func(o *backup.RestoreOptions) { o.AtSeq = seq })
		if !known {
			refused++
			if kalam.CodeOf(err) != kalam.CodeInvalidInput || !strings.Contains(err.Error(), "can be restored as of seq") {
				t.Errorf("as of seq %d, which no backup knows: %v", seq, err)
			}
			continue
		}
		must(t, err)
		tried++
		at := serverAt(t, to)
		got := map[int]int{}
		for id, row := range notesOf(at) {
			got[id] = row.n
			if row.seq > seq {
				t.Errorf("as of seq %d there is a row with seq %d", seq, row.seq)
			}
		}
		if diff := cmp.Diff(history[seq], got); diff != "" {
			t.Errorf("as of seq %d, write %d (-want +got):\n%s", seq, i, diff)
		}
		at.flush()
		after := map[int]int{}
		for id, row := range notesOf(at) {
			after[id] = row.n
		}
		if diff := cmp.Diff(history[seq], after); diff != "" {
			t.Errorf("as of seq %d, flushed (-want +got):\n%s", seq, diff)
		}
		at.stop()
	}
	t.Logf("%d writes, %d restored, %d refused", len(seqs), tried, refused)
	if tried < 20 || refused < 20 {
		t.Errorf("only %d seqs were restored and %d refused", tried, refused)
	}
	last := backups[len(backups)-1]
	to, err := restore(t, dir, cfg, func(o *backup.RestoreOptions) { o.At = last.CreatedAt })
	must(t, err)
	if rows := notesOf(serverAt(t, to)); len(rows) != len(state) {
		t.Errorf("%d rows as of the time of the last backup, want %d", len(rows), len(state))
	}
	if _, err := restore(t, dir, cfg, func(o *backup.RestoreOptions) {
		o.ID, o.AtSeq = last.ID, last.Floor-1
	}); kalam.CodeOf(err) != kalam.CodeInvalidInput || !strings.Contains(err.Error(), "app.notes, user 'u0'") {
		t.Errorf("as of before the floor = %v", err)
	}
}
