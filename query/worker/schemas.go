package worker

// #include "scan.h"
import "C"

import (
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/kalamlake/kalam/query"
)

// maxSchemas bounds the schemas that are kept converted.
const maxSchemas = 2000

// schemaCache keeps schemas in DuckDB's form.
type schemaCache struct {
	mu  sync.Mutex // guards lru
	lru *simplelru.LRU[uint64, *schema]
}

func newSchemaCache() *schemaCache {
	lru, err := simplelru.NewLRU(maxSchemas, func(_ uint64, s *schema) { s.release() })
	if err != nil {
		panic(err) // The size is a constant.
	}
	return &schemaCache{lru: lru}
}

// get returns s in DuckDB's form, which the caller releases.
func (sc *schemaCache) get(c *conn, s *query.Schema) (*schema, error) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if found, ok := sc.lru.Get(s.ID); ok {
		C.kalam_schema_retain(found.c)
		return found, nil
	}
	made, err := newSchema(c, s)
	if err != nil {
		return nil, err
	}
	sc.lru.Add(s.ID, made)
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

func releaseAll(schemas []*schema) {
	for _, s := range schemas {
		s.release()
	}
}
