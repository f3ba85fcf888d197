package lake_test

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"strings"
	"syscall"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/laketest"
	"github.com/kalamlake/kalam/lake/layout"
)

func TestIsNoSpace(t *testing.T) {
	if !lake.IsNoSpace(fmt.Errorf("write: %w", syscall.ENOSPC)) || lake.IsNoSpace(syscall.EIO) || lake.IsNoSpace(nil) {
		t.Error("IsNoSpace does not know a full disk")
	}
}

// TestStorageIsFull has a storage that answers as full ones do.
func TestStorageIsFull(t *testing.T) {
	rows := noteRows(300, 0)
	full := kalam.Wrap(kalam.CodeResourceExhausted, syscall.ENOSPC, "no space left on the storage")
	for _, op := range []string{"Create", "Commit"} {
		for _, suffix := range []string{".parquet", ".keys"} {
			b := newBed(t, lake.Options{})
			l := newLake(t, &laketest.Faulty{Storage: b.store, Fail: func(o, p string) error {
				if o == op && strings.HasSuffix(p, suffix) {
					return full
				}
				return nil
			}}, lake.Options{}, nowOf(b))
			_, err := tryWrite(t, l, notes(), "alice", rows, laketest.ParquetOptions{})
			wantCode(t, op+" of "+suffix, err, kalam.CodeResourceExhausted, "no space left")
			wantFiles(t, b.files(t))
			wantSegment(t, b.lake, notes(), write(t, b.lake, notes(), "alice", rows, laketest.ParquetOptions{}), rows)
		}
	}
}

// fill writes a file until the disk is full.
func fill(t *testing.T, name string) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	for piece := make([]byte, 64<<10); err == nil || len(piece) > 0; {
		if _, err = f.Write(piece); err != nil {
			piece = piece[:len(piece)/2]
		}
	}
	if !lake.IsNoSpace(err) {
		t.Fatalf("the disk does not fill up: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// newSmallBed is newBed on a file system of its own, of the given size; nil where
// none can be had.
func newSmallBed(t *testing.T, size int) *bed {
	t.Helper()
	dir := t.TempDir()
	unmount, err := mountSmall(dir, size)
	if err != nil {
		t.Logf("no small file system here (%v); TestStorageIsFull stands in", err)
		return nil
	}
	t.Cleanup(func() { // after the storage is closed
		if err := unmount(); err != nil {
			t.Error(err)
		}
	})
	return newBedIn(t, dir, lake.Options{})
}

// TestDiskIsFull fills a real, small file system at the worst moments.
func TestDiskIsFull(t *testing.T) {
	const size = 4 << 20
	b := newSmallBed(t, size)
	if b == nil {
		return
	}
	ctx, l := t.Context(), b.lake
	rows := noteRows(5000, 0)
	first := write(t, l, notes(), "alice", rows, laketest.ParquetOptions{})
	m := lake.Manifest{Version: 1, Segments: []kalam.Segment{first}}
	if err := l.WriteManifest(ctx, notes(), "alice", m); err != nil {
		t.Fatal(err)
	}
	manifest := path.Dir(first.Path) + "/" + layout.ManifestName
	before := read(t, b.file(manifest))

	p, err := l.NewSegment(ctx, notes(), "alice", rows[4999].Seq)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := laketest.WriteParquet(p.LocalTemp(), notes(), rows, laketest.ParquetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	fill(t, b.file("filler"))
	_, err = p.Commit(ctx, keys, metaOf(rows))
	wantCode(t, "Commit on a full disk", err, kalam.CodeResourceExhausted, "no space left",
		keysOf(kalam.Segment{Path: p.Path()}))
	if strings.Contains(err.Error(), b.dir) {
		t.Errorf("the error %q names the directory", err)
	}
	fill(t, b.file("filler2")) // what the failed commit gave back
	wantFiles(t, b.files(t), "filler", "filler2", manifest, first.Path, keysOf(first))
	m.Version = 2
	wantCode(t, "WriteManifest on a full disk", l.WriteManifest(ctx, notes(), "alice", m), kalam.CodeResourceExhausted,
		layout.ManifestName)
	if !bytes.Equal(read(t, b.file(manifest)), before) {
		t.Error("manifest.json was lost on a full disk")
	}
	wantCode(t, "Rebuild on a full disk", l.Rebuild(ctx, notes(), &first), kalam.CodeResourceExhausted, keysOf(first))
	health, err := l.Check(ctx, kalam.LocalStorage)
	if err != nil || health.Status() != "degraded" || kalam.CodeOf(health.Err) != kalam.CodeResourceExhausted ||
		health.TotalBytes != size || health.UsedBytes != size {
		t.Errorf("Check of a full disk = %+v, %v", health, err)
	}
	wantSegment(t, l, notes(), first, rows)

	remove(t, b.file("filler"))
	remove(t, b.file("filler2"))
	wantSegment(t, l, notes(), write(t, l, notes(), "alice", rows, laketest.ParquetOptions{}), rows)
	if did, err := l.SyncManifest(ctx, ofAlice(m)); err != nil || !did {
		t.Errorf("SyncManifest = %v, %v", did, err)
	}
	if health, err = l.Check(ctx, kalam.LocalStorage); err != nil || health.Status() != "healthy" {
		t.Errorf("Check with space again = %+v, %v", health, err)
	}
}
