package lake

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake/integrity"
	"github.com/kalamlake/kalam/lake/layout"
)

// MarkFormat is the newest format of the mark that this program reads. The storage
// "local" has format 1, the others have format 2, which names them.
const MarkFormat = 2

// maxMarkBytes bounds the mark; a longer one is damaged.
const maxMarkBytes = 4096

// Mark says which lake a storage belongs to.
type Mark struct {
	LakeID     string
	CreatedAt  time.Time // Of the lake; whole milliseconds.
	Generation uint64    // Starts so far.
	// Storage is the id of the storage, "" of the one that is local: a directory or a bucket
	// that takes the place of another's is known by it.
	Storage kalam.StorageID
}

// markFile is the content of the mark.
type markFile struct {
	Format     int       `json:"format"`
	LakeID     string    `json:"lake_id"`
	CreatedAt  time.Time `json:"created_at"`
	Generation uint64    `json:"generation"`
	// Storage is in format 2.
	Storage kalam.StorageID `json:"storage,omitempty"`
	// Checksum is 8 hex digits: CRC-32C of "{format} {lake_id} {created_at} {generation}", in format 2
	// followed by " {storage}".
	Checksum string `json:"checksum"`
}

func (f *markFile) sum() string {
	text := fmt.Sprintf("%d %s %s %d", f.Format, f.LakeID, f.CreatedAt.Format(time.RFC3339Nano), f.Generation)
	if f.Format > 1 {
		text += " " + string(f.Storage)
	}
	return fmt.Sprintf("%08x", integrity.Checksum([]byte(text)))
}

// ReadMark returns the mark of a storage; found is false when it has none. A mark
// that is damaged is CodeCorrupt, one of a newer format CodeUnsupported.
func ReadMark(ctx context.Context, s Storage) (m Mark, found bool, err error) {
	o, err := s.Open(ctx, layout.MarkPath)
	if errors.Is(err, ErrNotExist) {
		return m, false, nil
	}
	if err != nil {
		return m, false, err
	}
	defer func() { err = errors.Join(err, o.Close()) }()
	if o.Size() > maxMarkBytes {
		return m, true, integrity.Corrupt(layout.MarkPath, "it is %d bytes long", o.Size())
	}
	raw, err := readWhole(ctx, o)
	if err != nil {
		return m, true, err
	}
	m, err = decodeMark(raw)
	return m, true, err
}

// CheckMarkBytes compares the mark of a storage, byte for byte, with what writing it gives: ReadMark takes what means
// the same. What differs, or is missing, is CodeCorrupt.
func CheckMarkBytes(ctx context.Context, s Storage) (err error) {
	m, found, err := ReadMark(ctx, s)
	if err != nil {
		return err
	}
	if !found {
		return integrity.Corrupt(layout.MarkPath, "it is missing")
	}
	want, err := encodeMark(m)
	if err != nil {
		return err
	}
	have, err := readObject(ctx, s, layout.MarkPath)
	if err == nil && !bytes.Equal(have, want) {
		err = integrity.Corrupt(layout.MarkPath, "it is not as it was written, though it says the same")
	}
	return err
}

// readWhole returns the content of an object. The end of ctx ends the reading, too, which Open alone
// does not promise.
func readWhole(ctx context.Context, o Object) ([]byte, error) {
	stop := context.AfterFunc(ctx, func() { _ = o.Close() }) // Whoever reads is told.
	defer stop()
	raw, err := io.ReadAll(integrity.ReaderOf(o))
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	return raw, err
}

func decodeMark(raw []byte) (Mark, error) {
	var head struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return Mark{}, integrity.Corrupt(layout.MarkPath, "it is not JSON: %w", err)
	}
	if head.Format > MarkFormat {
		return Mark{}, kalam.Errorf(kalam.CodeUnsupported,
			"%s has format %d, written by a newer kalam; this program reads up to format %d",
			layout.MarkPath, head.Format, MarkFormat)
	}
	var f markFile
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return Mark{}, integrity.Corrupt(layout.MarkPath, "%w", err)
	}
	if f.Format < 1 || f.LakeID == "" || f.Checksum != f.sum() {
		return Mark{}, integrity.Corrupt(layout.MarkPath, "its checksum does not match")
	}
	return Mark{LakeID: f.LakeID, CreatedAt: f.CreatedAt, Generation: f.Generation, Storage: f.Storage}, nil
}

func encodeMark(m Mark) ([]byte, error) {
	f := markFile{
		Format:     1,
		LakeID:     m.LakeID,
		CreatedAt:  m.CreatedAt.UTC().Truncate(time.Millisecond),
		Generation: m.Generation,
		Storage:    m.Storage,
	}
	if m.Storage != "" {
		f.Format = 2
	}
	f.Checksum = f.sum()
	raw, err := json.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", layout.MarkPath, err)
	}
	return append(raw, '\n'), nil
}

// WriteMark writes the mark of a storage. It is durable on return.
func WriteMark(ctx context.Context, s Storage, m Mark) error {
	raw, err := encodeMark(m)
	if err != nil {
		return err
	}
	return s.Replace(ctx, layout.MarkPath, raw)
}

// RemoveMark removes the mark of a storage.
func RemoveMark(ctx context.Context, s Storage) error { return s.Remove(ctx, layout.MarkPath) }

// errFound ends a listing that has found what it looked for.
var errFound = errors.New("found")

// FindSegment returns the path of some segment in a storage, "" when it holds none.
// What is in the trash does not count.
func FindSegment(ctx context.Context, s Storage) (found string, err error) {
	err = s.List(ctx, "", func(e Entry) error {
		if kind, _ := layout.Classify(e.Path); kind == layout.SegmentFile {
			found = e.Path
			return errFound
		}
		return nil
	})
	if errors.Is(err, errFound) {
		err = nil
	}
	return found, err
}

// FindNamedSegment returns the path of some segment in a storage that the
// manifest.json of its folder names, or whose manifest.json cannot be read; "" when
// there is none. Such a segment was once committed: it is no leftover of a crash.
func FindNamedSegment(ctx context.Context, s Storage) (found string, err error) {
	var folder string // A listing comes folder by folder, as a rule.
	var named *namedSegments
	err = s.List(ctx, "", func(e Entry) error {
		if kind, _ := layout.Classify(e.Path); kind != layout.SegmentFile {
			return nil
		}
		if at := path.Dir(e.Path); named == nil || at != folder {
			folder = at
			if named, err = readNamed(ctx, s, path.Join(folder, layout.ManifestName)); err != nil {
				named = &namedSegments{everything: true}
			}
		}
		if ctx.Err() == nil && named.has(e.Path) {
			found = e.Path
			return errFound
		}
		return ctx.Err()
	})
	if errors.Is(err, errFound) {
		err = nil
	}
	return found, err
}

// namedSegments are the segments that a manifest.json names.
type namedSegments struct {
	everything bool
	inside     map[string]bool // Paths in the storage of manifest.json.
	outside    []string        // Absolute names and URLs, in another storage.
}

func (n *namedSegments) has(p string) bool { return n.everything || n.inside[p] }

// maxManifestBytes bounds what is read of a manifest.json: some 100,000 segments.
const maxManifestBytes = 64 << 20

// readNamed reads which segments the manifest.json at p names: none when there is
// no such file. What cannot be understood is an error.
func readNamed(ctx context.Context, s Storage, p string) (_ *namedSegments, err error) {
	o, err := s.Open(ctx, p)
	if errors.Is(err, ErrNotExist) {
		return &namedSegments{}, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, o.Close()) }()
	if o.Size() > maxManifestBytes {
		return nil, integrity.Corrupt(p, "it is %d bytes long", o.Size())
	}
	raw, err := readWhole(ctx, o)
	if err != nil {
		return nil, err
	}
	var f struct {
		Segments *[]struct {
			Path string `json:"path"`
		} `json:"segments"`
	}
	if err := json.Unmarshal(raw, &f); err != nil {
		return nil, integrity.Corrupt(p, "%w", err)
	}
	if f.Segments == nil {
		return nil, integrity.Corrupt(p, "it has no list of segments")
	}
	named := &namedSegments{inside: map[string]bool{}}
	for _, seg := range *f.Segments {
		if strings.HasPrefix(seg.Path, "/") || strings.Contains(seg.Path, ":") {
			named.outside = append(named.outside, seg.Path)
			continue
		}
		at := path.Join(path.Dir(p), seg.Path)
		if seg.Path == "" || layout.CheckPath(at) != nil {
			return nil, integrity.Corrupt(p, "it names the segment %q", seg.Path)
		}
		named.inside[at] = true
	}
	return named, nil
}
