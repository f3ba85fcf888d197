package buffer

import (
	"testing"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/rowlog"
)

func TestRecordRoundTrip(t *testing.T) {
	sc := kalam.Scope{Table: 7, User: "ann"}
	now := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	l := &lakeState{last: 9}
	l.ScopeRecord = ScopeRecord{Version: 3, Watermark: 77, CreatedAt: now, UpdatedAt: now.Add(time.Second),
		FlushedAt: now.Add(time.Minute), Forgotten: 70}
	l.Segments = []kalam.Segment{
		{ID: 4, Storage: "local", Path: "users/ann/x.parquet", MinSeq: 1, MaxSeq: 70, Rows: 5, Tombstones: 1,
			MinKey: []byte{1}, MaxKey: []byte{9}, SchemaVersion: 2, Table: 7, CreatedAt: now, User: "ann",
			Sums: kalam.SegmentSums{File: 1, Footer: 2, Keys: 3, KeysBytes: 4}},
		{ID: 9, Path: "b", User: "ann"},
	}
	l.vectors = []vectors{{dead: roaring.BitmapOf(1, 2, 100_000), tombstones: roaring.BitmapOf(3)}, {}}
	raw, err := encodeRecord(l)
	if err != nil {
		t.Fatalf("encodeRecord: %v", err)
	}
	back, err := decodeRecord(sc, raw)
	if err != nil {
		t.Fatalf("decodeRecord: %v", err)
	}
	if diff := cmp.Diff(l.ScopeRecord, back.ScopeRecord); diff != "" || back.last != 9 {
		t.Errorf("manifest (-want +got):\n%s", diff)
	}
	for i := range l.vectors {
		for _, pair := range [][2]*roaring.Bitmap{{l.vectors[i].dead, back.vectors[i].dead},
			{l.vectors[i].tombstones, back.vectors[i].tombstones}} {
			if (pair[0] == nil) != (pair[1] == nil) || pair[0] != nil && !pair[0].Equals(pair[1]) {
				t.Errorf("vectors of segment %d: %v, want %v", i, pair[1], pair[0])
			}
		}
	}
}

// TestRecordWithoutFlushTime reads a record from before the time of the last flush
// was kept: that of its last commit stands for it.
func TestRecordWithoutFlushTime(t *testing.T) {
	const at = `"created_at":"2026-01-02T03:04:05Z","updated_at":"2026-01-02T03:05:00Z"`
	for segments, want := range map[string]bool{`[{"id":1}]`: true, `[]`: false} {
		body := `{"version":2,"watermark":7,"last_segment":1,` + at + `,"segments":` + segments + `}`
		l, err := decodeRecord(kalam.Scope{}, rowlog.Seal(recordFormat, []byte(body)))
		if err != nil {
			t.Fatal(err)
		}
		if got := l.lastFlush(); got.IsZero() == want || want && !got.Equal(l.UpdatedAt) {
			t.Errorf("last flush of a manifest with the segments %s: %s", segments, got)
		}
	}
}

// FuzzDecodeRecord reads arbitrary bytes, with a checksum that fits, as a
// record.
func FuzzDecodeRecord(f *testing.F) {
	raw, err := encodeRecord(&lakeState{ScopeRecord: ScopeRecord{Version: 1, Segments: []kalam.Segment{{ID: 1}}},
		vectors: []vectors{{dead: roaring.BitmapOf(1)}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw[rowlog.SumHeader:])
	f.Add([]byte(`{"segments":[{"dead":"AAAA"}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		sealed := rowlog.Seal(recordFormat, body)
		if _, err := decodeRecord(kalam.Scope{}, sealed); err != nil && kalam.CodeOf(err) != kalam.CodeCorrupt {
			t.Errorf("decodeRecord = %v", err)
		}
	})
}
