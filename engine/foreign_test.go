package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/session"
)

// twins are two users whose segments have files of equal sizes and rows of equal keys.
type twins struct {
	*server
	own, foreign kalam.Principal
	files        map[string][2]string // By suffix: the file of each.
	whole        map[string][]byte    // The files of own.
	rows         result
}

// newPair writes rows of many users, whose texts have one length, until the files of
// two have the same sizes.
func newPair(t *testing.T, r *rand.Rand) *twins {
	t.Helper()
	s := newServer(t)
	s.must(root, "CREATE NAMESPACE app")
	s.must(root, "CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, body TEXT) FLUSH_POLICY 'manual'")
	seen := map[string]string{}
	for n := range 400 {
		user := fmt.Sprintf("user%03d", n)
		var values []string
		for i := range 300 {
			values = append(values, fmt.Sprintf("(%d, '%016x')", i, r.Uint64()))
		}
		s.must(userOf(user), "INSERT INTO app.t VALUES "+strings.Join(values, ", "))
		s.flush()
		one := s.filesOf(t, user)
		sizes := ""
		for _, suffix := range []string{".parquet", ".keys"} {
			info, err := os.Stat(one[suffix])
			must(t, err)
			sizes += fmt.Sprint(info.Size(), " ")
		}
		other, found := seen[sizes]
		seen[sizes] = user
		if !found {
			continue
		}
		p := &twins{server: s, own: userOf(other), foreign: userOf(user), files: map[string][2]string{},
			whole: map[string][]byte{}}
		for suffix, name := range s.filesOf(t, other) {
			content, err := os.ReadFile(name)
			must(t, err)
			p.files[suffix], p.whole[suffix] = [2]string{name, one[suffix]}, content
		}
		p.rows = s.must(p.own, "SELECT * FROM app.t ORDER BY id")
		return p
	}
	t.Fatal("no two users have files of the same sizes")
	return nil
}

// seededRand returns a generator and logs its seed.
func seededRand(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

// filesOf returns the files of a user's only segment by suffix.
func (s *server) filesOf(t *testing.T, user string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, suffix := range []string{".parquet", ".keys"} {
		names, err := filepath.Glob(filepath.Join(s.config.Storage.DataPath, "storage", "users", user, "app", "t",
			"*"+suffix))
		must(t, err)
		if len(names) != 1 {
			t.Fatalf("files of %s: %v", user, names)
		}
		found[suffix] = names[0]
	}
	return found
}

// put writes content into a file and sets its time back.
func put(t *testing.T, name string, content []byte) {
	t.Helper()
	info, err := os.Stat(name)
	must(t, err)
	must(t, errors.Join(os.WriteFile(name, content, 0o600), os.Chtimes(name, info.ModTime(), info.ModTime())))
}

// restore puts the own files back.
func (p *twins) restore(t *testing.T) {
	t.Helper()
	for suffix, content := range p.whole {
		must(t, os.WriteFile(p.files[suffix][0], content, 0o600))
	}
}

// judge runs statements of every kind that reads files: each answers right, or names
// the file. None of them changes anything, as far as it succeeds.
func (p *twins) judge(t *testing.T, what string) {
	t.Helper()
	row := p.rows.rows[123]
	first := func(res []result) *result {
		if len(res) == 0 {
			return &result{}
		}
		return &res[len(res)-1]
	}
	for sql, right := range map[string]func(r *result) bool{
		"SELECT * FROM app.t ORDER BY id": func(r *result) bool { return r.table() == p.rows.table() },
		"SELECT id, body FROM app.t WHERE id = 123": func(r *result) bool {
			return len(r.rows) == 1 && slices.Equal(r.rows[0], row[:2])
		},
		"SELECT id FROM app.t WHERE body = '" + plainCell(row[1]) + "'": func(r *result) bool {
			return len(r.rows) == 1 &&
				r.rows[0][0] == row[0]
		},
		"SELECT count(*) FROM app.t": func(r *result) bool {
			return len(r.rows) == 1 &&
				plainCell(r.rows[0][0]) == "300"
		},
		"INSERT INTO app.t VALUES (123, 'again')":          func(*result) bool { return false },
		"UPDATE app.t SET body = 'x' WHERE id = 5000":      func(r *result) bool { return r.count == 0 },
		"DELETE FROM app.t WHERE body = 'nobody has this'": func(r *result) bool { return r.count == 0 },
	} {
		res, err := p.try(p.own, sql)
		p.verdict(t, what+": "+sql, err, err == nil && right(first(res)))
	}
}

// verdict refuses what is neither right nor an error that names the file.
func (p *twins) verdict(t *testing.T, what string, err error, right bool) {
	t.Helper()
	stem := strings.TrimSuffix(filepath.Base(p.files[".parquet"][0]), ".parquet")
	switch code := kalam.CodeOf(err); {
	case err == nil && !right:
		t.Errorf("%s: wrong answer", what)
	case code == kalam.CodeAlreadyExists && strings.Contains(what, "again"): // The key is there: right.
	case err != nil && (code != kalam.CodeCorrupt || !strings.Contains(messageOf(err)+err.Error(), stem)):
		t.Errorf("%s: %v", what, explained(err))
	}
}

// TestForeignFilesInQueries (D2) copies the files of another user over a user's own,
// and flips bits of them: before the first read of a process, after it, and while a
// query runs. Answers are right, or CodeCorrupt names the file. The files restored, all
// is as before.
func TestForeignFilesInQueries(t *testing.T) {
	r := seededRand(t)
	p := newPair(t, r)
	p.judge(t, "whole")
	damages := map[string]func(){
		"foreign parquet": func() { p.copyForeign(t, ".parquet") },
		"foreign keys":    func() { p.copyForeign(t, ".keys") },
		"foreign files":   func() { p.copyForeign(t, ".parquet", ".keys") },
		"foreign parquet, no keys": func() {
			p.copyForeign(t, ".parquet")
			must(t, os.Remove(p.files[".keys"][0]))
		},
		"no parquet": func() { must(t, os.Remove(p.files[".parquet"][0])) },
	}
	for what, damage := range damages {
		damage()
		p.judge(t, what+", after the first read")
		p.restart()
		p.judge(t, what+", before the first read")
		p.restore(t)
		p.judge(t, what+", restored")
		p.during(t, what, damage)
		p.restore(t)
		if got := p.must(p.own, "SELECT * FROM app.t ORDER BY id"); got.table() != p.rows.table() {
			t.Errorf("%s: the restored files give other rows", what)
		}
	}
	for range 60 {
		suffix := []string{".parquet", ".keys"}[r.IntN(2)]
		bit := r.IntN(8 * len(p.whole[suffix]))
		damaged := slices.Clone(p.whole[suffix])
		damaged[bit/8] ^= 1 << (bit % 8)
		put(t, p.files[suffix][0], damaged)
		p.judge(t, fmt.Sprintf("bit %d of %s", bit, suffix))
		p.restore(t)
	}
	p.judge(t, "restored at last")
}

// copyForeign copies files of the other user over the own ones.
func (p *twins) copyForeign(t *testing.T, suffixes ...string) {
	t.Helper()
	for _, suffix := range suffixes {
		content, err := os.ReadFile(p.files[suffix][1])
		must(t, err)
		put(t, p.files[suffix][0], content)
	}
}

// during damages the files when the first rows of a query arrive.
func (p *twins) during(t *testing.T, what string, damage func()) {
	t.Helper()
	c := &interrupted{at: damage}
	err := p.Execute(context.Background(), p.own, session.Request{SQL: "SELECT * FROM app.t ORDER BY id"}, c)
	p.verdict(t, what+", while a query runs", err, err == nil && c.last().table() == p.rows.table())
}

// interrupted is a collector that does something before it takes the first rows.
type interrupted struct {
	collector
	at func()
}

func (c *interrupted) Batch(b arrow.RecordBatch) error {
	if c.at != nil {
		c.at()
		c.at = nil
	}
	return c.collector.Batch(b)
}

// TestCompactionOfDamage (D2) flips a bit of a file before a compaction, or after it has
// read the keys: it fails and names the file, and no good file is made of a bad one.
func TestCompactionOfDamage(t *testing.T) {
	r := seededRand(t)
	var damage func()
	s := newServer(t)
	s.stop()
	s.config.Jobs.MaxRetries = 0
	s.opts.Wrap = hook(func(point string) error {
		if point == "collected" && damage != nil {
			damage()
		}
		return nil
	}).wrap()
	s.start()
	s.must(root, "CREATE NAMESPACE app")
	s.must(root, "CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, body TEXT) FLUSH_POLICY 'manual'")
	alice := userOf("alice")
	for n := range 2 {
		s.must(alice, fmt.Sprintf("INSERT INTO app.t SELECT i + %d, md5(i::TEXT) FROM range(3000) AS r(i)", n*3000))
		s.flush()
	}
	want := s.must(alice, "SELECT * FROM app.t ORDER BY id").table()
	for i := range 24 {
		suffix := []string{".parquet", ".keys"}[i%2]
		names := s.files(suffix)
		if len(names) != 2 {
			t.Fatalf("files: %v", names)
		}
		name := names[r.IntN(2)]
		whole, err := os.ReadFile(name)
		must(t, err)
		damaged := slices.Clone(whole)
		bit := r.IntN(8 * (len(damaged) - 16)) // What is not looked at may stay wrong: the end is, the start of the keys is not.
		bit += 8 * 16
		damaged[bit/8] ^= 1 << (bit % 8)
		damage = nil
		if i%4 == 0 { // The Parquet file; the keys were read.
			damage = func() { put(t, name, damaged) }
		} else {
			put(t, name, damaged)
		}
		j := s.await(s.must(root, "STORAGE COMPACT TABLE app.t").jobs[0])
		stem := strings.TrimSuffix(filepath.Base(name), suffix)
		if j.Status != kalam.JobFailed || !strings.Contains(j.Message+j.Error, stem) {
			t.Errorf("bit %d of %s: the job is %s: %s %s", bit, suffix, j.Status, j.Message, j.Error)
		}
		damage = nil
		must(t, os.WriteFile(name, whole, 0o600))
		if got := s.must(alice, "SELECT * FROM app.t ORDER BY id").table(); got != want {
			t.Fatalf("bit %d of %s: after it was restored there are other rows", bit, suffix)
		}
	}
	s.compact()
	if got := s.must(alice, "SELECT * FROM app.t ORDER BY id").table(); got != want || len(s.files(".parquet")) != 1 {
		t.Errorf("the compaction of whole files gives other rows, or %v", s.files(".parquet"))
	}
}
