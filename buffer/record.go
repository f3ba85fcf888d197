package buffer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/rowlog"
)

// unavailableFormat is the format byte of a record that only says why there is none:
//
//	format, 1 byte | crc32c of the rest, 4 bytes LE | text
const unavailableFormat = 0x02

// recordFormat is the version byte of the stored record:
//
//	format, 1 byte | crc32c of the rest, 4 bytes LE | JSON
const recordFormat = 0x01

type recordJSON struct {
	Version      uint64          `json:"version"`
	Watermark    kalam.Seq       `json:"watermark"`
	Last         kalam.SegmentID `json:"last_segment"`
	CreatedAt    time.Time       `json:"created_at"`
	UpdatedAt    time.Time       `json:"updated_at"`
	FlushedAt    time.Time       `json:"flushed_at,omitzero"`
	Forgotten    kalam.Seq       `json:"forgotten,omitempty"`
	CompleteFrom kalam.Seq       `json:"complete_from,omitempty"`
	Segments     []segmentJSON   `json:"segments"`
}

type segmentJSON struct {
	kalam.Segment
	Dead       []byte `json:"dead,omitempty"` // Roaring bitmaps in their portable form.
	Tombstones []byte `json:"tombstone_rows,omitempty"`
}

func encodeRecord(l *lakeState) ([]byte, error) {
	rec := recordJSON{
		Version: l.Version, Watermark: l.Watermark, Last: l.last,
		CreatedAt: l.CreatedAt, UpdatedAt: l.UpdatedAt, FlushedAt: l.FlushedAt, Forgotten: l.Forgotten,
		CompleteFrom: l.CompleteFrom,
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
		rec.Segments = append(rec.Segments, segmentJSON{Segment: l.Segments[i], Dead: dead, Tombstones: tombstones})
	}
	body, err := json.Marshal(rec)
	if err != nil {
		return nil, fmt.Errorf("encode manifest of record: %w", err)
	}
	return rowlog.Seal(recordFormat, body), nil
}

func decodeRecord(sc kalam.Scope, raw []byte) (*lakeState, error) {
	bad := func(err error, why string) error {
		return kalam.Wrap(kalam.CodeCorrupt, err, "manifest of record of table %d, user '%s' is damaged: %s",
			sc.Table, sc.User, why)
	}
	if len(raw) < rowlog.SumHeader {
		return nil, bad(nil, "it is too short")
	}
	body := raw[rowlog.SumHeader:]
	if raw[0] == unavailableFormat && rowlog.SumFits(raw) {
		return nil, kalam.Errorf(kalam.CodeCorrupt, "rows of table %d, user '%s' are not available: %s",
			sc.Table, sc.User, body)
	}
	if raw[0] != recordFormat {
		return nil, bad(nil,
			fmt.Sprintf("it has format %d and this program reads format %d; a newer kalam may have written it",
				raw[0], recordFormat))
	}
	if !rowlog.SumFits(raw) {
		return nil, bad(nil, "checksum does not match")
	}
	var rec recordJSON
	if err := json.Unmarshal(body, &rec); err != nil {
		return nil, bad(err, "it cannot be read")
	}
	l := &lakeState{last: rec.Last}
	l.ScopeRecord = ScopeRecord{
		Version: rec.Version, Watermark: rec.Watermark,
		CreatedAt: rec.CreatedAt, UpdatedAt: rec.UpdatedAt, FlushedAt: rec.FlushedAt, Forgotten: rec.Forgotten,
		CompleteFrom: rec.CompleteFrom,
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
