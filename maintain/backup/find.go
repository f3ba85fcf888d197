package backup

import (
	"cmp"
	"context"
	"errors"
	"os"

	"github.com/kalamlake/kalam"
)

// Found is a segment in a backup.
type Found struct {
	Backup  string // Its id.
	Parquet Object
	Keys    Object
}

// Find returns the files of a segment from the newest backup that has both whole, nil when none has.
func (d *Destination) Find(ctx context.Context, seg *kalam.Segment) (*Found, error) {
	want := segmentKey{cmp.Or(seg.Storage, kalam.LocalStorage), seg.Path, seg.Bytes, seg.Sums}
	if d.index == nil {
		list, err := d.List(ctx)
		if err != nil {
			return nil, err
		}
		d.index = map[segmentKey]*Found{}
		for _, b := range list { // The newest last.
			if b.Manifest == nil {
				continue
			}
			for i := range b.Manifest.Segments {
				s := &b.Manifest.Segments[i]
				if s.Damaged == "" && !s.Parquet.none() && !s.Keys.none() && s.Sums.Known() {
					d.index[s.key()] = &Found{Backup: b.ID, Parquet: s.Parquet, Keys: s.Keys}
				}
			}
		}
	}
	return d.index[want], nil
}

// Extract writes an object to a new file, which is not synced, and compares it with its checksum.
func (d *Destination) Extract(ctx context.Context, o Object, name string) (err error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(noSpace(d.read(ctx, o.path(), o, f)), f.Close())
}
