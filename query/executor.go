package query

import (
	"context"
	"iter"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query/guard"
)

// Executor is DuckDB as a Planner sees it: it runs texts that the Planner has checked, in
// this process or in others. Whoever computes is named, so that an Executor can share
// its means among users. Errors are those of DuckDB, *duckerr.Error, which the Planner words,
// or *kalam.Error. Safe for concurrent use.
type Executor interface {
	guard.Grammar
	// Describe prepares a text and returns what it takes and gives.
	Describe(ctx context.Context, user kalam.UserID, sql string) (Description, error)
	// Run starts a statement. The caller closes the Result.
	Run(ctx context.Context, st *Statement) (Result, error)
	// Explain returns DuckDB's plan of a statement, which runs with analyze.
	Explain(ctx context.Context, st *Statement, analyze bool) (string, error)
	// Copy writes a Parquet file and returns the number of its rows.
	Copy(ctx context.Context, c *Copy) (int64, error)
	// Forget lets go of what is kept of a batch.
	Forget(id uint64)
	// Stats returns the counters and gauges.
	Stats() ExecutorStats
	// Close waits for the Results that are open and ends DuckDB. Later calls fail with
	// CodeShuttingDown.
	Close() error
}

// Statement is a checked text with what it needs to run.
type Statement struct {
	User kalam.UserID // Who computes.
	// ID is equal for statements of one text over sources of equal schemas, which may
	// stay prepared; 0: it holds values of one run, after which nothing of it stays.
	ID     uint64
	SQL    string
	Zone   string  // Of DATETIME, "" for UTC.
	Params []Param // Of $1, $2, ...
	Inputs []Input // What the functions of ours in the text read, by their number.
	// Parallel says that it reads so many rows that several threads are faster than one.
	Parallel bool
}

// Param is the value of a placeholder.
type Param struct {
	Value kalam.Value
	// Type is what a DECIMAL is bound as, if it has its scale; KindNull: as it is.
	Type  kalam.DataType
	Paths []string // The placeholder stands for a list of files; nil: for Value.
}

// Description is what a text takes and gives.
type Description struct {
	Params  []ParamType // $1 first.
	Columns []Column    // Of no type as long as a placeholder has none that decides it.
}

// ParamType is the type of a placeholder.
type ParamType struct {
	Type  kalam.DataType // KindNull when it is none of ours.
	Known bool           // DuckDB has decided what it is.
}

// Copy is a Parquet file to be written.
type Copy struct {
	SQL     string
	Params  []Param // Of the texts.
	Input   Input   // 0 of the texts.
	Batches iter.Seq2[arrow.RecordBatch, error]
	// Unless it is "", Check gives a number, and when it is not 0 CheckedSQL runs instead of SQL.
	Check, CheckedSQL string
}

// Result is a running statement. It is computed while it is read, or before. Not safe
// for concurrent use.
type Result interface {
	// Schema returns the columns.
	Schema() *arrow.Schema
	// Next returns the next rows, io.EOF after the last. The caller releases them; they
	// stay valid after Close.
	Next(ctx context.Context) (arrow.RecordBatch, error)
	// Close ends the statement; nothing of its sources is referenced afterwards. It may
	// be called more than once.
	Close()
}

// ExecutorStats are the counters and gauges of an Executor.
type ExecutorStats struct {
	Isolation string // "none" or "process".
	Sandbox   string // What keeps the processes from the rest of the machine; "" without.

	Running, Waiting int64 // Statements that compute, and that wait for their turn.
	Sessions         int   // Connections that run statements.
	Threads          int   // That a statement may use.
	PreparedHits     int64 // Statements that were found prepared.
	Prepared         int   // Statements that stay prepared while nobody runs them.
	ChunkHits        int64 // Batches that were converted already.
	ChunkMiss        int64 // Batches that were not.
	ChunkBytes       int64 // Kept by the cache of converted batches.

	Workers  int   // Processes that run, 0 without isolation.
	Busy     int   // Of these, those that compute.
	Slow     int   // Of these, those that have outlived their slice.
	Started  int64 // Processes started since the beginning.
	Killed   int64 // Ended by the server: out of time, out of memory, or used up.
	Died     int64 // Ended by themselves.
	Memory   int64 // Bytes that the processes hold for themselves, when last looked at.
	Shared   int64 // Bytes of batches in shared memory.
	Spooled  int64 // Bytes of results that wait for their readers.
	Chunks   int64 // Pieces of batches that DuckDB holds, as last told.
	InFlight int64 // Statements whose sources DuckDB holds, as last told.
}

// Where tells where statements run and what keeps them from the rest of the machine, as
// in "process: landlock 7, seccomp".
func (s ExecutorStats) Where() string {
	if s.Sandbox == "" {
		return s.Isolation
	}
	return s.Isolation + ": " + s.Sandbox
}

// Column is a column of a result.
type Column struct {
	Name string
	Type kalam.DataType // KindNull when the values of placeholders decide it.
}
