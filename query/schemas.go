package query

// #include "scan.h"
import "C"

import (
	"strconv"
	"strings"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
)

// maxSchemas bounds the schemas that are kept converted.
const maxSchemas = 2000

// schemaCache keeps schemas in DuckDB's form, by what they say.
type schemaCache struct {
	mu   sync.Mutex // guards what follows
	last uint64
	lru  *simplelru.LRU[string, *schema]
}

func newSchemaCache() *schemaCache {
	lru, err := simplelru.NewLRU(maxSchemas, func(_ string, s *schema) { s.release() })
	if err != nil {
		panic(err) // The size is a constant.
	}
	return &schemaCache{lru: lru}
}

// get returns s in DuckDB's form, which the caller releases.
func (sc *schemaCache) get(c *conn, s *arrow.Schema) (*schema, error) {
	key := schemaKey(s)
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if found, ok := sc.lru.Get(key); ok {
		C.kalam_schema_retain(found.c)
		return found, nil
	}
	sc.last++
	made, err := newSchema(c, s, sc.last)
	if err != nil {
		return nil, err
	}
	sc.lru.Add(key, made)
	C.kalam_schema_retain(made.c)
	return made, nil
}

// clear lets go of every schema.
func (sc *schemaCache) clear() {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	sc.lru.Purge()
}

// release ends one use of s.
func (s *schema) release() { C.kalam_schema_release(s.c) }

// schemaKey returns a text that is equal for schemas that DuckDB reads alike.
func schemaKey(s *arrow.Schema) string {
	var b strings.Builder
	for i := range s.NumFields() {
		f := s.Field(i)
		b.WriteString(strconv.Quote(f.Name))
		b.WriteString(f.Type.String())
		if f.HasMetadata() {
			b.WriteString(f.Metadata.String())
		}
		b.WriteByte(';')
	}
	return b.String()
}

// columnsOf returns the columns of s and the types to which Parquet columns are
// cast. Only schemas made of our own types have files.
func columnsOf(s *arrow.Schema) []column {
	cols := make([]column, s.NumFields())
	for i := range cols {
		f := s.Field(i)
		cols[i].name = f.Name
		if t := datatype.TypeOfArrow(f); arrow.TypeEqual(datatype.ArrowType(t), f.Type) {
			cols[i].cast = storedType(t)
			cols[i].json = t.Kind == kalam.KindJSON
			cols[i].unfiltered = t.Kind == kalam.KindBytes || t.Kind == kalam.KindFloat || t.Kind == kalam.KindDouble
		}
	}
	return cols
}

// storedType returns DuckDB's name of the type in which files hold a t.
func storedType(t kalam.DataType) string {
	if t.Kind == kalam.KindJSON {
		return "VARCHAR"
	}
	return sqlType(t)
}

// sqlType returns DuckDB's name of t.
func sqlType(t kalam.DataType) string {
	switch t.Kind {
	case kalam.KindText:
		return "VARCHAR"
	case kalam.KindBytes:
		return "BLOB"
	case kalam.KindDateTime:
		return "TIMESTAMP WITH TIME ZONE"
	case kalam.KindInt:
		return "INTEGER"
	}
	return t.String()
}

// isOurs reports whether every column has a type of ours.
func (s *schema) isOurs() bool {
	for _, c := range s.columns {
		if c.cast == "" {
			return false
		}
	}
	return true
}

// nothing returns a SELECT of one row of NULLs with the columns of s that are visible.
func (s *schema) nothing(visible func(column string) (string, bool)) string {
	var items []string
	for _, c := range s.columns {
		if name, ok := visible(c.name); ok {
			typ := c.cast
			if c.json {
				typ = "JSON"
			}
			items = append(items, "CAST(NULL AS "+typ+") AS "+quoteName(name))
		}
	}
	return "SELECT " + strings.Join(items, ", ")
}
