#ifndef KALAM_EXECUTE_H
#define KALAM_EXECUTE_H

#include "scan.h"

// kalam_stream starts a prepared statement whose result is fetched piece by piece.
int kalam_stream(duck statement, duck *pending);

// kalam_execute computes a started statement until its result can be fetched or it has failed, which
// duckdb_execute_pending then tells at once.
void kalam_execute(duck pending);

#endif
