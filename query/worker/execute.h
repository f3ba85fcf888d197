#ifndef KALAM_EXECUTE_H
#define KALAM_EXECUTE_H

#include "scan.h"

// kalam_stream starts a prepared statement whose result is fetched piece by piece.
int kalam_stream(duck statement, duck *pending);

// kalam_execute computes a started statement until duckdb_execute_pending gives its result at once.
// False: it has failed, and duckdb_pending_error says why.
bool kalam_execute(duck pending);

#endif
