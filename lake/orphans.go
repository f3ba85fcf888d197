package lake

import (
	"context"
	"path"
	"time"

	"github.com/kalamlake/kalam"
)

// OrphanKind says what an orphan is.
type OrphanKind uint8

// The kinds of file that the lake writes; notOurs is any other.
const (
	notOurs        OrphanKind = iota
	OrphanDraft               // A file that was being written.
	OrphanSegment             // A Parquet file that no manifest of record names.
	OrphanSidecar             // The sidecar of such a file, or one without a Parquet file.
	OrphanManifest            // A manifest.json; Orphans does not report it.
)

// String returns draft, segment, sidecar or manifest.
func (k OrphanKind) String() string {
	return [...]string{"other", "draft", "segment", "sidecar", "manifest"}[k]
}

// Orphan is a file of ours that belongs to nothing.
type Orphan struct {
	Storage  kalam.StorageID
	Path     string
	Kind     OrphanKind
	Bytes    int64
	Modified time.Time
	Age      time.Duration // Since Modified.
}

// Orphans lists the files of a storage that crashes and failures left behind:
// drafts, and segments and sidecars whose segment path known does not know.
// Files that this Lake is writing at the moment are not among them. A segment
// that was committed but not yet adopted by the manifest of record is: callers
// remove only orphans of some age (24 hours). Files with names that the lake
// does not give are never orphans.
func (l *Lake) Orphans(ctx context.Context, storage kalam.StorageID, known func(segmentPath string) bool) ([]Orphan, error) {
	at, err := l.location(storage)
	if err != nil {
		return nil, err
	}
	now := l.now()
	var found []Orphan
	err = at.Storage.List(ctx, "", func(e Entry) error {
		kind, owner := classify(e.Path)
		switch kind {
		case notOurs, OrphanManifest:
			return nil
		case OrphanSegment, OrphanSidecar:
			if known(owner) {
				return nil
			}
		}
		if owner != "" && l.isPending(objectKey{at.ID, owner}) {
			return nil
		}
		found = append(found, Orphan{
			Storage: at.ID, Path: e.Path, Kind: kind, Bytes: e.Bytes, Modified: e.Modified, Age: now.Sub(e.Modified),
		})
		return nil
	})
	return found, err
}

// RemoveOrphan deletes an orphan that Orphans reported. One that is gone is no
// error.
func (l *Lake) RemoveOrphan(ctx context.Context, o Orphan) error {
	at, err := l.location(o.Storage)
	if err != nil {
		return err
	}
	if _, owner := classify(o.Path); owner != "" {
		if l.isPending(objectKey{at.ID, owner}) {
			return nil // its name is being written again
		}
		l.forget(at.ID, owner)
	}
	return at.Storage.Remove(ctx, o.Path)
}

// classify says what the file at p is by its name, and the path of the segment
// that it belongs to, "" when it belongs to none.
func classify(p string) (OrphanKind, string) {
	if final, ok := draftOf(p); ok {
		if path.Dir(final) == ProbeFolder { // also the draft of a draft
			return OrphanDraft, ""
		}
		switch kind, owner := classify(final); kind {
		case OrphanSegment, OrphanSidecar, OrphanManifest:
			return OrphanDraft, owner
		}
		return notOurs, ""
	}
	base := path.Base(p)
	switch {
	case isSegmentName(base):
		return OrphanSegment, p
	case path.Ext(base) == sidecarSuffix && isSegmentName(segmentPathOf(base)):
		return OrphanSidecar, segmentPathOf(p)
	case base == ManifestName:
		return OrphanManifest, ""
	}
	return notOurs, ""
}

// ProbeFolder is the folder, in the root, of the objects that Storage.Check writes.
const ProbeFolder = ".kalam-probe"
