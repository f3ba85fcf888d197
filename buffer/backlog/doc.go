// Package backlog counts what is buffered and not flushed yet, by table and by scope: versions, bytes, and since when.
//
// The counters follow the commits and are never scanned for. A watcher sets marks, in versions and bytes, and is told
// when a table or the whole has grown to one; a writer that finds too many bytes waits until there are fewer.
package backlog
