package lake

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/lake/integrity"
	"github.com/kalamlake/kalam/lake/layout"
	"github.com/kalamlake/kalam/lake/parquet"
)

// Manifest is what WriteManifest tells outside readers of a scope. The manifest
// of record is package buffer's.
type Manifest struct {
	Version   int64 // Rises with every change of the segments.
	CreatedAt time.Time
	UpdatedAt time.Time
	Segments  []kalam.Segment // In commit order.
}

// ManifestJSON is the content of manifest.json.
type ManifestJSON struct {
	TableID            string            `json:"table_id"`
	UserID             *string           `json:"user_id"` // null for a SHARED table
	Version            int64             `json:"version"`
	CreatedAt          int64             `json:"created_at"` // Unix milliseconds, as below
	UpdatedAt          int64             `json:"updated_at"`
	Segments           []ManifestSegment `json:"segments"`
	LastSequenceNumber uint64            `json:"last_sequence_number"` // highest seq of the segments
	Files              *struct{}         `json:"files"`
	VectorIndexes      struct{}          `json:"vector_indexes"`
}

// ManifestSegment is a segment in a manifest.json.
type ManifestSegment struct {
	MinSeq        uint64                 `json:"min_seq"`
	MaxSeq        uint64                 `json:"max_seq"`
	RowCount      int64                  `json:"row_count"`
	SizeBytes     int64                  `json:"size_bytes"`
	CreatedAt     int64                  `json:"created_at"`
	ID            string                 `json:"id"`
	Path          string                 `json:"path"`
	ColumnStats   map[string]columnStats `json:"column_stats"`
	SchemaVersion int                    `json:"schema_version"`
	Status        string                 `json:"status"`
}

// columnStats is the range of a column in a segment.
type columnStats struct {
	Min       any   `json:"min"`
	Max       any   `json:"max"`
	NullCount int64 `json:"null_count"`
}

// ScopeManifest is a manifest and the scope it is of.
type ScopeManifest struct {
	Table    *kalam.Table
	User     kalam.UserID
	Storage  kalam.StorageID // In which it lies; "" is the table's own.
	Manifest Manifest
}

// WriteManifest replaces manifest.json in the scope's folder of the table's own
// storage. It is for readers other than kalam and may be written again at any
// time; it is not synced with the commit of a flush. A path in it is relative to
// the folder of manifest.json, or absolute when it lies in another storage.
func (l *Lake) WriteManifest(ctx context.Context, t *kalam.Table, user kalam.UserID, m Manifest) error {
	return l.WriteManifests(ctx, []ScopeManifest{{Table: t, User: user, Manifest: m}})
}

// WriteManifests is WriteManifest of several scopes, which share what it costs where
// the storage can. After an error some may be written.
func (l *Lake) WriteManifests(ctx context.Context, manifests []ScopeManifest) error {
	contents := make(map[*location][]Content)
	for _, m := range manifests {
		at, folder, err := l.folder(m.Storage, m.Table, m.User)
		if err != nil {
			return err
		}
		content, err := l.manifestContent(at, folder, m.Table, m.User, m.Manifest)
		if err != nil {
			return err
		}
		contents[at] = append(contents[at], Content{path.Join(folder, layout.ManifestName), content})
	}
	var failed []error
	for at, objects := range contents {
		failed = append(failed, replaceAll(ctx, at.Storage, objects))
	}
	return errors.Join(failed...)
}

// ManifestContent returns the content of manifest.json as WriteManifests would write it.
func (l *Lake) ManifestContent(of ScopeManifest) ([]byte, error) {
	at, folder, err := l.folder(of.Storage, of.Table, of.User)
	if err != nil {
		return nil, err
	}
	return l.manifestContent(at, folder, of.Table, of.User, of.Manifest)
}

// RemoveManifest removes the manifest.json of a scope, and its catalog, from a storage that has it no more.
func (l *Lake) RemoveManifest(ctx context.Context, storage kalam.StorageID, t *kalam.Table, user kalam.UserID) error {
	at, folder, err := l.folder(storage, t, user)
	if err != nil {
		return err
	}
	if err := at.Storage.Remove(ctx, path.Join(folder, layout.ManifestName)); err != nil {
		return err
	}
	_, err = removeCatalogs(ctx, at, layout.CatalogFolder(folder, t.Number), t.Number)
	return err
}

// replaceAll replaces objects. The removal of a dropped table empties the folder that a new one of its name has too,
// and may take what is staged there: then it is done again.
func replaceAll(ctx context.Context, s Storage, objects []Content) error {
	for try := 1; ; try++ {
		err := replaceOnce(ctx, s, objects)
		if !errors.Is(err, ErrNotExist) || try == maxTries {
			return err
		}
	}
}

func replaceOnce(ctx context.Context, s Storage, objects []Content) error {
	if b, ok := s.(BatchReplacer); ok && len(objects) > 1 {
		return b.ReplaceAll(ctx, objects)
	}
	for _, o := range objects {
		if err := s.Replace(ctx, o.Path, o.Bytes); err != nil {
			return err
		}
	}
	return nil
}

// manifestContent returns what manifest.json in folder says for m.
func (l *Lake) manifestContent(at *location, folder string, t *kalam.Table, user kalam.UserID,
	m Manifest) ([]byte, error) {
	f := ManifestJSON{
		TableID: t.FolderID().String(), Version: m.Version, CreatedAt: millis(m.CreatedAt), UpdatedAt: millis(m.UpdatedAt),
		Segments: make([]ManifestSegment, len(m.Segments)),
	}
	if t.HasScopePerUser() {
		id := string(user)
		f.UserID = &id
	}
	for i := range m.Segments {
		seg := &m.Segments[i]
		f.LastSequenceNumber = max(f.LastSequenceNumber, uint64(seg.MaxSeq))
		f.Segments[i] = ManifestSegment{
			MinSeq: uint64(seg.MinSeq), MaxSeq: uint64(seg.MaxSeq), RowCount: seg.Rows, SizeBytes: seg.Bytes,
			CreatedAt: millis(seg.CreatedAt), ID: path.Base(seg.Path), Path: l.manifestPath(at.ID, folder, seg),
			ColumnStats: keyStats(t, seg), SchemaVersion: seg.SchemaVersion, Status: "committed",
		}
	}
	return json.Marshal(f)
}

// ErrNewerManifest means that manifest.json has a higher version than the manifest
// of record: the record is older than the files.
var ErrNewerManifest = errors.New("manifest.json is newer than the manifest of record")

// SyncManifest writes manifest.json if it is not, byte for byte, what
// WriteManifest would write, and reports whether it did. One of a higher version
// stays: ErrNewerManifest.
func (l *Lake) SyncManifest(ctx context.Context, of ScopeManifest) (bool, error) {
	t, m := of.Table, of.Manifest
	at, folder, err := l.folder(of.Storage, t, of.User)
	if err != nil {
		return false, err
	}
	want, err := l.manifestContent(at, folder, t, of.User, m)
	if err != nil {
		return false, err
	}
	p := path.Join(folder, layout.ManifestName)
	have, err := readObject(ctx, at.Storage, p)
	if err != nil && !errors.Is(err, ErrNotExist) {
		return false, err
	}
	if err == nil && bytes.Equal(have, want) {
		return false, nil
	}
	var head struct {
		TableID string `json:"table_id"`
		Version int64  `json:"version"`
	}
	if err := json.Unmarshal(have, &head); err == nil && head.TableID == t.FolderID().String() &&
		head.Version > m.Version {
		return false, fmt.Errorf("%s has version %d, the record %d: %w", p, head.Version, m.Version, ErrNewerManifest)
	}
	return true, at.Storage.Replace(ctx, p, want)
}

// ReadManifest reads the manifest.json at p. What cannot be understood is CodeCorrupt.
func ReadManifest(ctx context.Context, s Storage, p string) (*ManifestJSON, error) {
	raw, err := readObject(ctx, s, p)
	if err != nil {
		return nil, err
	}
	var f ManifestJSON
	if err := json.Unmarshal(raw, &f); err != nil {
		return nil, integrity.Corrupt(p, "%w", err)
	}
	return &f, nil
}

// readObject returns the content of an object, nil for one that is too long to be
// a manifest.json.
func readObject(ctx context.Context, s Storage, p string) (_ []byte, err error) {
	o, err := s.Open(ctx, p)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, o.Close()) }()
	if o.Size() > maxManifestBytes {
		return nil, nil
	}
	return readWhole(ctx, o)
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// manifestPath returns the path of seg as manifest.json in folder names it.
func (l *Lake) manifestPath(storage kalam.StorageID, folder string, seg *kalam.Segment) string {
	home := seg.Storage
	if home == "" {
		home = kalam.LocalStorage
	}
	if home != storage {
		if at, err := l.location(home); err == nil {
			return strings.TrimSuffix(at.Storage.Properties().Location, "/") + "/" + seg.Path
		}
		return seg.Path
	}
	from, to := strings.Split(folder, "/"), strings.Split(seg.Path, "/")
	same := 0
	for same < len(from) && same < len(to)-1 && from[same] == to[same] {
		same++
	}
	return strings.Repeat("../", len(from)-same) + strings.Join(to[same:], "/")
}

// keyStats returns the range of the first key column, by which files are pruned;
// of further key columns the segment does not know the range.
func keyStats(t *kalam.Table, seg *kalam.Segment) map[string]columnStats {
	stats := make(map[string]columnStats)
	low, err := datatype.DecodeKey(t, seg.MinKey)
	if err != nil {
		return stats
	}
	high, err := datatype.DecodeKey(t, seg.MaxKey)
	if err != nil {
		return stats
	}
	id := strconv.FormatUint(uint64(t.Columns[t.PrimaryKey[0]].ID), 10)
	stats[id] = columnStats{Min: taggedScalar(low[0]), Max: taggedScalar(high[0])}
	return stats
}

// taggedScalar returns v as a bound of a range, null for what has no such form: NaN,
// infinities and long text.
func taggedScalar(v kalam.Value) any {
	if len(v.Str()) > parquet.MaxStatBytes {
		return nil
	}
	return datatype.Bound(v)
}
