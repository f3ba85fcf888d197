package lake_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/keyindex"
	"github.com/kalamlake/kalam/lake/laketest"
)

// twins are segments whose files have the same sizes and whose rows have the same
// keys: what is in them only their content tells.
type twins struct {
	*bed
	own, foreign kalam.Segment
	rows         []kalam.Row // Of own.
	keys         [][]byte
	saved        map[string][]byte // The files of own, by path.
}

// twinOf says how the foreign segment of twins differs.
type twinOf struct {
	user  kalam.UserID
	table kalam.TableNumber
}

// newTwins writes alice's segment and a twin of it, whose seqs lie between hers.
func newTwins(t *testing.T, r *rand.Rand, of twinOf, o laketest.ParquetOptions) *twins {
	t.Helper()
	b := newBed(t, lake.Options{})
	text := func() kalam.Value {
		raw := make([]byte, 24)
		for i := range raw {
			raw[i] = byte('a' + r.IntN(26))
		}
		return kalam.Text(string(raw))
	}
	rows := func(first kalam.Seq) []kalam.Row {
		out := rowsOf(notes(), 300, func(i int) []kalam.Value {
			return []kalam.Value{kalam.BigInt(int64(i)), text(), kalam.Double(float64(i))}
		})
		for i := range out {
			out[i].Seq = first + 2*kalam.Seq(i)
		}
		return out
	}
	w := &twins{bed: b, rows: rows(firstSeq), saved: map[string][]byte{}}
	w.own = write(t, b.lake, notes(), "alice", w.rows, o)
	w.keys = encodedKeys(t, notes(), w.rows)
	other := notes()
	other.Number = of.table
	if of.table != notes().Number {
		other.ID.Name = "sheet"
	}
	for range 6000 { // One in some dozens to hundreds fits.
		w.foreign = write(t, b.lake, other, of.user, rows(firstSeq+1), o)
		if w.foreign.Bytes == w.own.Bytes &&
			len(read(t, b.file(keysOf(w.foreign)))) == len(read(t, b.file(keysOf(w.own)))) {
			for _, p := range []string{w.own.Path, keysOf(w.own)} {
				w.saved[p] = read(t, b.file(p))
			}
			return w
		}
		b.now = b.now.Add(1e9)
	}
	t.Fatal("no twin has the same sizes")
	return nil
}

// restore puts the own files back.
func (w *twins) restore(t *testing.T) {
	t.Helper()
	for p, content := range w.saved {
		remove(t, w.file(p))
		overwrite(t, w.file(p), content)
	}
}

// replacements are the ways in which a file gets another content. The times of the
// file are set back to what they were, where that is possible.
var replacements = map[string]func(name string, content []byte) error{
	"written over": func(name string, content []byte) error {
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = f.WriteAt(content, 0)
		return errors.Join(err, f.Truncate(int64(len(content))), f.Close())
	},
	"renamed over": func(name string, content []byte) error {
		if err := os.WriteFile(name+".other", content, 0o600); err != nil {
			return err
		}
		return os.Rename(name+".other", name)
	},
	"a hard link": func(name string, content []byte) error {
		other := filepath.Join(filepath.Dir(name), fmt.Sprintf("other-%d", len(content)))
		err := errors.Join(os.WriteFile(other, content, 0o600), os.Remove(name))
		return errors.Join(err, os.Link(other, name), os.Remove(other))
	},
}

// replace gives an existing file another content in one of those ways.
func replace(t *testing.T, how func(string, []byte) error, name string, content []byte) {
	t.Helper()
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(how(name, content), os.Chtimes(name, info.ModTime(), info.ModTime())); err != nil {
		t.Fatal(err)
	}
}

// readings are the ways in which a segment is read. Each says whether what it got is
// right; meanwhile is called while it reads.
var readings = map[string]func(ctx context.Context, w *twins, l *lake.Lake, meanwhile func()) (right bool, err error){
	"Find": func(ctx context.Context, w *twins, l *lake.Lake, meanwhile func()) (bool, error) {
		meanwhile()
		at, err := l.Locate(ctx, &w.own, w.keys)
		right := len(at) == len(w.rows)
		for i := range at {
			right = right && at[i] == keyindex.Position{Row: int64(i), Seq: w.rows[i].Seq}
		}
		return right, err
	},
	"EachKey": func(ctx context.Context, w *twins, l *lake.Lake, meanwhile func()) (bool, error) {
		n, right := 0, true
		err := l.EachKey(ctx, &w.own, func(k keyindex.Entry) error {
			if n == len(w.rows)/2 {
				meanwhile()
			}
			right = right && bytes.Equal(k.Key, w.keys[n]) && k.Seq == w.rows[n].Seq
			n++
			return nil
		})
		return right && n == len(w.rows), err
	},
	"ReadRows": func(ctx context.Context, w *twins, l *lake.Lake, meanwhile func()) (bool, error) {
		meanwhile()
		rows, err := l.ReadRows(ctx, notes(), &w.own, allRows(len(w.rows)))
		return slices.EqualFunc(rows, w.rows, sameRow), err
	},
	"LocalPath": func(ctx context.Context, w *twins, l *lake.Lake, meanwhile func()) (bool, error) {
		f, err := l.LocalPath(ctx, &w.own)
		if err != nil {
			return false, err
		}
		defer f.Release()
		meanwhile()
		content, err := os.ReadFile(f.Name)
		return bytes.Equal(content, w.saved[w.own.Path]), errors.Join(f.Unchanged(ctx), err)
	},
}

// judge reads in every way and reports each that gives something wrong, or an error
// that does not name the file.
func (w *twins) judge(t *testing.T, l *lake.Lake, what string, meanwhile func()) {
	t.Helper()
	for name, read := range readings {
		right, err := read(t.Context(), w, l, meanwhile)
		switch {
		case err == nil && !right:
			t.Errorf("%s: %s gives what is not the segment's", what, name)
		case err != nil && (kalam.CodeOf(err) != kalam.CodeCorrupt ||
			!strings.Contains(err.Error(), strings.TrimSuffix(w.own.Path, ".parquet"))):
			t.Errorf("%s: %s = %v", what, name, err)
		}
	}
}

// TestForeignFiles (D2) puts the files of a twin, of another user, table or flush, in
// the place of a segment's own, in every way, before and after the first read, and while
// it is read. What is read is the segment's own, or CodeCorrupt names the file; Scrub
// and Verify always do. The record is that of this version, or one without checksums.
func TestForeignFiles(t *testing.T) {
	r := seeded(t)
	for kind, of := range map[string]twinOf{"user": {"bob", 7}, "table": {"alice", 8}, "flush": {"alice", 7}} {
		t.Run(kind, func(t *testing.T) {
			w := newTwins(t, r, of, laketest.ParquetOptions{RowGroup: 100})
			sums := w.own.Sums
			for _, early := range []bool{false, true} {
				w.own.Sums = sums
				if early {
					w.own.Sums = kalam.SegmentSums{}
				}
				for how := range replacements {
					for _, parts := range []string{"parquet", "keys", "parquet keys"} {
						w.checkForeign(t, how, parts, fmt.Sprintf("%s %s, early %t", parts, how, early))
					}
				}
				w.checkWithoutKeyIndex(t, early)
			}
		})
	}
}

// checkForeign puts parts of the twin in place, how says in which way.
func (w *twins) checkForeign(t *testing.T, how, parts, what string) {
	t.Helper()
	swap := func() {
		for part := range strings.FieldsSeq(parts) {
			own, foreign := w.own.Path, w.foreign.Path
			if part == "keys" {
				own, foreign = keysOf(w.own), keysOf(w.foreign)
			}
			replace(t, replacements[how], w.file(own), read(t, w.file(foreign)))
		}
	}
	after := newLake(t, w.store, lake.Options{}, nowOf(w.bed))
	w.judge(t, after, what+", nothing yet", func() {})
	swap()
	w.judge(t, newLake(t, w.store, lake.Options{}, nowOf(w.bed)), what+", before the first read", func() {})
	w.judge(t, after, what+", after the first read", func() {})
	wantCode(t, "Scrub, "+what, scrub(t.Context(), after, &w.own), kalam.CodeCorrupt)
	wantCode(t, "Verify, "+what, after.Verify(t.Context(), &w.own), kalam.CodeCorrupt)
	w.restore(t)
	w.judge(t, after, what+", while it is read", swap)
	w.judge(t, after, what+", while it is read and back before the end", func() {
		w.restore(t)
		swap()
	})
	w.restore(t)
	for name, read := range readings {
		if right, err := read(t.Context(), w, after, func() {}); err != nil || !right {
			t.Errorf("%s: %s of the restored files = %t, %v", what, name, right, err)
		}
	}
}

// checkWithoutKeyIndex takes the key index file away and puts the twin's Parquet file in
// place: nothing vouches for it, and Rebuild does not make keys for it.
func (w *twins) checkWithoutKeyIndex(t *testing.T, early bool) {
	t.Helper()
	what := fmt.Sprintf("no key index file, early %t", early)
	remove(t, w.file(keysOf(w.own)))
	replace(t, replacements["written over"], w.file(w.own.Path), read(t, w.file(w.foreign.Path)))
	l := newLake(t, w.store, lake.Options{}, nowOf(w.bed))
	w.judge(t, l, what, func() {})
	wantCode(t, "Rebuild, "+what, l.Rebuild(t.Context(), notes(), &w.own), kalam.CodeCorrupt, w.own.Path)
	replace(t, replacements["written over"], w.file(w.own.Path), w.saved[w.own.Path])
	if err := l.Rebuild(t.Context(), notes(), &w.own); err != nil {
		t.Fatalf("Rebuild of the whole file, %s = %v", what, err)
	}
	if !bytes.Equal(read(t, w.file(keysOf(w.own))), w.saved[keysOf(w.own)]) {
		t.Error("Rebuild makes other keys")
	}
	wantSegment(t, l, notes(), w.own, w.rows)
	w.restore(t)
}

// TestFlipsAfterTheFirstRead (D2) turns over single bits of both files of a segment
// that a lake has read already, with the time of the file set back, and during reads.
func TestFlipsAfterTheFirstRead(t *testing.T) {
	r := seeded(t)
	w := newTwins(t, r, twinOf{"bob", 7}, laketest.ParquetOptions{RowGroup: 100})
	l := newLake(t, w.store, lake.Options{}, nowOf(w.bed))
	w.judge(t, l, "no damage", func() {})
	hows := []string{"written over", "renamed over", "a hard link"}
	sums := w.own.Sums
	for i := range 400 {
		if w.own.Sums = sums; i%4 == 3 {
			w.own.Sums = kalam.SegmentSums{}
		}
		p := []string{w.own.Path, keysOf(w.own)}[i%2]
		damaged := slices.Clone(w.saved[p])
		bit := r.IntN(8 * len(damaged))
		damaged[bit/8] ^= 1 << (bit % 8)
		flip := func() { replace(t, replacements[hows[i%len(hows)]], w.file(p), damaged) }
		what := fmt.Sprintf("bit %d of %s", bit, filepath.Ext(p))
		if i%5 == 0 {
			w.judge(t, l, what+" meanwhile", flip)
		} else {
			flip()
		}
		w.judge(t, l, what, func() {})
		replace(t, replacements["written over"], w.file(p), w.saved[p])
	}
	w.own.Sums = sums
	w.judge(t, l, "restored", func() {})
}
