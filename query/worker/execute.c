#define _POSIX_C_SOURCE 200809L

#include "execute.h"

#include <time.h>

extern int duckdb_pending_prepared_streaming(duck, duck *);
extern int duckdb_pending_execute_task(duck);

enum { PENDING_READY = 0, PENDING_NOT_READY = 1, PENDING_NO_TASKS = 3 }; // duckdb_pending_state

// How long a statement waits for tasks of its own that another thread computes, in ns: at first
// short against what several threads compute, then long against asking whether there is one.
enum { SHORTEST_PAUSE = 20 * 1000, LONGEST_PAUSE = 1000 * 1000 };

int kalam_stream(duck statement, duck *pending) { return duckdb_pending_prepared_streaming(statement, pending); }

// DuckDB's own loop asks for the next task without a pause: when the only task is with another
// thread, as in most copies, it takes a processor for as long as that runs.
bool kalam_execute(duck pending) {
	struct timespec pause = {.tv_nsec = SHORTEST_PAUSE};
	for (;;) {
		int state = duckdb_pending_execute_task(pending);
		switch (state) {
		case PENDING_NO_TASKS:
			nanosleep(&pause, NULL);
			if (pause.tv_nsec < LONGEST_PAUSE) pause.tv_nsec *= 2;
			break;
		case PENDING_NOT_READY:
			pause.tv_nsec = SHORTEST_PAUSE;
			break;
		default:
			return state == PENDING_READY;
		}
	}
}
