package lake_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/laketest"
)

// TestRebuildWritesTheSameKeyIndexFile loses and damages key index files of every layout.
func TestRebuildWritesTheSameKeyIndexFile(t *testing.T) {
	table := everyType()
	for name, o := range layouts {
		t.Run(name, func(t *testing.T) {
			b := newBed(t, lake.Options{})
			rows := randomRows(seeded(t), table, 300, 0.3)
			seg := write(t, b.lake, table, "alice", rows, o)
			wantSegment(t, b.lake, table, seg, rows) // so that the files are cached
			keys := b.file(keysOf(seg))
			want := read(t, keys)
			for _, damage := range []func(){
				func() { remove(t, keys) },
				func() { overwrite(t, keys, nil) },
				func() { overwrite(t, keys, want[:len(want)/2]) },
				func() { overwrite(t, keys, bytes.Repeat([]byte{0xff}, len(want))) },
			} {
				damage()
				if err := b.lake.Verify(t.Context(), &seg); kalam.CodeOf(err) != kalam.CodeCorrupt {
					t.Errorf("Verify of a lost key index file = %v", err)
				}
				if err := b.lake.Rebuild(t.Context(), table, &seg); err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(read(t, keys), want) {
					t.Error("the key index file is not what it was")
				}
				wantSegment(t, b.lake, table, seg, rows)
			}
			wantFiles(t, b.files(t), seg.Path, keysOf(seg))
		})
	}
}

// TestRebuildKeepsTheNewestVersion rebuilds a segment with several versions of
// keys.
func TestRebuildKeepsTheNewestVersion(t *testing.T) {
	b := newBed(t, lake.Options{})
	seg := write(t, b.lake, keyed(), "alice", keyRows("b", "a", "b", "c", "a", "b"), laketest.ParquetOptions{})
	want := read(t, b.file(keysOf(seg)))
	remove(t, b.file(keysOf(seg)))
	if err := b.lake.Rebuild(t.Context(), keyed(), &seg); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(read(t, b.file(keysOf(seg))), want) {
		t.Error("the key index file is not what it was")
	}
}

// TestRebuildRefuses has files that are not what the manifest of record says:
// the new key index file would vouch for them.
func TestRebuildRefuses(t *testing.T) {
	rows := noteRows(100, 0)
	rows[3].Deleted = true
	later := noteRows(100, 0)
	for i := range later {
		later[i].Seq += 1000
		later[i].Deleted = rows[i].Deleted
	}
	alive := noteRows(100, 0)
	for name, other := range map[string][]kalam.Row{
		"other keys": noteRows(100, 1), "fewer rows": rows[:99], "other seqs": later,
		"a row that came back to life": alive,
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t, lake.Options{})
			seg := write(t, b.lake, notes(), "alice", rows, laketest.ParquetOptions{})
			wrong := write(t, b.lake, notes(), "bob", other, laketest.ParquetOptions{})
			overwrite(t, b.file(seg.Path), read(t, b.file(wrong.Path)))
			seg.Bytes = wrong.Bytes // the size alone would betray it
			remove(t, b.file(keysOf(seg)))
			before := read(t, b.file(seg.Path))
			wantCode(t, "Rebuild", b.lake.Rebuild(t.Context(), notes(), &seg), kalam.CodeCorrupt, seg.Path)
			if !bytes.Equal(read(t, b.file(seg.Path)), before) {
				t.Error("Rebuild changed the Parquet file")
			}
			wantFiles(t, b.files(t), seg.Path, wrong.Path, keysOf(wrong))
		})
	}
}

func TestRebuildStops(t *testing.T) {
	b := newBed(t, lake.Options{})
	seg := write(t, b.lake, notes(), "alice", noteRows(100, 0), laketest.ParquetOptions{})
	remove(t, b.file(keysOf(seg)))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.lake.Rebuild(ctx, notes(), &seg); !errors.Is(err, context.Canceled) {
		t.Errorf("Rebuild with a cancelled context = %v", err)
	}
	broken := errors.New("the disk is on fire")
	for _, fail := range []string{"Open", "ReadAt", "Replace"} {
		l := newLake(t, &laketest.Faulty{Storage: b.store, Fail: func(op, _ string) error {
			if op == fail {
				return broken
			}
			return nil
		}}, lake.Options{}, time.Now)
		if err := l.Rebuild(t.Context(), notes(), &seg); !errors.Is(err, broken) ||
			kalam.CodeOf(err) == kalam.CodeCorrupt {
			t.Errorf("Rebuild when %s fails = %v", fail, err)
		}
	}
	wantFiles(t, b.files(t), seg.Path)
}
