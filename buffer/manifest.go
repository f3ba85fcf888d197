package buffer

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"sync/atomic"
	"time"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/kalamlake/kalam"
)

// Manifest is the manifest of record of a scope: what of it is in the lake.
type Manifest struct {
	Version   uint64 // Rises with every commit of a flush or compaction, from 1; 0: nothing was flushed.
	Watermark kalam.Seq
	Segments  []kalam.Segment // In commit order: their seqs rise and do not overlap.
	CreatedAt time.Time
	UpdatedAt time.Time
	FlushedAt time.Time // Of the last flush; zero in a manifest without one, or from before it was kept.
	// Forgotten is the highest seq of a tombstone that a compaction has left out: who knows
	// the scope as it was before that seq cannot learn everything that was deleted since.
	Forgotten kalam.Seq
}

// vectors are the row positions of one segment that readers skip. They are
// immutable; nil is none.
type vectors struct {
	dead, tombstones *roaring.Bitmap
}

// manifestFormat is the version byte of the stored manifest:
//
//	format, 1 byte | crc32c of the rest, 4 bytes LE | JSON
const manifestFormat = 0x01

type manifestRecord struct {
	Version   uint64          `json:"version"`
	Watermark kalam.Seq       `json:"watermark"`
	Last      kalam.SegmentID `json:"last_segment"`
	CreatedAt time.Time       `json:"created_at"`
	UpdatedAt time.Time       `json:"updated_at"`
	FlushedAt time.Time       `json:"flushed_at,omitzero"`
	Forgotten kalam.Seq       `json:"forgotten,omitempty"`
	Segments  []segmentRecord `json:"segments"`
}

type segmentRecord struct {
	kalam.Segment
	Dead       []byte `json:"dead,omitempty"` // Roaring bitmaps in their portable form.
	Tombstones []byte `json:"tombstone_rows,omitempty"`
}

// lakeState is the flushed part of a scope: immutable, replaced as a whole.
type lakeState struct {
	Manifest
	vectors []vectors       // One per segment.
	last    kalam.SegmentID // Highest id given so far.

	pins       atomic.Int32 // Who may read its files; see pins.go.
	superseded atomic.Bool
	waiting    []*retirement // Guarded by Store.retiring.
}

// lastFlush returns the time of the last flush, zero when there was none. A manifest
// from before it was kept has that of its last commit, as near as one can know.
func (l *lakeState) lastFlush() time.Time {
	if l.FlushedAt.IsZero() && len(l.Segments) > 0 {
		return l.UpdatedAt
	}
	return l.FlushedAt
}

// segmentIndex returns the index of a segment, -1 when there is none.
func (l *lakeState) segmentIndex(id kalam.SegmentID) int {
	for i := range l.Segments {
		if l.Segments[i].ID == id {
			return i
		}
	}
	return -1
}

func encodeManifest(l *lakeState) ([]byte, error) {
	rec := manifestRecord{
		Version: l.Version, Watermark: l.Watermark, Last: l.last,
		CreatedAt: l.CreatedAt, UpdatedAt: l.UpdatedAt, FlushedAt: l.FlushedAt, Forgotten: l.Forgotten,
	}
	for i := range l.Segments {
		dead, err := encodeBitmap(l.vectors[i].dead)
		if err != nil {
			return nil, err
		}
		tombstones, err := encodeBitmap(l.vectors[i].tombstones)
		if err != nil {
			return nil, err
		}
		rec.Segments = append(rec.Segments, segmentRecord{Segment: l.Segments[i], Dead: dead, Tombstones: tombstones})
	}
	body, err := json.Marshal(rec)
	if err != nil {
		return nil, fmt.Errorf("encode manifest: %w", err)
	}
	return sealManifest(body), nil
}

// sealManifest adds the header to an encoded manifest.
func sealManifest(body []byte) []byte {
	out := append(make([]byte, sumHeader, sumHeader+len(body)), body...)
	out[0] = manifestFormat
	binary.LittleEndian.PutUint32(out[1:], crc32.Checksum(body, castagnoli))
	return out
}

func decodeManifest(sc kalam.Scope, raw []byte) (*lakeState, error) {
	bad := func(err error, why string) error {
		return kalam.Wrap(kalam.CodeCorrupt, err, "manifest of table %d, user '%s' is damaged: %s", sc.Table, sc.User, why)
	}
	if len(raw) < sumHeader {
		return nil, bad(nil, "it is too short")
	}
	body := raw[sumHeader:]
	if raw[0] == unavailableFormat && crc32.Checksum(body, castagnoli) == binary.LittleEndian.Uint32(raw[1:]) {
		return nil, kalam.Errorf(kalam.CodeCorrupt, "rows of table %d, user '%s' are not available: %s", sc.Table, sc.User,
			body)
	}
	if raw[0] != manifestFormat {
		return nil, bad(nil,
			fmt.Sprintf("it has format %d and this program reads format %d; a newer kalam may have written it",
				raw[0], manifestFormat))
	}
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(raw[1:]) {
		return nil, bad(nil, "checksum does not match")
	}
	var rec manifestRecord
	if err := json.Unmarshal(body, &rec); err != nil {
		return nil, bad(err, "it cannot be read")
	}
	l := &lakeState{last: rec.Last}
	l.Manifest = Manifest{
		Version: rec.Version, Watermark: rec.Watermark,
		CreatedAt: rec.CreatedAt, UpdatedAt: rec.UpdatedAt, FlushedAt: rec.FlushedAt, Forgotten: rec.Forgotten,
	}
	for _, s := range rec.Segments {
		dead, err := decodeBitmap(s.Dead)
		if err != nil {
			return nil, bad(err, "delete vector")
		}
		tombstones, err := decodeBitmap(s.Tombstones)
		if err != nil {
			return nil, bad(err, "tombstones")
		}
		s.User = sc.User
		l.Segments = append(l.Segments, s.Segment)
		l.vectors = append(l.vectors, vectors{dead, tombstones})
	}
	return l, nil
}

func encodeBitmap(b *roaring.Bitmap) ([]byte, error) {
	if b == nil || b.IsEmpty() {
		return nil, nil
	}
	return b.ToBytes()
}

func decodeBitmap(raw []byte) (*roaring.Bitmap, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	b := roaring.New()
	if _, err := b.ReadFrom(bytes.NewReader(raw)); err != nil {
		return nil, err
	}
	return b, b.Validate()
}
