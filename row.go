package kalam

import "time"

// Row is one stored version of a row. Payload is the row encoding of package
// datatype; it is immutable and may be shared.
type Row struct {
	Seq     Seq
	Deleted bool
	Payload []byte
}

// ChangeKind is what happened to a row.
type ChangeKind uint8

// The kinds of change.
const (
	ChangeInsert ChangeKind = iota + 1
	ChangeUpdate
	ChangeDelete
)

// String returns insert, update or delete, as on the wire.
func (k ChangeKind) String() string {
	switch k {
	case ChangeInsert:
		return "insert"
	case ChangeUpdate:
		return "update"
	case ChangeDelete:
		return "delete"
	}
	return "unknown"
}

// Change is one committed change of one row, in commit order by Seq. Old is
// empty for an insert. For a delete New is the tombstone, which carries all
// column values of the deleted row.
type Change struct {
	Scope Scope
	Kind  ChangeKind
	New   Row
	Old   Row
}

// SegmentID identifies a segment inside its scope, rising in commit order from 1.
type SegmentID uint64

// Segment is one immutable, write-once Parquet file of one scope, as the
// manifest of record knows it.
type Segment struct {
	ID            SegmentID   `json:"id"`
	Storage       StorageID   `json:"storage"`
	Path          string      `json:"path"` // Relative to the storage's root, '/' separated.
	MinSeq        Seq         `json:"min_seq"`
	MaxSeq        Seq         `json:"max_seq"`
	Rows          int64       `json:"rows"` // Tombstones included.
	Tombstones    int64       `json:"tombstones"`
	Bytes         int64       `json:"bytes"`
	MinKey        []byte      `json:"min_key"` // Of the key encoding of package datatype.
	MaxKey        []byte      `json:"max_key"`
	SchemaVersion int         `json:"schema_version"`
	Table         TableNumber `json:"table"`
	CreatedAt     time.Time   `json:"created_at"`
	// Of the scope, which the key of the manifest of record names; "" for a SHARED table.
	User UserID      `json:"-"`
	Sums SegmentSums `json:"sums,omitzero"`
}

// SegmentSums are checksums, CRC-32C, by which the files of a segment are known: a
// file of the same size that belongs to another segment has others. They are zero
// in a record from before they were kept (docs/architecture/lake-format.md has how
// each is computed).
type SegmentSums struct {
	File      uint32 `json:"file"`       // Of the Parquet file.
	Footer    uint32 `json:"footer"`     // Of its footer.
	Keys      uint32 `json:"keys"`       // Of the key index file.
	KeysBytes int64  `json:"keys_bytes"` // Its size.
}

// Known reports whether the sums are recorded.
func (s SegmentSums) Known() bool { return s.KeysBytes > 0 }
