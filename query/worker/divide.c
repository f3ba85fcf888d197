#include "scan.h"

#include <stddef.h>

// The operator / of two integers as in PostgreSQL: an integer, cut towards zero, where
// DuckDB's own gives a DOUBLE. DuckDB's setting for it would take it from intervals. By
// zero it is NULL, as DuckDB's divisions are: DuckDB takes functions of ours for such that
// cannot fail, and may divide before the conditions that keep zero out.

extern duck duckdb_create_scalar_function(void);
extern void duckdb_destroy_scalar_function(duck *);
extern void duckdb_scalar_function_set_name(duck, const char *);
extern void duckdb_scalar_function_add_parameter(duck, duck);
extern void duckdb_scalar_function_set_return_type(duck, duck);
extern void duckdb_scalar_function_set_function(duck, void (*)(duck, duck, duck));
extern int duckdb_register_scalar_function(duck, duck);
extern void duckdb_scalar_function_set_error(duck, const char *);
extern duck duckdb_create_logical_type(int);
extern void duckdb_destroy_logical_type(duck *);
extern duck duckdb_data_chunk_get_vector(duck, idx_t);
extern idx_t duckdb_data_chunk_get_size(duck);
extern void *duckdb_vector_get_data(duck);
extern uint64_t *duckdb_vector_get_validity(duck);
extern void duckdb_vector_ensure_validity_writable(duck);
extern bool duckdb_validity_row_is_valid(uint64_t *, idx_t);
extern void duckdb_validity_set_row_invalid(uint64_t *, idx_t);

typedef __int128 int128_t;
typedef unsigned __int128 uint128_t;

#define SIGNED(T) ((T)-1 < 0)
#define LOWEST(T) ((T)((uint128_t)1 << (sizeof(T) * 8 - 1)))

// C cannot divide the lowest value by -1: it is out of range.
#define DIVISION(T, type) \
	static void quotient_##type(duck info, duck in, duck out) { \
		duck va = duckdb_data_chunk_get_vector(in, 0), vb = duckdb_data_chunk_get_vector(in, 1); \
		const T *a = duckdb_vector_get_data(va), *b = duckdb_vector_get_data(vb); \
		uint64_t *na = duckdb_vector_get_validity(va), *nb = duckdb_vector_get_validity(vb); \
		T *r = duckdb_vector_get_data(out); \
		for (idx_t i = 0, n = duckdb_data_chunk_get_size(in); i < n; i++) { \
			if (is_null(na, i) || is_null(nb, i) || b[i] == 0) { \
				duckdb_vector_ensure_validity_writable(out); \
				duckdb_validity_set_row_invalid(duckdb_vector_get_validity(out), i); \
				continue; \
			} \
			if (SIGNED(T) && b[i] == (T)-1 && a[i] == LOWEST(T)) { \
				duckdb_scalar_function_set_error(info, "integer out of range: the lowest value of its type divided by -1"); \
				return; \
			} \
			r[i] = (T)(a[i] / b[i]); \
		} \
	}

static bool is_null(uint64_t *validity, idx_t i) { return validity != NULL && !duckdb_validity_row_is_valid(validity, i); }

DIVISION(int8_t, int8)
DIVISION(int16_t, int16)
DIVISION(int32_t, int32)
DIVISION(int64_t, int64)
DIVISION(int128_t, int128)
DIVISION(uint8_t, uint8)
DIVISION(uint16_t, uint16)
DIVISION(uint32_t, uint32)
DIVISION(uint64_t, uint64)
DIVISION(uint128_t, uint128)

static const struct {
	int type; // DuckDB's number of it.
	void (*quotient)(duck, duck, duck);
} integers[] = {
	{2, quotient_int8},  {3, quotient_int16},  {4, quotient_int32},  {5, quotient_int64},  {16, quotient_int128},
	{6, quotient_uint8}, {7, quotient_uint16}, {8, quotient_uint32}, {9, quotient_uint64}, {32, quotient_uint128},
};

bool kalam_register_division(duck conn) {
	bool ok = true;
	for (size_t i = 0; ok && i < sizeof integers / sizeof *integers; i++) {
		duck fn = duckdb_create_scalar_function(), type = duckdb_create_logical_type(integers[i].type);
		duckdb_scalar_function_set_name(fn, "/");
		duckdb_scalar_function_set_return_type(fn, type);
		duckdb_scalar_function_add_parameter(fn, type);
		duckdb_scalar_function_add_parameter(fn, type);
		duckdb_destroy_logical_type(&type);
		duckdb_scalar_function_set_function(fn, integers[i].quotient);
		ok = duckdb_register_scalar_function(conn, fn) == 0;
		duckdb_destroy_scalar_function(&fn);
	}
	return ok;
}
