package backup

import (
	"context"
	"io"

	"github.com/kalamlake/kalam"
)

// Verified is what Verify has looked at.
type Verified struct {
	Backups  int
	Files    int // Each once, however many backups have it.
	Bytes    int64
	Problems int
}

// Verify compares every file of the backups of a destination with its checksum; id names one backup, "" is all. What
// is wrong is told to problem, by the name of the file and of the backup. CodeNotFound when there is no such backup.
func Verify(ctx context.Context, d *Destination, id string, problem func(line string)) (Verified, error) {
	v := verifier{from: d, problem: problem, seen: map[string]error{}}
	list, err := d.List(ctx)
	if err != nil {
		return v.out, err
	}
	for _, b := range list {
		if id != "" && b.ID != id {
			continue
		}
		v.out.Backups++
		if b.Err != nil {
			v.bad(b.ID, b.Err)
			continue
		}
		if err := v.backup(ctx, b.Manifest); err != nil {
			return v.out, err
		}
	}
	if v.out.Backups == 0 && id != "" {
		return v.out, kalam.Errorf(kalam.CodeNotFound, "there is no backup %s in %s", id, d.Location())
	}
	return v.out, nil
}

// verifier is the work of Verify.
type verifier struct {
	from    *Destination
	problem func(string)
	seen    map[string]error // What was found of an object, by its sum.
	out     Verified
}

func (v *verifier) bad(id string, err error) {
	v.out.Problems++
	v.problem("backup " + id + ": " + err.Error())
}

// backup looks at all files of a backup. An error means that not all could be looked at.
func (v *verifier) backup(ctx context.Context, m *Manifest) error {
	record := recordPath(m.ID)
	if err := v.file(ctx, m.ID, record, m.Record); err != nil {
		return err
	}
	if v.seen[m.Record.Sum] == nil {
		if err := v.record(ctx, m); err != nil {
			return err
		}
	}
	for i := range m.Segments {
		for _, o := range []Object{m.Segments[i].Parquet, m.Segments[i].Keys} {
			if o.none() {
				continue // It was missing when the backup was made.
			}
			if err := v.file(ctx, m.ID, o.path(), o); err != nil {
				return err
			}
		}
	}
	return nil
}

// file compares a file, once, and tells for each backup when it is damaged.
func (v *verifier) file(ctx context.Context, id, p string, want Object) error {
	err, seen := v.seen[want.Sum]
	if !seen {
		err = v.from.read(ctx, p, want, io.Discard)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil && kalam.CodeOf(err) != kalam.CodeCorrupt {
			return err
		}
		v.seen[want.Sum] = err
		v.out.Files++
		v.out.Bytes += want.Bytes
	}
	if err != nil {
		v.bad(id, err)
	}
	return nil
}

// record reads what the write buffer stored.
func (v *verifier) record(ctx context.Context, m *Manifest) error {
	_, err := v.from.eachEntry(ctx, m, func(string) error { return nil },
		func(string, []byte, []byte) error { return nil })
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		v.bad(m.ID, err)
	}
	return nil
}

// eachEntry reads the record of a backup, whose checksum was compared before.
func (d *Destination) eachEntry(ctx context.Context, m *Manifest, keyspace func(string) error,
	entry func(keyspace string, key, value []byte) error) (int64, error) {
	p := recordPath(m.ID)
	o, err := d.storage.Open(ctx, d.path(p))
	if err != nil {
		return 0, err
	}
	defer o.Close() //nolint:errcheck // It was only read.
	return readRecord(ctx, p, io.NewSectionReader(o, 0, o.Size()), keyspace, entry)
}
