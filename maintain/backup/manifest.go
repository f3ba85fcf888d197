package backup

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/kalamlake/kalam"
)

// Format is the newest format of a backup that this program reads.
const Format = 1

// header begins a manifest: kalam-backup {format} {sha256 of what follows the line}.
const header = "kalam-backup"

// Manifest is what a backup consists of.
type Manifest struct {
	ID        string    `json:"id"`
	CreatedAt time.Time `json:"created_at"`
	LakeID    string    `json:"lake_id"`
	// Seq is that of the newest row; the backup holds no newer one, and every older one.
	Seq kalam.Seq `json:"seq"`
	// Floor is the lowest seq as of which it can be restored, FloorOf the table whose rows say so.
	Floor   kalam.Seq `json:"floor"`
	FloorOf string    `json:"floor_of,omitempty"`
	Tables  int       `json:"tables"`
	// Buffered counts the rows that were not flushed.
	Buffered int64     `json:"buffered_rows"`
	Record   Object    `json:"record"` // What the write buffer stores.
	Segments []Segment `json:"segments"`
	// Storages are those beside "local" that tables or files are in, and their credentials.
	Storages []Storage `json:"storages,omitempty"`
	// Damaged says what could not be read when the backup was made.
	Damaged []string `json:"damaged,omitempty"`
}

// Object is a file of a destination, with the SHA-256 of its content in hexadecimal.
type Object struct {
	Sum   string `json:"sha256"`
	Bytes int64  `json:"bytes"`
}

// none reports whether there is no object.
func (o Object) none() bool { return o.Sum == "" }

// Segment is a segment with its two files.
type Segment struct {
	Storage kalam.StorageID   `json:"storage"`
	Path    string            `json:"path"` // In its storage.
	Table   kalam.TableNumber `json:"table"`
	Bytes   int64             `json:"bytes"` // Of the Parquet file, by the record.
	Sums    kalam.SegmentSums `json:"sums"`  // Likewise.
	Parquet Object            `json:"parquet,omitzero"`
	Keys    Object            `json:"keys,omitzero"`
	// Damaged says what was wrong with the files when they were copied. Those that were missing have no object.
	Damaged string `json:"damaged,omitempty"`
}

// Storage is a storage beside "local".
type Storage struct {
	ID   kalam.StorageID `json:"id"`
	Type string          `json:"type"`
	// SealedWith is the id of the key that opens its credentials, "" when it has none.
	SealedWith string `json:"sealed_with,omitempty"`
}

// segmentKey tells segments apart: a name may be given again after a restore.
type segmentKey struct {
	storage kalam.StorageID
	path    string
	bytes   int64
	sums    kalam.SegmentSums
}

func (s *Segment) key() segmentKey { return segmentKey{s.Storage, s.Path, s.Bytes, s.Sums} }

func encodeManifest(m *Manifest) ([]byte, error) {
	body, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return nil, fmt.Errorf("encode manifest of backup: %w", err)
	}
	body = append(body, '\n')
	sum := sha256.Sum256(body)
	return append(fmt.Appendf(nil, "%s %d %s\n", header, Format, hex.EncodeToString(sum[:])), body...), nil
}

// decodeManifest reads the manifest in the file p.
func decodeManifest(p string, raw []byte) (*Manifest, error) {
	line, body, _ := bytes.Cut(raw, []byte("\n"))
	var word, sum string
	var format int
	if n, err := fmt.Sscanf(string(line), "%s %d %s", &word, &format, &sum); n != 3 || err != nil || word != header ||
		format < 1 {
		return nil, damaged(p, "it does not begin as the manifest of a backup does")
	}
	if format > Format {
		return nil, kalam.Errorf(kalam.CodeUnsupported, "%s has format %d, written by a newer kalam; this program reads up to "+
			"format %d", p, format, Format)
	}
	if have := sha256.Sum256(body); hex.EncodeToString(have[:]) != sum {
		return nil, damaged(p, "its checksum does not match")
	}
	var m Manifest
	if err := json.Unmarshal(body, &m); err != nil {
		return nil, damaged(p, err.Error())
	}
	return &m, nil
}

// damaged is the error of a file of a backup.
func damaged(p, why string) error {
	return kalam.Errorf(kalam.CodeCorrupt, "%s of the backup is damaged: %s", p, why)
}
