package wire

import (
	"github.com/RoaringBitmap/roaring/v2"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/query/duckerr"
)

// Schemas keeps the encoded form of schemas, or what it says, by their ids.
type Schemas interface {
	Encoded(s *query.Schema) ([]byte, error)
	Decoded(id uint64, encoded []byte) (*query.Schema, error)
}

// Batch names a batch that was loaded before.
type Batch struct {
	Load uint64 // The number that it was loaded under.
	ID   uint64 // See query.Batch.
	Live []uint32
}

// PutStatement appends a statement; loaded has the batches of each input.
func (b *Buffer) PutStatement(st *query.Statement, loaded [][]Batch, schemas Schemas) error {
	b.Uint(st.ID)
	b.Text(st.SQL)
	b.Text(st.Zone)
	b.putParams(st.Params)
	b.Uint(uint64(len(st.Inputs)))
	for i := range st.Inputs {
		var of []Batch
		if st.Inputs[i].Scan {
			of = loaded[i]
		}
		if err := b.putInput(&st.Inputs[i], of, schemas); err != nil {
			return err
		}
	}
	return nil
}

func (b *Buffer) putParams(params []query.Param) {
	b.Uint(uint64(len(params)))
	for _, p := range params {
		b.Bool(p.Paths != nil)
		if p.Paths != nil {
			b.Texts(p.Paths)
			continue
		}
		b.Value(p.Value)
		b.Type(p.Type)
	}
}

func (b *Buffer) putInput(in *query.Input, loaded []Batch, schemas Schemas) error {
	encoded, err := schemas.Encoded(in.Schema)
	if err != nil {
		return err
	}
	b.Uint(in.Schema.ID)
	b.Bytes(encoded)
	b.Bool(in.Scan)
	b.Uint(uint64(len(loaded)))
	for _, batch := range loaded {
		b.Uint(batch.Load)
		b.Uint(batch.ID)
		b.Bool(batch.Live != nil)
		if batch.Live != nil {
			b.putNumbers(batch.Live)
		}
	}
	b.Bool(in.Dead != nil)
	if in.Dead == nil {
		return nil
	}
	b.Uint(uint64(len(in.Dead)))
	for _, dead := range in.Dead {
		var p []byte
		if dead != nil {
			if p, err = dead.ToBytes(); err != nil {
				return err
			}
		}
		b.Bytes(p)
	}
	return nil
}

func (b *Buffer) putNumbers(list []uint32) {
	b.Uint(uint64(len(list)))
	last := uint32(0)
	for _, n := range list {
		b.Uint(uint64(n - last)) // Ascending, so that most take one byte; what is not is given back as it was.
		last = n
	}
}

// Statement reads a statement. Its batches have no records yet.
func (r *Reader) Statement(schemas Schemas) (*query.Statement, [][]Batch, error) {
	st := &query.Statement{ID: r.Uint(), SQL: r.Text(), Zone: r.Text(), Params: r.params()}
	st.Inputs = make([]query.Input, r.Count())
	loaded := make([][]Batch, len(st.Inputs))
	for i := range st.Inputs {
		var err error
		if loaded[i], err = r.input(&st.Inputs[i], schemas); err != nil {
			return nil, nil, err
		}
	}
	return st, loaded, r.Err()
}

func (r *Reader) params() []query.Param {
	out := make([]query.Param, r.Count())
	for i := range out {
		if r.Bool() {
			out[i].Paths = r.Texts()
			continue
		}
		out[i].Value, out[i].Type = r.Value(), r.Type()
	}
	return out
}

func (r *Reader) input(in *query.Input, schemas Schemas) ([]Batch, error) {
	id := r.Uint()
	encoded := r.take(r.Uint())
	if err := r.Err(); err != nil {
		return nil, err
	}
	var err error
	if in.Schema, err = schemas.Decoded(id, encoded); err != nil {
		return nil, err
	}
	in.Scan = r.Bool()
	loaded := make([]Batch, r.Count())
	for i := range loaded {
		loaded[i] = Batch{Load: r.Uint(), ID: r.Uint()}
		if r.Bool() {
			loaded[i].Live = r.numbers()
		}
	}
	if !r.Bool() {
		return loaded, r.Err()
	}
	in.Dead = make([]*roaring.Bitmap, r.Count())
	for i := range in.Dead {
		if p := r.Bytes(); len(p) > 0 {
			in.Dead[i] = roaring.New()
			if err := in.Dead[i].UnmarshalBinary(p); err != nil {
				return nil, err
			}
		}
	}
	return loaded, r.Err()
}

func (r *Reader) numbers() []uint32 {
	out := make([]uint32, r.Count())
	last := uint32(0)
	for i := range out {
		last += uint32(r.Uint())
		out[i] = last
	}
	return out
}

// PutCopy appends a copy, without its batches.
func (b *Buffer) PutCopy(c *query.Copy, schemas Schemas) error {
	b.Text(c.SQL)
	b.Text(c.Check)
	b.Text(c.CheckedSQL)
	b.putParams(c.Params)
	b.Bool(c.Batches != nil)
	return b.putInput(&c.Input, nil, schemas)
}

// Copy reads a copy; fed says that its batches follow.
func (r *Reader) Copy(schemas Schemas) (c *query.Copy, fed bool, err error) {
	c = &query.Copy{SQL: r.Text(), Check: r.Text(), CheckedSQL: r.Text(), Params: r.params()}
	fed = r.Bool()
	if _, err = r.input(&c.Input, schemas); err != nil {
		return nil, false, err
	}
	return c, fed, r.Err()
}

// Options are those of a worker.
type Options struct {
	MemoryLimit string
	Threads     int
	LakeDirs    []string
	TempDir     string
	TempLimit   string // Of the files in TempDir, as MemoryLimit.
	PostgreSQL  bool
	IDs         bool // SNOWFLAKE_ID() has values.
	Copies      bool // It writes files and runs nothing else.
}

// PutOptions appends options.
func (b *Buffer) PutOptions(o Options) {
	b.Text(o.MemoryLimit)
	b.Uint(uint64(o.Threads))
	b.Texts(o.LakeDirs)
	b.Text(o.TempDir)
	b.Text(o.TempLimit)
	for _, v := range []bool{o.PostgreSQL, o.IDs, o.Copies} {
		b.Bool(v)
	}
}

// Options reads options.
func (r *Reader) Options() (o Options, err error) {
	o = Options{MemoryLimit: r.Text(), Threads: int(r.Uint()), LakeDirs: r.Texts(), TempDir: r.Text(), TempLimit: r.Text()}
	o.PostgreSQL, o.IDs, o.Copies = r.Bool(), r.Bool(), r.Bool()
	return o, r.Err()
}

// Report is what a worker says of itself after a call.
type Report struct {
	Found    bool  // The statement was found prepared.
	Prepared int   // Statements that stay prepared.
	Chunks   int64 // Pieces of batches that DuckDB holds.
	Sources  int64 // Statements whose inputs DuckDB holds.
	Hits     int64 // Batches that were converted already, so far.
	Misses   int64
	Bytes    int64 // Of the batches that are kept converted.
}

// PutReport appends a report.
func (b *Buffer) PutReport(p Report) {
	b.Bool(p.Found)
	for _, n := range []int64{int64(p.Prepared), p.Chunks, p.Sources, p.Hits, p.Misses, p.Bytes} {
		b.Uint(uint64(n))
	}
}

// Report reads a report.
func (r *Reader) Report() Report {
	p := Report{Found: r.Bool(), Prepared: int(r.Uint())}
	p.Chunks, p.Sources, p.Hits = int64(r.Uint()), int64(r.Uint()), int64(r.Uint())
	p.Misses, p.Bytes = int64(r.Uint()), int64(r.Uint())
	return p
}

// PutDescription appends what a text takes and gives.
func (b *Buffer) PutDescription(d query.Description) {
	b.Uint(uint64(len(d.Params)))
	for _, t := range d.Params {
		b.Type(t.Type)
		b.Bool(t.Known)
	}
	b.Uint(uint64(len(d.Columns)))
	for _, c := range d.Columns {
		b.Text(c.Name)
		b.Type(c.Type)
	}
}

// Description reads what a text takes and gives.
func (r *Reader) Description() (d query.Description) {
	d.Params = make([]query.ParamType, r.Count())
	for i := range d.Params {
		d.Params[i].Type, d.Params[i].Known = r.Type(), r.Bool()
	}
	d.Columns = make([]query.Column, r.Count())
	for i := range d.Columns {
		d.Columns[i].Name, d.Columns[i].Type = r.Text(), r.Type()
	}
	return d
}

// Forms of errors.
const (
	plainError = iota
	kalamError
	duckError
)

// PutError appends an error.
func (b *Buffer) PutError(err error) {
	switch e := err.(type) { //nolint:errorlint // The outermost decides; the chains of the others were looked through.
	case *kalam.Error:
		b.B = append(b.B, kalamError)
		b.Uint(uint64(e.Code))
		b.Text(e.Msg)
		b.Uint(uint64(e.Position))
		b.Text(causeOf(e))
	case *duckerr.Error:
		b.B = append(b.B, duckError)
		b.Texts([]string{e.Type, e.Message, e.Subtype, e.Name, e.Kind})
	default:
		b.B = append(b.B, plainError)
		b.Text(err.Error())
	}
}

func causeOf(e *kalam.Error) string {
	if e.Err == nil {
		return ""
	}
	return e.Err.Error()
}
