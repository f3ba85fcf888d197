package lake

import (
	"context"
	"maps"
	"math"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake/integrity"
	"github.com/kalamlake/kalam/lake/layout"
)

// Orphan is a file of ours that belongs to nothing.
type Orphan struct {
	Storage  kalam.StorageID
	Path     string
	Kind     layout.FileKind
	MaxSeq   kalam.Seq // Highest seq in the segment, by its name; 0 for other kinds.
	Bytes    int64
	Modified time.Time
	Age      time.Duration // Since Modified.
}

// AnyAge is the age of files that are to come, too, by a clock that is behind.
const AnyAge time.Duration = math.MinInt64

// OrphanQuery says which orphans Orphans is to find.
type OrphanQuery struct {
	Storage kalam.StorageID
	Age     time.Duration // Least time since the file was written; AnyAge takes all.
	// Known reports whether a manifest of record names the segment at a path of the
	// storage.
	Known func(segmentPath string) bool
}

// OrphanList is what Orphans finds.
type OrphanList struct {
	Orphans []Orphan
	// Protected are files that no manifest of record names, but a manifest.json
	// does, or that lie in the folder of one that cannot be trusted.
	Protected []Orphan
	// Untrusted tells why a manifest.json cannot be trusted, by its path.
	Untrusted map[string]error
}

// Orphans lists the files of a storage that crashes and failures left behind:
// staged objects, and segments and key index files whose segment no manifest names, neither one
// of record nor a manifest.json of any storage. Files that this Lake is writing
// at the moment are not among them. A segment that was committed but not yet
// adopted by the manifest of record is: callers remove only orphans of some age
// (24 hours). Files with names that the lake does not give are never orphans, and
// neither is what lies in the trash.
func (l *Lake) Orphans(ctx context.Context, q OrphanQuery) (list OrphanList, err error) {
	at, err := l.location(q.Storage)
	if err != nil {
		return list, err
	}
	now := l.now()
	var found []Orphan
	err = at.Storage.List(ctx, "", func(e Entry) error {
		kind, owner := layout.Classify(e.Path)
		switch kind {
		case layout.OtherFile, layout.ManifestFile, layout.CatalogFile:
			return nil
		case layout.SegmentFile, layout.KeyIndexFile:
			if q.Known(owner) {
				return nil
			}
		case layout.StagedFile:
		}
		if owner != "" && l.isPending(objectKey{at.ID, owner}) {
			return nil
		}
		age := now.Sub(e.Modified)
		if age >= q.Age {
			found = append(found, Orphan{
				Storage: at.ID, Path: e.Path, Kind: kind, MaxSeq: layout.SeqOfName(e.Path),
				Bytes: e.Bytes, Modified: e.Modified, Age: age,
			})
		}
		return nil
	})
	if err != nil || len(found) == 0 {
		return list, err
	}
	guard, err := l.readGuard(ctx, at, found)
	if err != nil {
		return list, err
	}
	list.Untrusted = guard.untrusted
	for _, o := range found {
		if guard.protects(&o) {
			list.Protected = append(list.Protected, o)
		} else {
			list.Orphans = append(list.Orphans, o)
		}
	}
	return list, nil
}

// AbortUploads ends the uploads to a storage that began before a time, if it has such.
func (l *Lake) AbortUploads(ctx context.Context, storage kalam.StorageID, before time.Time) error {
	at, err := l.location(storage)
	if err != nil {
		return err
	}
	if s, ok := at.Storage.(UploadAborter); ok {
		_, err = s.AbortUploads(ctx, before)
	}
	return err
}

// manifestGuard is what the manifest.json files say against removing files of one
// storage.
type manifestGuard struct {
	mu        sync.Mutex       // guards what follows, while it is made
	named     map[string]bool  // Segments that one of them names.
	untrusted map[string]error // By path: those that cannot be trusted, in this storage.
}

// protects reports whether o must stay. A staged object is not what a manifest names.
func (g *manifestGuard) protects(o *Orphan) bool {
	for p := range g.untrusted {
		if folder := path.Dir(p); folder == "." || strings.HasPrefix(o.Path, folder+"/") {
			return true
		}
	}
	_, owner := layout.Classify(o.Path)
	return o.Kind != layout.StagedFile && g.named[owner]
}

// readGuard reads every manifest.json of every storage, which files of the storage
// at they name. In the folders of the orphans one is trusted only if the segments
// that it names exist: a damaged name may be that of an orphan.
func (l *Lake) readGuard(ctx context.Context, at *location, orphans []Orphan) (*manifestGuard, error) {
	g := &manifestGuard{named: map[string]bool{}, untrusted: map[string]error{}}
	folders := map[string]bool{}
	for i := range orphans {
		folders[path.Dir(orphans[i].Path)] = true
	}
	root := strings.TrimSuffix(at.Storage.Properties().Location, "/") + "/"
	for _, other := range *l.locations.Load() {
		var manifests []string
		err := other.Storage.List(ctx, "", func(e Entry) error {
			if kind, _ := layout.Classify(e.Path); kind == layout.ManifestFile {
				manifests = append(manifests, e.Path)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		err = eachOf(ctx, other.Storage, manifests, func(ctx context.Context, p string) error {
			named, err := readNamed(ctx, other.Storage, p)
			if err == nil && folders[path.Dir(p)] && other.ID == at.ID {
				err = checkNamed(ctx, other.Storage, named)
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil && other.ID != at.ID {
				return err // Which files of this storage it names is not known.
			}
			g.add(p, named, err, other.ID == at.ID, root)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return g, nil
}

// add notes what the manifest.json at p names, or why it cannot be trusted. own says that it lies
// in the storage that is looked at, whose root is root.
func (g *manifestGuard) add(p string, named *namedSegments, err error, own bool, root string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err != nil {
		g.untrusted[p] = err
		return
	}
	if own {
		maps.Copy(g.named, named.inside)
	}
	for _, name := range named.outside {
		if p, ok := strings.CutPrefix(name, root); ok {
			g.named[p] = true
		}
	}
}

// remoteReads is how many objects of a remote storage are read at a time.
const remoteReads = 8

// eachOf calls do for objects of a storage: in turn, or some at a time where each costs a round
// trip.
func eachOf(ctx context.Context, s Storage, paths []string, do func(ctx context.Context, p string) error) error {
	work, limited := errgroup.WithContext(ctx)
	work.SetLimit(remoteReads)
	if s.Properties().Local {
		work.SetLimit(1)
	}
	for _, p := range paths {
		if limited.Err() != nil {
			break
		}
		work.Go(func() error { return do(limited, p) })
	}
	if err := work.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

// checkNamed reports a segment that is named and not there.
func checkNamed(ctx context.Context, s Storage, named *namedSegments) error {
	for _, p := range slices.Sorted(maps.Keys(named.inside)) {
		if ok, err := exists(ctx, s, p); err != nil {
			return err
		} else if !ok {
			return integrity.Corrupt(layout.ManifestName, "it names %s, which is missing", p)
		}
	}
	return nil
}
