package layout

import (
	"path"
	"strings"
)

// FileKind says what a file is, by its name.
type FileKind uint8

// The kinds of file that a lake writes, and any other.
const (
	OtherFile    FileKind = iota // Not written by a lake.
	StagedFile                   // A file that is, or was, being written.
	SegmentFile                  // The Parquet file of a segment.
	KeyIndexFile                 // The key index file of a segment.
	ManifestFile                 // A manifest.json.
	CatalogFile                  // Of a table for other engines, see CatalogFolder.
)

// String returns other, staged, segment, key index, manifest or catalog.
func (k FileKind) String() string {
	return [...]string{"other", "staged", "segment", "key index", "manifest", "catalog"}[k]
}

// Classify says what the file at p is by its name, and the path of the segment
// that it belongs to, "" when it belongs to none.
func Classify(p string) (FileKind, string) {
	if strings.HasPrefix(p, TrashFolder+"/") {
		return OtherFile, "" // Whatever it was.
	}
	if final, ok := stagedOf(p); ok {
		if path.Dir(final) == ProbeFolder || final == MarkPath { // also what is staged under a staged name
			return StagedFile, ""
		}
		switch kind, owner := Classify(final); kind {
		case SegmentFile, KeyIndexFile, ManifestFile, CatalogFile:
			return StagedFile, owner
		case StagedFile, OtherFile:
		}
		return OtherFile, ""
	}
	base := path.Base(p)
	switch {
	case IsSegmentName(base):
		return SegmentFile, p
	case path.Ext(base) == keyIndexSuffix && IsSegmentName(SegmentPathOf(base)):
		return KeyIndexFile, SegmentPathOf(p)
	case base == ManifestName:
		return ManifestFile, ""
	}
	if _, _, ok := CatalogOf(p); ok {
		return CatalogFile, ""
	}
	return OtherFile, ""
}
