#define _POSIX_C_SOURCE 200809L

#include "execute.h"

#include <time.h>

extern int duckdb_pending_prepared_streaming(duck, duck *);
extern int duckdb_pending_execute_task(duck);

enum { PENDING_NOT_READY = 1, PENDING_NO_TASKS = 3 }; // duckdb_pending_state

// How long a statement waits for tasks of its own that another thread computes: short against a
// statement that several threads compute, long against asking whether there is one.
static const struct timespec pause = {.tv_nsec = 50 * 1000};

int kalam_stream(duck statement, duck *pending) { return duckdb_pending_prepared_streaming(statement, pending); }

// DuckDB's own loop asks for the next task without a pause: when the only task is with another
// thread, as in most copies, it takes a processor for as long as that runs.
void kalam_execute(duck pending) {
	for (;;) {
		int state = duckdb_pending_execute_task(pending);
		if (state == PENDING_NO_TASKS)
			nanosleep(&pause, NULL);
		else if (state != PENDING_NOT_READY)
			return;
	}
}
