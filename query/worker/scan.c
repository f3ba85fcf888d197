#define _POSIX_C_SOURCE 200809L

#include "scan.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

extern duck duckdb_create_table_function(void);
extern void duckdb_destroy_table_function(duck *);
extern void duckdb_table_function_set_name(duck, const char *);
extern void duckdb_table_function_add_parameter(duck, duck);
extern void duckdb_table_function_set_extra_info(duck, void *, void (*)(void *));
extern void duckdb_table_function_set_bind(duck, void (*)(duck));
extern void duckdb_table_function_set_init(duck, void (*)(duck));
extern void duckdb_table_function_set_function(duck, void (*)(duck, duck));
extern void duckdb_table_function_supports_projection_pushdown(duck, bool);
extern void duckdb_table_function_get_client_context(duck, duck *);
extern int duckdb_register_table_function(duck, duck);
extern void *duckdb_bind_get_extra_info(duck);
extern duck duckdb_bind_get_parameter(duck, idx_t);
extern void duckdb_bind_add_result_column(duck, const char *, duck);
extern void duckdb_bind_set_bind_data(duck, void *, void (*)(void *));
extern void duckdb_bind_set_cardinality(duck, idx_t, bool);
extern void duckdb_bind_set_error(duck, const char *);
extern void *duckdb_init_get_bind_data(duck);
extern void duckdb_init_set_init_data(duck, void *, void (*)(void *));
extern idx_t duckdb_init_get_column_count(duck);
extern idx_t duckdb_init_get_column_index(duck, idx_t);
extern void duckdb_init_set_max_threads(duck, idx_t);
extern void duckdb_init_set_error(duck, const char *);
extern void *duckdb_function_get_init_data(duck);
extern void duckdb_function_set_error(duck, const char *);
extern duck duckdb_create_scalar_function(void);
extern void duckdb_destroy_scalar_function(duck *);
extern void duckdb_scalar_function_set_name(duck, const char *);
extern void duckdb_scalar_function_add_parameter(duck, duck);
extern void duckdb_scalar_function_set_return_type(duck, duck);
extern void duckdb_scalar_function_set_volatile(duck);
extern void duckdb_scalar_function_set_extra_info(duck, void *, void (*)(void *));
extern void duckdb_scalar_function_set_init(duck, void (*)(duck));
extern void duckdb_scalar_function_set_function(duck, void (*)(duck, duck, duck));
extern int duckdb_register_scalar_function(duck, duck);
extern void *duckdb_scalar_function_get_extra_info(duck);
extern void *duckdb_scalar_function_get_state(duck);
extern void duckdb_scalar_function_set_error(duck, const char *);
extern void *duckdb_scalar_function_init_get_extra_info(duck);
extern void duckdb_scalar_function_init_get_client_context(duck, duck *);
extern void duckdb_scalar_function_init_set_state(duck, void *, void (*)(void *));
extern void duckdb_scalar_function_init_set_error(duck, const char *);
extern void duckdb_connection_get_client_context(duck, duck *);
extern idx_t duckdb_client_context_get_connection_id(duck);
extern void duckdb_destroy_client_context(duck *);
extern int64_t duckdb_get_int64(duck);
extern void duckdb_destroy_value(duck *);
extern duck duckdb_create_logical_type(int);
extern void duckdb_logical_type_set_alias(duck, const char *);
extern void duckdb_destroy_logical_type(duck *);
extern duck duckdb_data_chunk_get_vector(duck, idx_t);
extern idx_t duckdb_data_chunk_get_size(duck);
extern idx_t duckdb_data_chunk_get_column_count(duck);
extern void duckdb_data_chunk_set_size(duck, idx_t);
extern void duckdb_destroy_data_chunk(duck *);
extern duck duckdb_vector_get_column_type(duck);
extern void *duckdb_vector_get_data(duck);
extern void duckdb_vector_assign_string_element_len(duck, idx_t, const char *, idx_t);
extern void duckdb_vector_reference_vector(duck, duck);
extern void duckdb_slice_vector(duck, duck, idx_t);
extern duck duckdb_create_selection_vector(idx_t);
extern void duckdb_destroy_selection_vector(duck);
extern uint32_t *duckdb_selection_vector_get_data_ptr(duck);
extern duck duckdb_schema_from_arrow(duck, void *, duck *);
extern duck duckdb_data_chunk_from_arrow(duck, void *, duck, duck *);
extern void duckdb_destroy_arrow_converted_schema(duck *);
extern bool duckdb_error_data_has_error(duck);
extern const char *duckdb_error_data_message(duck);
extern void duckdb_destroy_error_data(duck *);

// Defined in Go (ids.go, feed.go).
extern char *kalamNextIDs(uintptr_t ids, int64_t *out, size_t n);
extern void kalamNextULIDs(char *out, size_t n);
extern kalam_chunk *kalamNextChunk(uintptr_t feed, char **error);

enum { TYPE_BOOLEAN = 1, TYPE_BIGINT = 5, TYPE_UBIGINT = 9, TYPE_VARCHAR = 17 };
enum { ULID_LENGTH = 26, MAX_ROWS = 2048, PARTS_PER_THREAD = 8 };

static atomic_llong live_chunks, live_sources;

int64_t kalam_live_chunks(void) { return atomic_load(&live_chunks); }
int64_t kalam_live_sources(void) { return atomic_load(&live_sources); }

// Schemas and chunks.

struct kalam_schema {
	atomic_long refs;
	duck converted;
	idx_t columns;
	char **names;
	duck *types;
};

struct kalam_chunk {
	atomic_long refs;
	duck chunk;
	idx_t rows;
	duck *vectors;
};

// failed frees e and tells whether it was an error, with a copy of its text.
static bool failed(duck e, char **error) {
	bool bad = e != NULL && duckdb_error_data_has_error(e);
	if (bad) *error = strdup(duckdb_error_data_message(e));
	if (e != NULL) duckdb_destroy_error_data(&e);
	return bad;
}

void kalam_schema_retain(kalam_schema *s) { atomic_fetch_add(&s->refs, 1); }

void kalam_schema_release(kalam_schema *s) {
	if (s == NULL || atomic_fetch_sub(&s->refs, 1) != 1) return;
	for (idx_t i = 0; i < s->columns; i++) {
		if (s->names != NULL) free(s->names[i]);
		if (s->types != NULL && s->types[i] != NULL) duckdb_destroy_logical_type(&s->types[i]);
	}
	if (s->converted != NULL) duckdb_destroy_arrow_converted_schema(&s->converted);
	free(s->names);
	free(s->types);
	free(s);
}

kalam_schema *kalam_schema_new(duck conn, void *arrow_schema, void *arrow_array, char **names, idx_t columns, char **error) {
	kalam_schema *s = calloc(1, sizeof *s);
	if (s == NULL) return NULL;
	atomic_init(&s->refs, 1);
	s->columns = columns;
	s->names = calloc(columns + 1, sizeof *s->names);
	s->types = calloc(columns + 1, sizeof *s->types);
	duck chunk = NULL;
	if (s->names == NULL || s->types == NULL || failed(duckdb_schema_from_arrow(conn, arrow_schema, &s->converted), error) ||
	    failed(duckdb_data_chunk_from_arrow(conn, arrow_array, s->converted, &chunk), error)) {
		kalam_schema_release(s);
		return NULL;
	}
	for (idx_t i = 0; i < columns; i++) {
		s->names[i] = strdup(names[i]);
		s->types[i] = duckdb_vector_get_column_type(duckdb_data_chunk_get_vector(chunk, i));
	}
	duckdb_destroy_data_chunk(&chunk);
	return s;
}

kalam_chunk *kalam_chunk_new(duck conn, kalam_schema *s, void *arrow_array, char **error) {
	kalam_chunk *c = calloc(1, sizeof *c);
	if (c == NULL) return NULL;
	atomic_init(&c->refs, 1);
	atomic_fetch_add(&live_chunks, 1);
	c->vectors = calloc(s->columns + 1, sizeof *c->vectors);
	if (c->vectors == NULL || failed(duckdb_data_chunk_from_arrow(conn, arrow_array, s->converted, &c->chunk), error)) {
		kalam_chunk_release(c);
		return NULL;
	}
	c->rows = duckdb_data_chunk_get_size(c->chunk);
	if (c->rows > MAX_ROWS || duckdb_data_chunk_get_column_count(c->chunk) != s->columns) {
		*error = strdup("batch does not fit its schema");
		kalam_chunk_release(c);
		return NULL;
	}
	for (idx_t i = 0; i < s->columns; i++) c->vectors[i] = duckdb_data_chunk_get_vector(c->chunk, i);
	return c;
}

void kalam_chunk_retain(kalam_chunk *c) { atomic_fetch_add(&c->refs, 1); }

void kalam_chunk_release(kalam_chunk *c) {
	if (c == NULL || atomic_fetch_sub(&c->refs, 1) != 1) return;
	if (c->chunk != NULL) duckdb_destroy_data_chunk(&c->chunk);
	free(c->vectors);
	free(c);
	atomic_fetch_sub(&live_chunks, 1);
}

// Sources.

typedef struct {
	kalam_chunk *chunk;
	const uint32_t *live; // NULL: all rows.
	idx_t rows;           // Live rows; at least one.
} part;

typedef struct {
	kalam_schema *schema; // NULL: the source has no batches.
	idx_t parts, rows;
	part *part;
	uint32_t *live;
	uintptr_t feed; // 0: none, the parts are all.
	idx_t files;
	uint32_t *dead, *dead_end;
} source;

struct kalam_sources {
	atomic_long refs;
	idx_t n;
	source source[];
};

kalam_sources *kalam_sources_new(idx_t n) {
	kalam_sources *s = calloc(1, sizeof *s + n * sizeof *s->source);
	if (s == NULL) return NULL;
	atomic_init(&s->refs, 1);
	atomic_fetch_add(&live_sources, 1);
	s->n = n;
	return s;
}

// copy returns a copy of n numbers; NULL only when there is no memory.
static uint32_t *copy(const uint32_t *from, size_t n) {
	uint32_t *to = malloc((n + 1) * sizeof *to);
	if (to != NULL && n > 0) memcpy(to, from, n * sizeof *to);
	return to;
}

bool kalam_sources_set(kalam_sources *s, idx_t i, kalam_schema *schema, idx_t parts, kalam_chunk **chunks, uint32_t *live, uint32_t *live_end, bool *whole) {
	source *src = &s->source[i];
	kalam_schema_retain(schema);
	src->schema = schema;
	src->part = calloc(parts + 1, sizeof *src->part);
	src->live = copy(live, parts > 0 ? live_end[parts - 1] : 0);
	if (src->part == NULL || src->live == NULL) return false;
	for (idx_t p = 0; p < parts; p++) {
		idx_t start = p > 0 ? live_end[p - 1] : 0;
		part *to = &src->part[src->parts];
		to->rows = whole[p] ? chunks[p]->rows : live_end[p] - start;
		if (to->rows == 0) continue; // An empty chunk would end the scan.
		to->live = whole[p] ? NULL : src->live + start;
		to->chunk = chunks[p];
		kalam_chunk_retain(to->chunk);
		src->rows += to->rows;
		src->parts++;
	}
	return true;
}

void kalam_sources_feed(kalam_sources *s, idx_t i, uintptr_t feed) { s->source[i].feed = feed; }

bool kalam_sources_dead(kalam_sources *s, idx_t i, idx_t files, uint32_t *dead, uint32_t *dead_end) {
	source *src = &s->source[i];
	src->dead = copy(dead, files > 0 ? dead_end[files - 1] : 0);
	src->dead_end = copy(dead_end, files);
	if (src->dead == NULL || src->dead_end == NULL) return false;
	src->files = files;
	return true;
}

static kalam_sources *sources_retain(kalam_sources *s) {
	if (s != NULL) atomic_fetch_add(&s->refs, 1);
	return s;
}

void kalam_sources_release(kalam_sources *s) {
	if (s == NULL || atomic_fetch_sub(&s->refs, 1) != 1) return;
	for (idx_t i = 0; i < s->n; i++) {
		source *src = &s->source[i];
		for (idx_t p = 0; p < src->parts; p++) kalam_chunk_release(src->part[p].chunk);
		kalam_schema_release(src->schema);
		free(src->part);
		free(src->live);
		free(src->dead);
		free(src->dead_end);
	}
	free(s);
	atomic_fetch_sub(&live_sources, 1);
}

// The registry: a short list, because connections are few.

typedef struct {
	idx_t conn;
	kalam_sources *sources;
} entry;

struct kalam_registry {
	uintptr_t ids;
	pthread_mutex_t mu; // guards what follows
	size_t n, cap;
	entry *entries;
};

kalam_registry *kalam_registry_new(uintptr_t ids) {
	kalam_registry *r = calloc(1, sizeof *r);
	if (r == NULL) return NULL;
	r->ids = ids;
	pthread_mutex_init(&r->mu, NULL);
	return r;
}

void kalam_registry_free(kalam_registry *r) {
	if (r == NULL) return;
	for (size_t i = 0; i < r->n; i++) kalam_sources_release(r->entries[i].sources);
	pthread_mutex_destroy(&r->mu);
	free(r->entries);
	free(r);
}

// swap makes s the sources of conn and returns the former ones.
static kalam_sources *swap(kalam_registry *r, idx_t conn, kalam_sources *s) {
	kalam_sources *old = NULL;
	pthread_mutex_lock(&r->mu);
	size_t i = 0;
	while (i < r->n && r->entries[i].conn != conn) i++;
	if (i < r->n) old = r->entries[i].sources;
	if (s == NULL) {
		if (i < r->n) r->entries[i] = r->entries[--r->n];
	} else {
		if (i == r->cap) {
			entry *more = realloc(r->entries, (2 * r->cap + 8) * sizeof *more);
			if (more != NULL) {
				r->entries = more;
				r->cap = 2 * r->cap + 8;
			}
		}
		if (i < r->cap) { // Without memory the statement finds no sources and fails.
			r->entries[i] = (entry){conn, sources_retain(s)};
			if (i == r->n) r->n++;
		}
	}
	pthread_mutex_unlock(&r->mu);
	return old;
}

void kalam_registry_put(kalam_registry *r, idx_t conn, kalam_sources *s) { kalam_sources_release(swap(r, conn, s)); }

void kalam_registry_clear(kalam_registry *r, idx_t conn) { kalam_sources_release(swap(r, conn, NULL)); }

static kalam_sources *acquire(kalam_registry *r, idx_t conn) {
	kalam_sources *s = NULL;
	pthread_mutex_lock(&r->mu);
	for (size_t i = 0; i < r->n && s == NULL; i++) {
		if (r->entries[i].conn == conn) s = sources_retain(r->entries[i].sources);
	}
	pthread_mutex_unlock(&r->mu);
	return s;
}

static idx_t id_of(duck context) {
	idx_t id = duckdb_client_context_get_connection_id(context);
	duckdb_destroy_client_context(&context);
	return id;
}

idx_t kalam_connection_id(duck conn) {
	duck context = NULL;
	duckdb_connection_get_client_context(conn, &context);
	return id_of(context);
}

// The table function kalam_scan(i): the batches of source i of the statement.

typedef struct {
	kalam_registry *registry;
	idx_t conn, index;
	kalam_schema *schema;
} scan_bind;

typedef struct {
	kalam_sources *sources;
	const source *source;
	atomic_ullong next;
	kalam_chunk *fed; // The last chunk of the feed, which what the scan gave refers to.
	idx_t columns;
	idx_t column[];
} scan_state;

static void free_scan_bind(void *p) {
	kalam_schema_release(((scan_bind *)p)->schema);
	free(p);
}

static void free_scan_state(void *p) {
	kalam_chunk_release(((scan_state *)p)->fed);
	kalam_sources_release(((scan_state *)p)->sources);
	free(p);
}

static void bind_scan(duck info) {
	duck value = duckdb_bind_get_parameter(info, 0), context = NULL;
	int64_t i = duckdb_get_int64(value);
	duckdb_destroy_value(&value);
	duckdb_table_function_get_client_context(info, &context);
	kalam_registry *r = duckdb_bind_get_extra_info(info);
	idx_t conn = id_of(context);
	kalam_sources *s = acquire(r, conn);
	scan_bind *b = calloc(1, sizeof *b);
	if (b == NULL || s == NULL || i < 0 || (idx_t)i >= s->n || s->source[i].schema == NULL) {
		duckdb_bind_set_error(info, "the statement has no such source");
		free(b);
		kalam_sources_release(s);
		return;
	}
	*b = (scan_bind){r, conn, (idx_t)i, s->source[i].schema};
	kalam_schema_retain(b->schema);
	for (idx_t c = 0; c < b->schema->columns; c++) duckdb_bind_add_result_column(info, b->schema->names[c], b->schema->types[c]);
	duckdb_bind_set_cardinality(info, s->source[i].rows, false);
	duckdb_bind_set_bind_data(info, b, free_scan_bind);
	kalam_sources_release(s);
}

static void init_scan(duck info) {
	scan_bind *b = duckdb_init_get_bind_data(info);
	idx_t columns = duckdb_init_get_column_count(info);
	kalam_sources *s = acquire(b->registry, b->conn);
	scan_state *st = calloc(1, sizeof *st + columns * sizeof *st->column);
	// A plan is used again only with the schema it was made for.
	if (st == NULL || s == NULL || b->index >= s->n || s->source[b->index].schema != b->schema) {
		duckdb_init_set_error(info, "the statement has other sources than its plan");
		free(st);
		kalam_sources_release(s);
		return;
	}
	st->sources = s;
	st->source = &s->source[b->index];
	st->columns = columns;
	for (idx_t c = 0; c < columns; c++) st->column[c] = duckdb_init_get_column_index(info, c);
	duckdb_init_set_max_threads(info, st->source->parts / PARTS_PER_THREAD + 1); // 1 with a feed, whose chunks have an order.
	duckdb_init_set_init_data(info, st, free_scan_state);
}

// scan_feed gives the next chunk of the source's feed.
static void scan_feed(duck info, scan_state *st, duck out) {
	char *error = NULL;
	kalam_chunk_release(st->fed);
	st->fed = kalamNextChunk(st->source->feed, &error);
	if (error != NULL) {
		duckdb_function_set_error(info, error);
		free(error);
		return;
	}
	if (st->fed == NULL) {
		duckdb_data_chunk_set_size(out, 0);
		return;
	}
	for (idx_t c = 0; c < st->columns; c++) {
		duckdb_vector_reference_vector(duckdb_data_chunk_get_vector(out, c), st->fed->vectors[st->column[c]]);
	}
	duckdb_data_chunk_set_size(out, st->fed->rows);
}

static void scan(duck info, duck out) {
	scan_state *st = duckdb_function_get_init_data(info);
	if (st->source->feed != 0) {
		scan_feed(info, st, out);
		return;
	}
	idx_t i = atomic_fetch_add(&st->next, 1);
	if (i >= st->source->parts) {
		duckdb_data_chunk_set_size(out, 0);
		return;
	}
	const part *p = &st->source->part[i];
	duck sel = NULL;
	if (p->live != NULL) {
		sel = duckdb_create_selection_vector(p->rows);
		if (sel == NULL) {
			duckdb_function_set_error(info, "Out of Memory");
			return;
		}
		memcpy(duckdb_selection_vector_get_data_ptr(sel), p->live, p->rows * sizeof *p->live);
	}
	for (idx_t c = 0; c < st->columns; c++) {
		if (st->column[c] >= st->source->schema->columns) continue; // Nobody reads it: count(*).
		duck to = duckdb_data_chunk_get_vector(out, c);
		duckdb_vector_reference_vector(to, p->chunk->vectors[st->column[c]]);
		if (sel != NULL) duckdb_slice_vector(to, sel, p->rows);
	}
	if (sel != NULL) duckdb_destroy_selection_vector(sel);
	duckdb_data_chunk_set_size(out, p->rows);
}

// The function kalam_alive(i, file, row): whether a row of a file of source i is
// not in the file's delete vector.

static void free_alive(void *p) { kalam_sources_release(p); }

static void init_alive(duck info) {
	duck context = NULL;
	duckdb_scalar_function_init_get_client_context(info, &context);
	kalam_sources *s = acquire(duckdb_scalar_function_init_get_extra_info(info), id_of(context));
	if (s == NULL) {
		duckdb_scalar_function_init_set_error(info, "the statement has no such source");
		return;
	}
	duckdb_scalar_function_init_set_state(info, s, free_alive);
}

// first returns the index of the first of the ascending numbers a[from:to] that
// is not below row. Rows mostly come in order, so it looks near from first.
static uint32_t first(const uint32_t *a, uint32_t from, uint32_t to, uint32_t row) {
	uint32_t step = 1, low = from;
	while (low < to && a[low] < row) {
		from = low + 1;
		low += step;
		step *= 2;
	}
	if (low > to) low = to;
	while (from < low) {
		uint32_t mid = from + (low - from) / 2;
		if (a[mid] < row) from = mid + 1;
		else low = mid;
	}
	return from;
}

static void alive(duck info, duck in, duck out) {
	kalam_sources *s = duckdb_scalar_function_get_state(info);
	const int64_t *index = duckdb_vector_get_data(duckdb_data_chunk_get_vector(in, 0));
	const uint64_t *file = duckdb_vector_get_data(duckdb_data_chunk_get_vector(in, 1));
	const int64_t *row = duckdb_vector_get_data(duckdb_data_chunk_get_vector(in, 2));
	bool *result = duckdb_vector_get_data(out);
	idx_t n = duckdb_data_chunk_get_size(in);
	uint32_t at = 0;
	for (idx_t k = 0; k < n; k++) {
		if (index[k] < 0 || (idx_t)index[k] >= s->n || file[k] >= s->source[index[k]].files) {
			duckdb_scalar_function_set_error(info, "the statement has no such file");
			return;
		}
		const source *src = &s->source[index[k]];
		uint32_t start = file[k] > 0 ? src->dead_end[file[k] - 1] : 0, end = src->dead_end[file[k]];
		if (k == 0 || file[k] != file[k - 1] || row[k] < row[k - 1]) at = start;
		at = first(src->dead, at, end, (uint32_t)row[k]);
		result[k] = at == end || src->dead[at] != (uint32_t)row[k];
	}
}

// The functions kalam_snowflake_id() and kalam_ulid(): a new value per row.

static void snowflake_id(duck info, duck in, duck out) {
	kalam_registry *r = duckdb_scalar_function_get_extra_info(info);
	char *error = kalamNextIDs(r->ids, duckdb_vector_get_data(out), duckdb_data_chunk_get_size(in));
	if (error != NULL) duckdb_scalar_function_set_error(info, error);
	free(error);
}

static void ulid(duck info, duck in, duck out) {
	char text[64 * ULID_LENGTH];
	idx_t n = duckdb_data_chunk_get_size(in);
	(void)info;
	for (idx_t i = 0; i < n; i++) {
		if (i % 64 == 0) kalamNextULIDs(text, n - i < 64 ? n - i : 64);
		duckdb_vector_assign_string_element_len(out, i, text + i % 64 * ULID_LENGTH, ULID_LENGTH);
	}
}

// The function kalam_json(text): text that is known to be a JSON document as DuckDB's
// type JSON, which is the same bytes; a cast would parse them again.

static void json(duck info, duck in, duck out) {
	(void)info;
	duckdb_vector_reference_vector(out, duckdb_data_chunk_get_vector(in, 0));
}

// Registration.

static void no_delete(void *p) { (void)p; }

// alias is the name of a result type that is another type's, or NULL.
static bool register_scalar(duck conn, kalam_registry *r, const char *name, int result, const char *alias, const int *args, int n, void (*init)(duck), void (*f)(duck, duck, duck)) {
	duck fn = duckdb_create_scalar_function(), type = duckdb_create_logical_type(result);
	if (alias != NULL) duckdb_logical_type_set_alias(type, alias);
	duckdb_scalar_function_set_name(fn, name);
	duckdb_scalar_function_set_return_type(fn, type);
	duckdb_destroy_logical_type(&type);
	for (int i = 0; i < n; i++) {
		type = duckdb_create_logical_type(args[i]);
		duckdb_scalar_function_add_parameter(fn, type);
		duckdb_destroy_logical_type(&type);
	}
	if (n == 0) duckdb_scalar_function_set_volatile(fn);
	if (init != NULL) duckdb_scalar_function_set_init(fn, init);
	duckdb_scalar_function_set_extra_info(fn, r, no_delete);
	duckdb_scalar_function_set_function(fn, f);
	bool ok = duckdb_register_scalar_function(conn, fn) == 0;
	duckdb_destroy_scalar_function(&fn);
	return ok;
}

static bool register_scan(duck conn, kalam_registry *r) {
	duck fn = duckdb_create_table_function(), type = duckdb_create_logical_type(TYPE_BIGINT);
	duckdb_table_function_set_name(fn, "kalam_scan");
	duckdb_table_function_add_parameter(fn, type);
	duckdb_destroy_logical_type(&type);
	duckdb_table_function_set_extra_info(fn, r, no_delete);
	duckdb_table_function_set_bind(fn, bind_scan);
	duckdb_table_function_set_init(fn, init_scan);
	duckdb_table_function_set_function(fn, scan);
	duckdb_table_function_supports_projection_pushdown(fn, true);
	bool ok = duckdb_register_table_function(conn, fn) == 0;
	duckdb_destroy_table_function(&fn);
	return ok;
}

bool kalam_register(duck conn, kalam_registry *r) {
	static const int row_of_file[] = {TYPE_BIGINT, TYPE_UBIGINT, TYPE_BIGINT}, text[] = {TYPE_VARCHAR};
	return register_scan(conn, r) &&
	       register_scalar(conn, r, "kalam_alive", TYPE_BOOLEAN, NULL, row_of_file, 3, init_alive, alive) &&
	       register_scalar(conn, r, "kalam_snowflake_id", TYPE_BIGINT, NULL, NULL, 0, NULL, snowflake_id) &&
	       register_scalar(conn, r, "kalam_ulid", TYPE_VARCHAR, NULL, NULL, 0, NULL, ulid) &&
	       register_scalar(conn, r, "kalam_json", TYPE_VARCHAR, "JSON", text, 1, NULL, json);
}
