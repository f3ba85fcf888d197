package worker

// #include "pages.h"
import "C"

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/query/process"
	"github.com/kalamlake/kalam/query/sandbox"
	"github.com/kalamlake/kalam/query/shm"
	"github.com/kalamlake/kalam/query/wire"
)

// Serve answers the calls of the server that started this process, one at a time, until
// the server closes the connection.
func Serve() error {
	conn, err := process.Inherited()
	if err != nil {
		return err
	}
	s := &server{conn: conn, batches: map[uint64]*loaded{}, ids: make(chan wantedIDs, 1)}
	s.arrived = sync.NewCond(&s.mu)
	go s.receive()
	for {
		f := s.next()
		if err := s.answer(f); err != nil {
			return fmt.Errorf("answer the server: %w", err)
		}
	}
}

// server is the worker's side of the connection.
type server struct {
	conn *process.Conn
	ids  chan wantedIDs

	mu       sync.Mutex // guards what follows
	arrived  *sync.Cond // There is a frame.
	frames   []process.Frame
	call     uint32             // The one that runs.
	cancel   context.CancelFunc // Of it.
	canceled uint32             // The last call that the server has canceled.
	intake   *intake            // Of the copy that is under way or comes next.

	// What follows belongs to the goroutine of Serve.
	ctx     context.Context // Of the call.
	options wire.Options
	gen     *generation
	session *session
	parser  *parser
	copier  *copier
	schemas decodedSchemas
	batches map[uint64]*loaded
	lent    lent
	rows    []byte // Memory of the result before, for the next.
}

// wantedIDs are the server's answer to a call for ids.
type wantedIDs struct {
	call uint32
	ids  []uint64
	err  error
}

// receive takes what the server sends. It ends the process when the server is gone: a
// statement may run that nothing else ends.
func (s *server) receive() {
	for {
		f, err := s.conn.Read()
		if err != nil {
			os.Exit(0) // Nothing else ends what runs within DuckDB.
		}
		switch f.Kind {
		case wire.Cancel:
			s.mu.Lock()
			s.canceled = f.Call
			if s.call == f.Call && s.cancel != nil {
				s.cancel()
			}
			s.mu.Unlock()
		case wire.IDs:
			s.ids <- readIDs(f)
		case wire.Feed, wire.FeedEnd:
			s.mu.Lock()
			in := s.intake
			s.mu.Unlock()
			in.receive(f)
		default:
			f.Payload = append([]byte(nil), f.Payload...)
			s.mu.Lock()
			if f.Kind == wire.Copy {
				s.intake = newIntake(s.conn, f.Call)
			}
			s.frames = append(s.frames, f)
			s.mu.Unlock()
			s.arrived.Signal()
		}
	}
}

func readIDs(f process.Frame) wantedIDs {
	r := wire.NewReader(f.Payload)
	w := wantedIDs{call: f.Call}
	if r.Bool() {
		w.err = r.Error()
		return w
	}
	w.ids = make([]uint64, r.Count())
	for i := range w.ids {
		w.ids[i] = r.Uint()
	}
	w.err = r.Err()
	return w
}

// next returns the next frame of a call.
func (s *server) next() process.Frame {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.frames) == 0 {
		s.arrived.Wait()
	}
	f := s.frames[0]
	s.frames = s.frames[1:]
	return f
}

// loaded is a batch that calls may name.
type loaded struct {
	rec    arrow.RecordBatch
	mapped *shm.Mapped // nil: the batch came in its frame.
	once   bool
}

// load reads the batch of a frame.
func load(f process.Frame) (*loaded, error) {
	if len(f.Files) == 0 {
		rec, err := wire.DecodeBatch(f.Payload)
		return &loaded{rec: rec}, err
	}
	m, err := shm.Map(f.Files[0])
	for _, file := range f.Files {
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		return nil, err
	}
	return &loaded{rec: m.Record(), mapped: m}, nil
}

func (l *loaded) release() {
	if l.mapped != nil {
		_ = l.mapped.Close() // Only the memory stays mapped.
		return
	}
	l.rec.Release()
}

// answer handles a frame. Its error is that of the connection.
func (s *server) answer(f process.Frame) error {
	switch f.Kind {
	case wire.Load:
		return s.load(f)
	case wire.Lend:
		return s.lent.take(f)
	case wire.Drop:
		r := wire.NewReader(f.Payload)
		for range r.Count() {
			s.drop(r.Uint())
		}
		return r.Err()
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s.mu.Lock()
	s.call, s.cancel = f.Call, cancel
	if s.canceled == f.Call {
		cancel()
	}
	s.mu.Unlock()
	s.ctx = ctx
	out, err := s.do(f, wire.NewReader(f.Payload))
	s.mu.Lock()
	s.cancel = nil
	s.mu.Unlock()
	for id, l := range s.batches {
		if l.once {
			s.drop(id)
		}
	}
	if err != nil {
		out = process.Frame{Kind: wire.Failure, Payload: failure(s.lent.failed(err))}
	}
	s.lent.giveBack()
	out.Call = f.Call
	return s.conn.Write(out)
}

func failure(err error) []byte {
	var b wire.Buffer
	b.PutError(wire.Outermost(err))
	return b.B
}

// load keeps a batch for later calls.
func (s *server) load(f process.Frame) error {
	r := wire.NewReader(f.Payload)
	id, once := r.Uint(), r.Bool()
	f.Payload = r.Rest()
	l, err := load(f)
	if err != nil {
		return err
	}
	l.once = once
	s.batches[id] = l
	return nil
}

// drop lets go of a batch.
func (s *server) drop(id uint64) {
	l, ok := s.batches[id]
	if !ok {
		return
	}
	delete(s.batches, id)
	if s.session != nil {
		s.session.chunks.forget(id)
	}
	l.release()
}

// do makes a call. It returns the frame that ends it.
func (s *server) do(f process.Frame, r *wire.Reader) (process.Frame, error) {
	var b wire.Buffer
	switch f.Kind {
	case wire.Open:
		if err := s.open(r); err != nil {
			return process.Frame{}, err
		}
		b.Text(sandbox.Current().String())
		return process.Frame{Kind: wire.Ready, Payload: b.B}, nil
	case wire.Run:
		return s.run(f, r)
	case wire.Copy:
		return s.copy(r)
	case wire.Translate:
		what := wire.Translation(r.Byte())
		texts, err := s.parser.run(s.ctx, translation(what), r.Text())
		if err = errors.Join(err, r.Err()); err != nil {
			return process.Frame{}, err
		}
		b.Texts(texts)
	case wire.Describe:
		described, err := s.describe(r.Text())
		if err != nil {
			return process.Frame{}, err
		}
		b.PutDescription(described)
	case wire.Explain:
		analyze := r.Bool()
		text, err := s.explain(r, analyze)
		if err != nil {
			return process.Frame{}, err
		}
		b.Text(s.lent.named(text))
	default:
		return process.Frame{}, kalam.Errorf(kalam.CodeInternal, "a query worker knows no call %q", f.Kind)
	}
	return process.Frame{Kind: wire.Answer, Payload: b.B}, r.Err()
}

// open opens DuckDB.
func (s *server) open(r *wire.Reader) (err error) {
	if s.options, err = r.Options(); err != nil {
		return err
	}
	o := Options{
		MemoryLimit: s.options.MemoryLimit, Threads: s.options.Threads, LakeDirs: s.options.LakeDirs,
		TempDir: s.options.TempDir, TempLimit: s.options.TempLimit, PostgreSQL: s.options.PostgreSQL, worker: true,
	}
	if s.options.IDs {
		o.NextIDs = s.nextIDs
	}
	if s.options.Copies {
		s.copier, err = openCopier(o)
		return err
	}
	if s.gen, err = openFunctions(o.settings(), o.NextIDs, o.PostgreSQL); err != nil {
		return err
	}
	chunks := newChunkCache()
	chunks.eager = true // The server sends what is to be kept.
	if s.session, err = openSession(s.gen, s.gen.in, chunks, newSchemaCache()); err != nil {
		return err
	}
	s.parser, err = openParser(s.gen.in)
	C.kalam_forget_program() // Most of what DuckDB's start has touched is not used again.
	return err
}

func (s *server) describe(sql string) (d query.Description, err error) {
	err = s.session.call(s.ctx, func() (err error) {
		d, err = s.session.description(sql)
		return err
	})
	return d, err
}

// statement reads a statement with its batches.
func (s *server) statement(r *wire.Reader) (*query.Statement, error) {
	st, batches, err := r.Statement(&s.schemas)
	if err != nil {
		return nil, err
	}
	for i := range st.Inputs {
		for _, b := range batches[i] {
			l, ok := s.batches[b.Load]
			if !ok {
				return nil, kalam.Errorf(kalam.CodeInternal, "a query worker has no batch %d", b.Load)
			}
			st.Inputs[i].Batches = append(st.Inputs[i].Batches, query.Batch{Record: l.rec, Live: b.Live, ID: b.ID})
		}
	}
	return st, s.lent.place(st.Params)
}

func (s *server) explain(r *wire.Reader, analyze bool) (text string, err error) {
	st, err := s.statement(r)
	if err != nil {
		return "", err
	}
	err = s.session.call(s.ctx, func() (err error) {
		text, err = s.session.explain(st, analyze)
		return err
	})
	return text, err
}

// nextIDs asks the server for ids.
func (s *server) nextIDs(out []int64) error {
	s.mu.Lock()
	call := s.call
	s.mu.Unlock()
	var b wire.Buffer
	b.Uint(uint64(len(out)))
	if err := s.conn.Write(process.Frame{Kind: wire.WantIDs, Call: call, Payload: b.B}); err != nil {
		return err
	}
	for {
		select {
		case got := <-s.ids:
			if got.call != call {
				continue // A call before has not waited for it.
			}
			if got.err == nil && len(got.ids) != len(out) {
				got.err = kalam.Errorf(kalam.CodeInternal, "the server gave %d ids of %d", len(got.ids), len(out))
			}
			for i := range got.ids {
				out[i] = int64(got.ids[i])
			}
			return got.err
		case <-s.ctx.Done():
			return query.Canceled(s.ctx)
		}
	}
}

// decodedSchemas keeps the schemas that the server names.
type decodedSchemas struct{ byID map[uint64]*query.Schema }

// Encoded implements wire.Schemas.
func (d *decodedSchemas) Encoded(s *query.Schema) ([]byte, error) { return wire.EncodeSchema(s.Arrow) }

// Decoded implements wire.Schemas.
func (d *decodedSchemas) Decoded(id uint64, encoded []byte) (*query.Schema, error) {
	if s, ok := d.byID[id]; ok {
		return s, nil
	}
	a, err := wire.DecodeSchema(encoded)
	if err != nil {
		return nil, err
	}
	if len(d.byID) >= maxSchemas || d.byID == nil {
		d.byID = map[uint64]*query.Schema{}
	}
	s := &query.Schema{Arrow: a, ID: id}
	d.byID[id] = s
	return s, nil
}
