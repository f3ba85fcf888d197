package layout

import (
	"crypto/rand"
	"encoding/hex"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/kalamlake/kalam"
)

// Names of files.
const (
	segmentSuffix  = ".parquet"
	keyIndexSuffix = ".keys"
	// stagedSuffix ends the name of every file that is still being written.
	stagedSuffix = ".tmp"
	// ManifestName is the name of the manifest for outside readers, in the folder
	// of its scope.
	ManifestName = "manifest.json"
	// OwnFolder holds what a storage says of itself.
	OwnFolder = ".kalam"
	// MarkPath is the mark: which lake the storage belongs to.
	MarkPath = OwnFolder + "/lake.json"
	// LockPath is the file that a process locks as long as it uses the storage, in
	// storages that have locks.
	LockPath = OwnFolder + "/lock"
	// TrashFolder holds orphans until they are purged, in a folder per time of
	// removal: .trash/2026-01-31T12-00-00Z/{path}.
	TrashFolder = ".trash"
	// ProbeFolder is the folder, in the root, of the objects that a check of a storage writes.
	ProbeFolder = ".kalam-probe"
	// nameTime is the time in the name of a segment, UTC.
	nameTime = "2006-01-02T15-04-05"
)

// SegmentPath returns where a segment of user's rows of t goes in a storage
// with the default templates, written at at and holding no row above seq. It is
// relative to the storage's root and '/' separated; user is ignored for a
// SHARED table. A stream or system table has no segments: CodeInvalidOperation.
func SegmentPath(t *kalam.Table, user kalam.UserID, at time.Time, seq kalam.Seq) (string, error) {
	templates, err := ParseTemplates("", "")
	if err != nil {
		return "", err
	}
	folder, err := templates.Folder(t, user, "")
	if err != nil {
		return "", err
	}
	return path.Join(folder, SegmentName(at, seq)), nil
}

// Folder returns the folder of user's rows of t, "" being the user of a SHARED table. The
// shard is what Strategies.ShardOf gives.
func (p Templates) Folder(t *kalam.Table, user kalam.UserID, shard string) (string, error) {
	v := values{
		varNamespace: encodeIdentifier(string(t.ID.Namespace)),
		varTableName: encodeIdentifier(string(t.FolderName())),
		varShard:     shard,
	}
	pattern := p.shared
	switch t.Kind {
	case kalam.KindUserTable:
		if user == "" {
			return "", kalam.Errorf(kalam.CodeInternal, "a segment of user table %s needs a user", t.ID)
		}
		v[varUserID] = EncodeUserID(user)
		pattern = p.users
	case kalam.KindSharedTable:
	default:
		return "", kalam.Errorf(kalam.CodeInvalidOperation, "%s table %s has no files", t.Kind, t.ID)
	}
	folder := pattern.render(&v)
	if err := CheckPath(folder); err != nil {
		return "", err
	}
	return folder, nil
}

// CheckPath reports why p cannot name an object of a storage: it must be
// relative, '/' separated, clean, and stay inside the root. The error has
// CodeInvalidInput. Every Storage refuses such paths.
func CheckPath(p string) error {
	switch {
	case p == "" || p == ".":
		return kalam.Errorf(kalam.CodeInvalidInput, "the path is empty")
	case len(p) > 2048:
		return kalam.Errorf(kalam.CodeInvalidInput, "the path is %d bytes long (maximum 2048)", len(p))
	case strings.HasPrefix(p, "/") || path.Clean(p) != p || p == ".." || strings.HasPrefix(p, "../"):
		return kalam.Errorf(kalam.CodeInvalidInput, "the path %q leaves its storage or is not clean", p)
	}
	for i := 0; i < len(p); i++ {
		if c := p[i]; c < 0x20 || c == 0x7f || c == '\\' || c == ':' {
			return kalam.Errorf(kalam.CodeInvalidInput, "the path %q has the character %q", p, c)
		}
	}
	return nil
}

// SegmentName returns the name of a segment, written at at and holding no row above seq.
func SegmentName(at time.Time, seq kalam.Seq) string {
	return at.UTC().Format(nameTime) + "-" + strconv.FormatUint(uint64(seq), 10) + segmentSuffix
}

// IsSegmentName reports whether name is one that SegmentName makes.
func IsSegmentName(name string) bool {
	stem, ok := strings.CutSuffix(name, segmentSuffix)
	if !ok || len(stem) < len(nameTime)+2 || stem[len(nameTime)] != '-' {
		return false
	}
	at, err := time.Parse(nameTime, stem[:len(nameTime)])
	if err != nil {
		return false
	}
	seq, err := strconv.ParseUint(stem[len(nameTime)+1:], 10, 64)
	return err == nil && SegmentName(at, kalam.Seq(seq)) == name
}

// SeqOfName returns the seq in the name of the segment at p, 0 when it is none.
func SeqOfName(p string) kalam.Seq {
	base := path.Base(p)
	if !IsSegmentName(base) {
		return 0
	}
	seq, err := strconv.ParseUint(strings.TrimSuffix(base[len(nameTime)+1:], segmentSuffix), 10, 64)
	if err != nil {
		return 0 // IsSegmentName has read it.
	}
	return kalam.Seq(seq)
}

// TimeOfName returns the time in the name of the segment at p, to the second, false when it
// is none.
func TimeOfName(p string) (time.Time, bool) {
	base := path.Base(p)
	if !IsSegmentName(base) {
		return time.Time{}, false
	}
	at, err := time.Parse(nameTime, base[:len(nameTime)])
	return at, err == nil
}

// KeyIndexPath returns the path of the key index file of the segment at p.
func KeyIndexPath(p string) string { return strings.TrimSuffix(p, segmentSuffix) + keyIndexSuffix }

// SegmentPathOf returns the path of the segment whose key index file is at p.
func SegmentPathOf(p string) string { return strings.TrimSuffix(p, keyIndexSuffix) + segmentSuffix }

// stagedDigits is the number of random hexadecimal digits in the name of a staged object.
const stagedDigits = 8

// StagedName returns a new temporary name beside p, by which every Storage calls
// what will become p: "p.1f2e3d4c.tmp". It ends unlike any object, so that
// readers that list by suffix do not see it, and the collection of orphans knows
// it.
func StagedName(p string) string {
	var b [stagedDigits / 2]byte
	rand.Read(b[:]) // never fails
	return p + "." + hex.EncodeToString(b[:]) + stagedSuffix
}

// stagedOf returns the path that the staged object at p would have become.
func stagedOf(p string) (string, bool) {
	stem, ok := strings.CutSuffix(p, stagedSuffix)
	n := len(stem) - stagedDigits
	if !ok || n < 2 || stem[n-1] != '.' || strings.Trim(stem[n:], hexDigits) != "" {
		return "", false
	}
	return stem[:n-1], true
}
