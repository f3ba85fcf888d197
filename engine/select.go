package engine

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/dialect"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/segments"
	"github.com/kalamlake/kalam/systables"
)

// query runs a SELECT and streams its rows to the client.
func (s *session) query(ctx context.Context, st *dialect.Select) error {
	if done, err := s.pointRead(ctx, st); done || err != nil {
		return err
	}
	res, err := s.open(ctx, st.SQL, s.params, openOptions{})
	if err != nil {
		return placed(err, st.Edits, st.Pos)
	}
	defer res.Close()
	return s.stream(ctx, res)
}

// relation is a table reference of a query, resolved for this principal.
type relation struct {
	ref    query.TableRef
	table  *kalam.Table // nil for a system table or an overridden source.
	system *systables.Table
	target bool          // The statement changes its rows, see targetRelation.
	source *query.Source // Given by the caller instead of a stored table.
}

// openOptions changes where a query reads from. The zero value is the usual
// case: a fresh snapshot, or the transaction's.
type openOptions struct {
	sources  map[string]*query.Source // Relations that exist for this query only, by the first part of their name.
	snapshot *pinned                  // Read this snapshot instead.
	elevated bool                     // The text is the server's own: system tables are open.
	composed bool                     // The text is put together here: positions in it mean nothing to the user.
	inner    bool                     // Another statement takes the rows: * has no system columns.
}

// openRows is a running query with what it keeps alive.
type openRows struct {
	rows     *query.Rows
	snapshot *pinned
	owned    bool // The snapshot ends with the query.
	cacheHit bool
	tables   []*relation
	files    segments.Files
	checked  time.Time // When files were last found unchanged.
}

// recheckEvery is how long rows are handed on before it is looked again whether the
// files that they come from are still the same.
const recheckEvery = 20 * time.Millisecond

// next returns the next rows, io.EOF after the last. Neither is told when a file that
// they come from was changed meanwhile: what the query engine has read is then not what
// was checked.
func (r *openRows) next(ctx context.Context) (arrow.RecordBatch, error) {
	batch, err := r.rows.Next(ctx)
	now := time.Now()
	if err == nil && now.Sub(r.checked) < recheckEvery {
		return batch, nil
	}
	if changed := r.files.Changed(ctx, err); changed != nil {
		if err == nil {
			batch.Release()
		}
		return nil, changed
	}
	r.checked = now
	return batch, err
}

// eachBatch hands the batches of a running query to f, which does not keep them.
func (r *openRows) eachBatch(ctx context.Context, f func(arrow.RecordBatch) error) error {
	for {
		batch, err := r.next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		err = f(batch)
		batch.Release()
		if err != nil {
			return err
		}
	}
}

// Close ends the query and lets go of its snapshot. It may be called twice.
func (r *openRows) Close() {
	if r.rows != nil {
		r.rows.Close()
		r.rows = nil
	}
	r.files.Release()
	if r.owned && r.snapshot != nil {
		r.snapshot.release()
		r.snapshot = nil
	}
}

// open analyses sql, resolves and authorises its tables, takes the snapshot and
// starts the query. The caller closes the result.
func (s *session) open(ctx context.Context, sql string, params []kalam.Value, o openOptions) (*openRows, error) {
	res, err := s.openPlanned(ctx, sql, params, o)
	if err != nil && o.composed {
		return nil, kalam.Unpositioned(err)
	}
	return res, err
}

func (s *session) openPlanned(ctx context.Context, sql string, params []kalam.Value, o openOptions) (*openRows, error) {
	analyse := s.e.query.Analyse
	if o.inner {
		analyse = s.e.query.AnalyseInner
	}
	plan, err := analyse(ctx, sql)
	if err != nil {
		return nil, err
	}
	rels, err := s.relations(plan.Tables(), o)
	if err != nil {
		return nil, err
	}
	res := &openRows{tables: rels, cacheHit: plan.CacheHit(), snapshot: o.snapshot}
	if res.snapshot == nil {
		res.snapshot, res.owned, err = s.snapshotFor(ctx, rels)
		if err != nil {
			return nil, err
		}
	}
	sources, err := s.sources(ctx, rels, res)
	if err != nil {
		res.Close()
		return nil, err
	}
	res.rows, err = s.e.query.Query(ctx, plan, sources, query.Args{
		Params: params, User: s.principal.User, Role: s.principal.Role, Now: s.now, Namespace: s.namespace,
	})
	if err != nil {
		if changed := res.files.Changed(ctx, err); changed != nil {
			err = changed
		}
		res.Close()
		return nil, err
	}
	return res, nil
}

// relations maps the table references of a plan to tables the principal may read.
func (s *session) relations(refs []query.TableRef, o openOptions) ([]*relation, error) {
	rels := make([]*relation, len(refs))
	for i, ref := range refs {
		rel, err := s.relation(ref, o)
		if err != nil {
			return nil, err
		}
		rels[i] = rel
	}
	return rels, nil
}

func (s *session) relation(ref query.TableRef, o openOptions) (*relation, error) {
	if src, ok := o.sources[ref.Parts[0]]; ok {
		return &relation{ref: ref, source: src}, nil
	}
	target := ref.Parts[0] == targetRelation && o.composed && len(ref.Parts) > 1
	if target {
		ref.Parts, ref.NamesDeleted = ref.Parts[1:], false
	}
	name := dialect.Name{Parts: ref.Parts, Pos: ref.Position}
	if ref.Namespace != "" {
		id, err := s.tableID(name)
		if err == nil && ref.Namespace != string(id.Namespace) {
			err = kalam.Positioned(notReferenced(ref.Namespace, id), ref.Position)
		}
		if err != nil {
			return nil, err
		}
	}
	want := access.Read
	if o.elevated {
		want = access.Serve
	}
	t, err := s.table(name, want)
	if err != nil {
		return nil, err
	}
	if t.IsComputed() {
		return &relation{ref: ref, system: s.e.computed.Table(t.ID)}, nil
	}
	return &relation{ref: ref, table: t, target: target}, s.hold(t)
}

// pinned is a snapshot with the index of each scope's view in it.
type pinned struct {
	snap  *buffer.Snapshot
	views map[kalam.Scope]int
}

func (p *pinned) release() {
	if p.snap != nil {
		p.snap.Release()
	}
}

// view returns the view of a scope, nil when the snapshot does not hold it.
func (p *pinned) view(sc kalam.Scope) *buffer.View {
	i, ok := p.views[sc]
	if !ok {
		return nil
	}
	return p.snap.View(i)
}

// snapshotFor returns the transaction's snapshot, or a fresh one of the stored
// tables among rels; owned says whether the caller must release it.
func (s *session) snapshotFor(ctx context.Context, rels []*relation) (p *pinned, owned bool, err error) {
	if s.txn != nil {
		return s.txn.snapshot, false, nil
	}
	scopes := make([]buffer.TableScope, 0, len(rels))
	for _, r := range rels {
		if r.table != nil {
			scopes = append(scopes, s.tableScope(r.table))
		}
	}
	p, err = s.pin(ctx, scopes)
	return p, true, err
}

// tableScope returns the scope of t in which the principal reads and writes.
func (s *session) tableScope(t *kalam.Table) buffer.TableScope {
	return buffer.TableScope{Table: t, Scope: s.scope(t)}
}

// pin takes one snapshot of the scopes, each once.
func (s *session) pin(ctx context.Context, scopes []buffer.TableScope) (*pinned, error) {
	p := &pinned{views: make(map[kalam.Scope]int, len(scopes))}
	distinct := scopes[:0]
	for _, sc := range scopes {
		if _, ok := p.views[sc.Scope]; !ok {
			p.views[sc.Scope] = len(distinct)
			distinct = append(distinct, sc)
		}
	}
	if len(distinct) == 0 {
		return p, nil
	}
	snap, err := s.e.store.Snapshot(ctx, distinct)
	if err != nil {
		return nil, err
	}
	p.snap = snap
	return p, nil
}

// sources builds what each table reference reads.
func (s *session) sources(ctx context.Context, rels []*relation, res *openRows) ([]query.Source, error) {
	out := make([]query.Source, len(rels))
	for i, r := range rels {
		src, err := s.source(ctx, r, res)
		if err != nil {
			return nil, err
		}
		out[i] = src
	}
	return out, nil
}

func (s *session) source(ctx context.Context, r *relation, res *openRows) (query.Source, error) {
	switch {
	case r.source != nil:
		return *r.source, nil
	case r.system != nil:
		return s.systemSource(ctx, r.system)
	}
	view, err := s.viewOf(r.table, res.snapshot)
	if err != nil {
		return query.Source{}, err
	}
	src, err := s.e.tableSource(ctx, r.table, view, r.ref.NamesDeleted, s.now, &res.files)
	if own := s.ownWrites(r.table); own != nil && !r.target {
		var done func()
		src.Batches, done = withoutSeqs(src.Batches, own.Provisional)
		s.cleanup = append(s.cleanup, done)
	}
	return src, err
}

// systemSource computes the rows of a system table now.
func (s *session) systemSource(ctx context.Context, t *systables.Table) (query.Source, error) {
	rows, err := t.Rows(ctx, systables.Viewer{Principal: s.principal, Access: s.e.access})
	if err != nil {
		return query.Source{}, err
	}
	src, release, err := rowsSource(t.Schema(), rows)
	if err != nil {
		return query.Source{}, err
	}
	s.cleanup = append(s.cleanup, release)
	return src, nil
}

// ownWrites returns what the open transaction has written to t, nil for nothing.
func (s *session) ownWrites(t *kalam.Table) *buffer.Writes {
	if s.txn == nil {
		return nil
	}
	return s.txn.writes[s.scope(t)]
}

// viewOf returns what a query reads of t: the snapshot's view, with the
// transaction's own writes on top.
func (s *session) viewOf(t *kalam.Table, p *pinned) (*buffer.View, error) {
	view := p.view(s.scope(t))
	if view == nil {
		return nil, createdLater(t)
	}
	if s.txn == nil {
		return view, nil
	}
	return s.txn.overlay(s.scope(t), view), nil
}

// stream sends the rows of a running query to the client, cut at
// limits.max_result_rows with a visible mark.
func (s *session) stream(ctx context.Context, res *openRows) error {
	schema := res.rows.Schema()
	header := RowsHeader{Fields: s.fields(schema, res.tables), Arrow: schema, AsUser: s.principal.User, Statement: s.statement}
	if err := s.out.StartRows(header); err != nil {
		return err
	}
	limit := s.e.config.Limits.MaxResultRows
	var n int64
	trailer := RowsTrailer{CacheHit: &res.cacheHit}
	for {
		batch, err := res.next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		rows := batch.NumRows()
		if limit > 0 && n+rows > limit {
			cut := batch.NewSlice(0, limit-n)
			batch.Release()
			batch, rows, trailer.Truncated = cut, limit-n, true
			trailer.Message = truncatedMessage(limit)
		}
		n += rows
		err = s.out.Batch(batch)
		batch.Release()
		if err != nil {
			return err
		}
		if trailer.Truncated {
			if err := res.files.Changed(ctx, nil); err != nil {
				return err
			}
			break
		}
	}
	trailer.RowCount = n
	return s.out.EndRows(trailer)
}

// fields describes the result columns for the wire. The key flags come from the
// table when the query reads exactly one.
func (s *session) fields(schema *arrow.Schema, rels []*relation) []Field {
	fields := make([]Field, schema.NumFields())
	for i, f := range schema.Fields() {
		fields[i] = Field{Name: f.Name, Type: datatype.TypeOfArrow(f)}
	}
	if len(rels) != 1 || rels[0].table == nil {
		return fields
	}
	t := rels[0].table
	for i := range fields {
		fields[i] = tableField(t, fields[i])
	}
	return fields
}

// tableField adds what the table knows of a column that kept its name and type: the
// flags pk, nn and uq.
func tableField(t *kalam.Table, f Field) Field {
	switch f.Name {
	case kalam.ColumnSeq, kalam.ColumnDeleted:
		f.Flags = []string{"nn"}
		return f
	}
	i := t.ColumnIndex(f.Name)
	if i < 0 {
		return f
	}
	c := &t.Columns[i]
	if c.Type != f.Type {
		return f
	}
	switch {
	case len(t.PrimaryKey) == 1 && t.IsKey(i):
		f.Flags = []string{"pk", "nn", "uq"}
	case t.IsKey(i):
		f.Flags = []string{"pk", "nn"}
	case c.NotNull:
		f.Flags = []string{"nn"}
	}
	return f
}
