package lake

import (
	"crypto/rand"
	"encoding/hex"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/kalamlake/kalam"
)

const (
	segmentSuffix = ".parquet"
	sidecarSuffix = ".keys"
	// draftSuffix ends the name of every file that is still being written.
	draftSuffix = ".tmp"
	// ManifestName is the name of the manifest for outside readers, in the folder
	// of its scope.
	ManifestName = "manifest.json"
	// nameTime is the time in the name of a segment, UTC.
	nameTime = "2006-01-02T15-04-05"
)

// SegmentPath returns where a segment of user's rows of t goes in a storage
// with the default templates, written at at and holding no row above seq. It is
// relative to the storage's root and '/' separated; user is ignored for a
// SHARED table. A stream or system table has no segments: CodeInvalidOperation.
func SegmentPath(t *kalam.Table, user kalam.UserID, at time.Time, seq kalam.Seq) (string, error) {
	u, s, err := parseTemplates("", "")
	if err != nil {
		return "", err
	}
	folder, err := renderFolder(u, s, t, user, "")
	if err != nil {
		return "", err
	}
	return path.Join(folder, segmentName(at, seq)), nil
}

// renderFolder returns the folder of a scope.
func renderFolder(users, shared template, t *kalam.Table, user kalam.UserID, shard string) (string, error) {
	v := values{
		varNamespace: encodeIdentifier(string(t.ID.Namespace)),
		varTableName: encodeIdentifier(string(t.ID.Name)),
		varShard:     shard,
	}
	pattern := shared
	switch t.Kind {
	case kalam.KindUserTable:
		if user == "" {
			return "", kalam.Errorf(kalam.CodeInternal, "a segment of user table %s needs a user", t.ID)
		}
		v[varUserID] = EncodeUserID(user)
		pattern = users
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

func segmentName(at time.Time, seq kalam.Seq) string {
	return at.UTC().Format(nameTime) + "-" + strconv.FormatUint(uint64(seq), 10) + segmentSuffix
}

// isSegmentName reports whether name is one that segmentName makes.
func isSegmentName(name string) bool {
	stem, ok := strings.CutSuffix(name, segmentSuffix)
	if !ok || len(stem) < len(nameTime)+2 || stem[len(nameTime)] != '-' {
		return false
	}
	at, err := time.Parse(nameTime, stem[:len(nameTime)])
	if err != nil {
		return false
	}
	seq, err := strconv.ParseUint(stem[len(nameTime)+1:], 10, 64)
	return err == nil && segmentName(at, kalam.Seq(seq)) == name
}

// seqOfName returns the seq in the name of the segment at p, 0 when it is none.
func seqOfName(p string) kalam.Seq {
	base := path.Base(p)
	if !isSegmentName(base) {
		return 0
	}
	seq, err := strconv.ParseUint(strings.TrimSuffix(base[len(nameTime)+1:], segmentSuffix), 10, 64)
	if err != nil {
		return 0 // isSegmentName has read it.
	}
	return kalam.Seq(seq)
}

// sidecarPath returns the path of the sidecar of the segment at p.
func sidecarPath(p string) string { return strings.TrimSuffix(p, segmentSuffix) + sidecarSuffix }

// segmentPathOf returns the path of the segment whose sidecar is at p.
func segmentPathOf(p string) string { return strings.TrimSuffix(p, sidecarSuffix) + segmentSuffix }

// draftDigits is the number of random hexadecimal digits in the name of a draft.
const draftDigits = 8

// DraftName returns a new temporary name beside p, by which every Storage calls
// what will become p: "p.1f2e3d4c.tmp". It ends unlike any object, so that
// readers that list by suffix do not see it, and the collection of orphans knows
// it.
func DraftName(p string) string {
	var b [draftDigits / 2]byte
	rand.Read(b[:]) // never fails
	return p + "." + hex.EncodeToString(b[:]) + draftSuffix
}

// draftOf returns the path that the draft at p would have become.
func draftOf(p string) (string, bool) {
	stem, ok := strings.CutSuffix(p, draftSuffix)
	n := len(stem) - draftDigits
	if !ok || n < 2 || stem[n-1] != '.' || strings.Trim(stem[n:], hexDigits) != "" {
		return "", false
	}
	return stem[:n-1], true
}
