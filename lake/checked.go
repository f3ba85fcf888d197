package lake

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake/integrity"
	"github.com/kalamlake/kalam/lake/parquet"
)

// maxChecked bounds how many segments are remembered as checked, and as removed.
const maxChecked = 1 << 16

// LocalFile is the Parquet file of a segment, lent to a reader that opens it by its
// name and knows no checksums.
type LocalFile struct {
	Name string // Absolute.

	lake    *Lake
	at      *location
	segment kalam.Segment
	state   checkedFile
	release func()
}

// checkedFile is how a file was while all of it was compared with its checksums.
type checkedFile struct {
	integrity.Identity
	settled bool // A change since must show in the identity.
}

// wholeFile is a local file that was found whole, and how it was then.
type wholeFile struct {
	integrity.Identity
	name string
}

// LocalPath lends the segment's Parquet file to read_parquet, until Release. A file
// that is missing, or is not the one that the record describes, byte for byte, gives
// CodeCorrupt. All of it is read only if that was not yet done in this process, or if
// it was changed or replaced since. A segment of an early version whose key index file is
// missing gives ErrNoKeyIndex: nothing vouches for its file before Rebuild.
func (l *Lake) LocalPath(ctx context.Context, seg *kalam.Segment) (*LocalFile, error) {
	at, err := l.location(seg.Storage)
	if err != nil {
		return nil, err
	}
	if known, ok := l.checked.Get(objectKey{at.ID, seg.Path}); ok && at.Storage.Properties().Local {
		if now, err := identify(known.name); err == nil && now == known.Identity { // The storage would say the same.
			return &LocalFile{Name: known.name, lake: l, at: at, segment: *seg,
				state: checkedFile{now, true}, release: func() {}}, nil
		}
	}
	name, release, err := at.Storage.LocalPath(ctx, seg.Path)
	if err != nil {
		return nil, MissingIsCorrupt(seg.Path, err)
	}
	f := &LocalFile{Name: name, lake: l, at: at, segment: *seg, release: release}
	if f.state, err = l.checkLocal(ctx, at, seg, name); err != nil {
		release()
		return nil, err
	}
	return f, nil
}

// Prefetch has the Parquet files of segments in remote storages brought here side by side, for the
// calls of LocalPath that follow.
func (l *Lake) Prefetch(ctx context.Context, segments []*kalam.Segment) {
	remote := map[Prefetcher][]Entry{}
	for _, seg := range segments {
		if seg.Storage == "" || seg.Storage == kalam.LocalStorage {
			continue
		}
		if at, err := l.location(seg.Storage); err == nil {
			if p, ok := at.Storage.(Prefetcher); ok && !at.Storage.Properties().Local {
				remote[p] = append(remote[p], Entry{Path: seg.Path, Bytes: seg.Bytes})
			}
		}
	}
	for p, objects := range remote {
		p.Prefetch(ctx, objects)
	}
}

// Release ends the loan.
func (f *LocalFile) Release() { f.release() }

// Unchanged reports, as an error with CodeCorrupt, whether what was read from the
// file since LocalPath may be anything else than what was checked there. Whoever
// reads the file asks after reading it, and before anything that was read counts.
func (f *LocalFile) Unchanged(ctx context.Context) error {
	now, err := identify(f.Name)
	if err == nil && now == f.state.Identity && f.state.settled {
		return nil
	}
	state, err := f.lake.checkLocal(ctx, f.at, &f.segment, f.Name)
	if err != nil {
		return err
	}
	if state.Identity != f.state.Identity {
		return integrity.Changed(f.segment.Path) // It is whole again, which says nothing of what was read.
	}
	return nil
}

// identify returns the identity of the file of that name.
func identify(name string) (integrity.Identity, error) {
	info, err := os.Stat(name)
	if err != nil {
		return integrity.Identity{}, err
	}
	return integrity.IdentityOf(info), nil
}

// checkLocal compares the local file name with the record and the checksums of seg,
// unless that was done since it was last changed. Whoever comes second waits for the
// first, also when that one gives up.
func (l *Lake) checkLocal(ctx context.Context, at *location, seg *kalam.Segment, name string) (checkedFile, error) {
	k := objectKey{at.ID, seg.Path}
	now, err := identify(name)
	if err != nil {
		return checkedFile{}, localMissing(seg.Path, err)
	}
	if known, ok := l.checked.Get(k); ok && known == (wholeFile{now, name}) {
		return checkedFile{now, true}, nil
	}
	state, err, _ := l.checking.Do(string(k.storage)+"\x00"+k.path+"\x00"+name, func() (any, error) {
		state, err := checkWhole(context.WithoutCancel(ctx), at, seg, name)
		if err == nil && state.settled {
			l.checked.Add(k, wholeFile{state.Identity, name})
		}
		return state, err
	})
	if err != nil {
		return checkedFile{}, err
	}
	return state.(checkedFile), nil //nolint:forcetypeassert // it is what the function above returns
}

// localMissing is MissingIsCorrupt of a local file, whose name it hides.
func localMissing(p string, err error) error {
	if errors.Is(err, os.ErrNotExist) {
		err = fmt.Errorf("open %s: %w", p, ErrNotExist)
	}
	return MissingIsCorrupt(p, localError("open "+p, err))
}

// checkWhole reads all of a local file and compares it. A file that is changed
// meanwhile is read again.
func checkWhole(ctx context.Context, at *location, seg *kalam.Segment, name string) (checkedFile, error) {
	for try := 1; ; try++ {
		local, err := os.Open(name)
		if err != nil {
			return checkedFile{}, localMissing(seg.Path, err)
		}
		state, after, err := checkOpen(ctx, at, seg, local)
		_ = local.Close() // It was only read.
		if state.Identity == after || try == maxTries {
			if err == nil && state.Identity != after {
				err = integrity.Changed(seg.Path)
			}
			return state, err
		}
	}
}

// checkOpen compares an open file and returns how it was before and after.
func checkOpen(ctx context.Context, at *location, seg *kalam.Segment,
	local *os.File) (state checkedFile, after integrity.Identity, err error) {
	now := time.Now()
	info, err := local.Stat()
	if err != nil {
		return state, after, localError("open "+seg.Path, err)
	}
	state.Identity = integrity.IdentityOf(info)
	state.settled = state.Identity.Settled(now)
	checkErr := checkContent(ctx, at, seg, &localObject{local, info.Size()})
	if info, err = local.Stat(); err != nil {
		return state, after, localError("open "+seg.Path, err)
	}
	return state, integrity.IdentityOf(info), checkErr
}

// checkContent compares all bytes of the Parquet file o of seg with the sums of the
// record, or for want of them with those of the key index file, and its footer with the record.
func checkContent(ctx context.Context, at *location, seg *kalam.Segment, o Object) (err error) {
	if seg.Sums.Known() {
		return parquet.New(seg.Path, o, integrity.Blocks{}).CheckSums(ctx, seg)
	}
	s, err := OpenKeyIndex(ctx, at.Storage, seg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	f := parquet.New(seg.Path, o, s.Checksums())
	if err := f.Open(seg); err != nil {
		return err
	}
	return f.Scrub(ctx, nil)
}

// ForgetChecks forgets which files were found whole, so that each is compared with its checksums again before it is
// read next. It returns how many there were.
func (l *Lake) ForgetChecks() int {
	n := l.checked.Len()
	l.checked.Purge()
	return n
}
