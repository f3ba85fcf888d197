package segments

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/keyindex"
)

// Tables tells the definitions of tables; package catalog does.
type Tables interface {
	// TableByNumber returns the newest definition of a table that was not dropped.
	TableByNumber(n kalam.TableNumber) (*kalam.Table, bool)
	// TableVersion returns the definition that a segment was written for.
	TableVersion(n kalam.TableNumber, version int) (*kalam.Table, bool)
}

// Reader reads segments. It is safe for concurrent use.
type Reader struct {
	lake   *lake.Lake
	tables Tables
	log    *slog.Logger
	damage Damage
}

// NewReader returns a Reader of the segments of a lake. Its owner closes the lake.
func NewReader(l *lake.Lake, tables Tables, log *slog.Logger) *Reader {
	return &Reader{lake: l, tables: tables, log: log}
}

// Damage returns the segments that are known to be damaged.
func (r *Reader) Damage() *Damage { return &r.damage }

// Find returns the row position of each key, -1 where it is absent.
func (r *Reader) Find(ctx context.Context, seg *kalam.Segment, keys [][]byte) (rows []int64, err error) {
	err = r.withKeys(ctx, seg, func() (err error) {
		rows, err = r.lake.Find(ctx, seg, keys)
		return err
	})
	return rows, err
}

// ReadRows returns the rows at the positions.
func (r *Reader) ReadRows(
	ctx context.Context, t *kalam.Table, seg *kalam.Segment, rows []int64,
) (found []kalam.Row, err error) {
	err = r.withKeys(ctx, seg, func() (err error) {
		found, err = r.lake.ReadRows(ctx, t, seg, rows)
		return err
	})
	return found, err
}

// EachKey calls visit for every key of the segment.
func (r *Reader) EachKey(ctx context.Context, seg *kalam.Segment, visit func(keyindex.Entry) error) error {
	return r.withKeys(ctx, seg, func() error { return r.lake.EachKey(ctx, seg, visit) })
}

// withKeys runs read, and once more when it found that the key index file is lost.
func (r *Reader) withKeys(ctx context.Context, seg *kalam.Segment, read func() error) error {
	err := read()
	if errors.Is(err, lake.ErrNoKeyIndex) {
		if err = r.Rebuild(ctx, seg); err == nil {
			err = read()
		}
	}
	r.NoteDamage(seg, err)
	return err
}

// Rebuild makes the key index file of a segment anew from its rows.
func (r *Reader) Rebuild(ctx context.Context, seg *kalam.Segment) error {
	t, ok := r.tables.TableVersion(seg.Table, seg.SchemaVersion)
	if !ok {
		return kalam.Errorf(kalam.CodeTableNotFound, "Table of segment %s does not exist", seg.Path)
	}
	r.log.Warn("the keys of a segment are lost; they are made anew from its rows",
		"table", t.ID.String(), "segment", seg.Path)
	return r.lake.Rebuild(ctx, t, seg)
}

// NoteDamage notes a segment in Damage, and logs it, if err, which reading it gave, says
// that it is damaged.
func (r *Reader) NoteDamage(seg *kalam.Segment, err error) {
	if kalam.CodeOf(err) == kalam.CodeCorrupt && r.damage.Add(seg) {
		r.log.Error("a segment is damaged",
			"table", r.TableName(seg.Table), "user", string(seg.User), "segment", seg.Path, "error", err)
	}
}

// TableName returns the name of a table for messages.
func (r *Reader) TableName(n kalam.TableNumber) string {
	if t, ok := r.tables.TableByNumber(n); ok {
		return t.ID.String()
	}
	return fmt.Sprint(n)
}
