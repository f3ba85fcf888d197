// What package query adds to DuckDB in C: the table function that reads Arrow
// batches without copying them, the function that applies delete vectors, and
// the functions that make ids. DuckDB calls them from its own threads.
#ifndef KALAM_SCAN_H
#define KALAM_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The part of DuckDB's C API that is used here. The library itself comes with
// the driver's module, whose header is not on this package's include path.
typedef uint64_t idx_t;
typedef void *duck;

// kalam_registry tells the functions of one DuckDB instance what the statement
// that runs on a connection may read.
typedef struct kalam_registry kalam_registry;
// kalam_schema is an Arrow schema in DuckDB's form, ref-counted.
typedef struct kalam_schema kalam_schema;
// kalam_chunk is a record batch as a data chunk, ref-counted and immutable.
typedef struct kalam_chunk kalam_chunk;
// kalam_sources is what one statement reads, ref-counted and immutable once put.
typedef struct kalam_sources kalam_sources;

kalam_registry *kalam_registry_new(uintptr_t ids);
void kalam_registry_free(kalam_registry *r);
// Registers the functions in the instance of conn; they keep using r.
bool kalam_register(duck conn, kalam_registry *r);

// kalam_register_division makes the quotient of two integers an integer.
bool kalam_register_division(duck conn);
idx_t kalam_connection_id(duck conn);
void kalam_registry_put(kalam_registry *r, idx_t conn, kalam_sources *s);
void kalam_registry_clear(kalam_registry *r, idx_t conn);

// The arrow arguments are C data interface structs. The array of kalam_schema_new
// has no rows. On an error, which the caller frees, they return NULL.
kalam_schema *kalam_schema_new(duck conn, void *arrow_schema, void *arrow_array, char **names, idx_t columns, char **error);
void kalam_schema_retain(kalam_schema *s);
void kalam_schema_release(kalam_schema *s);
kalam_chunk *kalam_chunk_new(duck conn, kalam_schema *s, void *arrow_array, char **error);
void kalam_chunk_retain(kalam_chunk *c);
void kalam_chunk_release(kalam_chunk *c);

kalam_sources *kalam_sources_new(idx_t n);
// Adds source i with its parts. live holds the live rows of all parts one after
// the other, part p those up to live_end[p]; all rows of p are live when
// whole[p] is set. Chunks and schema are retained.
bool kalam_sources_set(kalam_sources *s, idx_t i, kalam_schema *schema, idx_t parts, kalam_chunk **chunks, uint32_t *live, uint32_t *live_end, bool *whole);
// Has the batches of source i, which has no parts, come from a feed of package
// query, which must outlive the statement.
void kalam_sources_feed(kalam_sources *s, idx_t i, uintptr_t feed);
// Adds the dead rows, ascending, of the files of source i, file f those up to
// dead_end[f].
bool kalam_sources_dead(kalam_sources *s, idx_t i, idx_t files, uint32_t *dead, uint32_t *dead_end);
void kalam_sources_release(kalam_sources *s);

// The number of chunks and statements' sources that are alive in the process.
int64_t kalam_live_chunks(void);
int64_t kalam_live_sources(void);

#endif
