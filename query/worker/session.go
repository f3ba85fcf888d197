package worker

// #include "scan.h"
import "C"

import (
	"errors"
	"io"
	"runtime/cgo"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/sqltext"
)

// maxStatements bounds the prepared statements of a session.
const maxStatements = 64

// generation is one instance with its functions.
type generation struct {
	in       *instance
	ids      cgo.Handle
	registry *C.kalam_registry
	dead     bool // DuckDB has given up on it.
	sessions int
}

// openFunctions opens an instance and registers the functions in it.
func openFunctions(settings []string, ids NextIDs, postgreSQL bool) (*generation, error) {
	in, err := openInstance(settings)
	if err != nil {
		return nil, err
	}
	g := &generation{in: in, ids: cgo.NewHandle(ids)}
	g.registry = C.kalam_registry_new(C.uintptr_t(g.ids))
	c, err := in.connect()
	if err == nil {
		own := C.duck(c.c.Ptr)
		if g.registry == nil || !bool(C.kalam_register(own, g.registry)) ||
			postgreSQL && !bool(C.kalam_register_division(own)) {
			err = errors.New("register functions")
		}
		c.close()
	}
	if err != nil {
		g.close()
		return nil, err
	}
	return g, nil
}

// close closes the instance; it has no connection left.
func (g *generation) close() {
	g.in.close()
	C.kalam_registry_free(g.registry)
	g.ids.Delete()
}

// session is a connection with its prepared statements. It runs one at a time.
type session struct {
	*conn
	gen        *generation
	converter  *conn
	statements *simplelru.LRU[uint64, *prepared]
	chunks     *chunkCache
	schemas    *schemaCache
	zone       string // That the connection has, "" for UTC.
}

// prepared is a statement that stays prepared.
type prepared struct {
	*statement
	casts   bool // Its text has casts around the columns that Arrow has no form for.
	schemas []*C.kalam_schema
}

// openSession connects to gen. helper is where batches are converted.
func openSession(gen *generation, helper *instance, chunks *chunkCache, schemas *schemaCache) (*session, error) {
	c, err := gen.in.connect()
	if err != nil {
		return nil, err
	}
	converter, err := helper.connect()
	if err != nil {
		c.close()
		return nil, err
	}
	statements, err := simplelru.NewLRU(maxStatements, func(_ uint64, st *prepared) { st.close() })
	if err != nil {
		panic(err) // The size is a constant.
	}
	s := &session{conn: c, gen: gen, converter: converter, statements: statements, chunks: chunks, schemas: schemas}
	return s, nil
}

// close closes the connections.
func (s *session) close() {
	s.statements.Purge()
	s.conn.close()
	s.converter.close()
}

// cursor is a statement that runs on a session.
type cursor struct {
	session *session
	of      *query.Statement
	st      *prepared
	res     *result
	out     output
	found   bool // It was found prepared.
	ended   bool // It has given its last row.
}

// start executes a statement up to its first rows. The caller closes the cursor, also
// after an error.
func (s *session) start(of *query.Statement) (*cursor, error) {
	c := &cursor{session: s, of: of}
	if err := c.open(); err != nil {
		return c, err
	}
	if !c.st.casts && slices.Contains(c.res.nonArrow, true) {
		if err := c.again(); err != nil {
			return c, err
		}
	}
	c.out = newOutput(c.res)
	return c, nil
}

// inZone gives the connection the zone of its next statement, "" for UTC.
func (s *session) inZone(zone string) error {
	if s.zone == zone {
		return nil
	}
	name := zone
	if name == "" {
		name = "UTC"
	}
	if err := s.exec("SET SESSION TimeZone = " + sqltext.QuoteString(name)); err != nil {
		return err
	}
	s.zone = zone
	return nil
}

// open exposes the inputs, prepares, binds and executes.
func (c *cursor) open() error {
	if err := c.session.inZone(c.of.Zone); err != nil {
		return err
	}
	schemas, err := c.session.expose(c.of)
	defer releaseAll(schemas)
	if err != nil {
		return err
	}
	if c.st, err = c.prepare(schemas); err != nil {
		return err
	}
	return c.execute()
}

func (c *cursor) execute() (err error) {
	if err = c.st.bindAll(c.of.Params); err != nil {
		return err
	}
	if c.res, err = c.st.start(true); err != nil {
		return err
	}
	return c.res.describe()
}

// expose makes the inputs what the session's next statement reads. The caller releases
// the schemas, also after an error.
func (s *session) expose(of *query.Statement) ([]*schema, error) {
	var schemas []*schema
	for i := range of.Inputs {
		sch, err := s.schemas.get(s.converter, of.Inputs[i].Schema)
		if err != nil {
			return schemas, err
		}
		schemas = append(schemas, sch)
	}
	cs, err := statementSources(s.converter, s.chunks, of.Inputs, schemas)
	if err != nil {
		return schemas, err
	}
	C.kalam_registry_put(s.gen.registry, C.idx_t(s.id), cs)
	C.kalam_sources_release(cs)
	return schemas, nil
}

func (s *session) hide() { C.kalam_registry_clear(s.gen.registry, C.idx_t(s.id)) }

// prepare returns the prepared statement. The inputs must be exposed, because preparing
// reads their schemas.
func (c *cursor) prepare(schemas []*schema) (*prepared, error) {
	var converted []*C.kalam_schema
	for _, s := range schemas {
		converted = append(converted, s.c)
	}
	if st, ok := c.session.statements.Get(c.of.ID); ok && c.of.ID != 0 {
		if slices.Equal(st.schemas, converted) {
			c.found = true
			return st, nil
		}
		c.session.statements.Remove(c.of.ID) // A schema was converted anew.
	}
	st, err := c.session.conn.prepare(c.of.SQL)
	if err != nil {
		return nil, err
	}
	return c.keep(&prepared{statement: st, schemas: converted}), nil
}

// keep lets a statement stay prepared, if it may.
func (c *cursor) keep(st *prepared) *prepared {
	if c.of.ID != 0 {
		c.session.statements.Add(c.of.ID, st)
	}
	return st
}

// drop closes the statement.
func (c *cursor) drop() {
	if c.of.ID != 0 {
		c.session.statements.Remove(c.of.ID)
	} else if c.st != nil {
		c.st.close()
	}
	c.st = nil
}

// again runs the statement with the columns that Arrow has no form for as text.
func (c *cursor) again() error {
	casts := &resultCasts{text: c.res.nonArrow}
	for _, f := range c.res.schema.Fields() {
		casts.names = append(casts.names, f.Name)
	}
	schemas := c.st.schemas
	c.res.close()
	c.res = nil
	c.drop() // It has not run to its end.
	st, err := c.session.conn.prepare(casts.around(c.of.SQL))
	if err != nil {
		return err
	}
	c.st = c.keep(&prepared{statement: st, casts: true, schemas: schemas})
	return c.execute()
}

// next returns the next rows, io.EOF after the last.
func (c *cursor) next() (arrow.RecordBatch, error) {
	rec, err := c.res.fetch()
	if err != nil {
		c.ended = errors.Is(err, io.EOF)
		return nil, err
	}
	return c.out.convert(rec)
}

// close ends the statement. It returns why the instance must be given up, nil mostly.
func (c *cursor) close() (fault error) {
	if c.res != nil {
		c.res.close()
		c.res = nil
		if !c.ended {
			// What an unfinished result has left running ends with the next statement.
			fault = c.session.exec("SELECT 1")
		}
	}
	if !c.ended || c.of.ID == 0 {
		// The operators of a plan that did not run to its end may be in a state in
		// which they cannot run again.
		c.drop()
	}
	c.session.hide()
	return fault
}

// explain returns the plan of a statement.
func (s *session) explain(of *query.Statement, analyze bool) (string, error) {
	defer s.hide()
	if err := s.inZone(of.Zone); err != nil {
		return "", err
	}
	schemas, err := s.expose(of)
	defer releaseAll(schemas)
	if err != nil {
		return "", err
	}
	verb := "EXPLAIN "
	if analyze {
		verb = "EXPLAIN ANALYZE "
	}
	st, err := s.prepare(verb + of.SQL)
	if err != nil {
		return "", err
	}
	defer st.close()
	if err := st.bindAll(of.Params); err != nil {
		return "", err
	}
	res, err := st.start(false)
	if err != nil {
		return "", err
	}
	defer res.close()
	if err := res.describe(); err != nil {
		return "", err
	}
	var b strings.Builder
	for {
		rec, err := res.fetch()
		if errors.Is(err, io.EOF) {
			return b.String(), nil
		}
		if err != nil {
			return "", err
		}
		if col, ok := rec.Column(int(rec.NumCols()) - 1).(*array.String); ok {
			for i := range col.Len() {
				b.WriteString(col.Value(i))
			}
		}
		rec.Release()
	}
}
