package query

import (
	"strconv"
	"strings"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/sqltext"
)

// maxSchemas bounds the schemas that are remembered.
const maxSchemas = 2000

// Schema is the schema of a source. It is immutable.
type Schema struct {
	Arrow   *arrow.Schema
	ID      uint64   // Equal for schemas that DuckDB reads alike, and for no others; never given again.
	columns []column // In the order of Arrow.
}

// column is one column of a source.
type column struct {
	name       string
	cast       string // SQL type that a Parquet column is cast to, "" for none.
	json       bool   // Of type JSON in queries.
	unfiltered bool   // Conditions are kept from the Parquet reader, see datatype.FiltersWrong.
}

// schemaCache numbers schemas by what they say.
type schemaCache struct {
	mu   sync.Mutex // guards what follows
	last uint64
	lru  *simplelru.LRU[string, *Schema]
}

func newSchemaCache() *schemaCache {
	lru, err := simplelru.NewLRU[string, *Schema](maxSchemas, nil)
	if err != nil {
		panic(err) // The size is a constant.
	}
	return &schemaCache{lru: lru}
}

// get returns the Schema that says what s says.
func (sc *schemaCache) get(s *arrow.Schema) *Schema {
	key := schemaKey(s)
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if found, ok := sc.lru.Get(key); ok {
		return found
	}
	sc.last++
	made := &Schema{Arrow: s, ID: sc.last, columns: columnsOf(s)}
	sc.lru.Add(key, made)
	return made
}

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
			cols[i].cast = datatype.StoredDuckName(t)
			cols[i].json = t.Kind.Family() == kalam.FamilyJSON
			cols[i].unfiltered = datatype.FiltersWrong(t)
		}
	}
	return cols
}

// isOurs reports whether every column has a type of ours.
func (s *Schema) isOurs() bool {
	for _, c := range s.columns {
		if c.cast == "" {
			return false
		}
	}
	return true
}

// nothing returns a SELECT of one row of NULLs with the columns of s that are visible.
func (s *Schema) nothing(visible func(column string) (string, bool)) string {
	var items []string
	for _, c := range s.columns {
		if name, ok := visible(c.name); ok {
			typ := c.cast
			if c.json {
				typ = "JSON"
			}
			items = append(items, "CAST(NULL AS "+typ+") AS "+sqltext.QuoteIdent(name))
		}
	}
	return "SELECT " + strings.Join(items, ", ")
}
