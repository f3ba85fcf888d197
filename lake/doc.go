// Package lake keeps flushed rows: immutable Parquet files ("segments") on a
// pluggable storage, each with a key index file, and a manifest.json per scope for outside
// readers.
//
// It says what a Storage is, commits segments, finds and lends them, keeps files open, and
// collects orphans. Below it are the rooms that know no storage: layout (where files lie), parquet
// and keyindex (the two files of a segment), integrity (what is damaged). Above it are
// the storages, file and s3, and recovery, which rebuilds a lost record.
//
// # Basics
//
// A Lake is opened over one or more Locations: a Storage and the path templates
// of the tables kept there. A flush asks for a Pending segment, has the Parquet
// file written to Pending.LocalTemp, and commits it together with the keys it
// holds. Find maps primary keys to row positions through the key index file; ReadRows
// reads rows by position.
//
// # Guarantees
//
// A segment appears whole or not at all: both files are written beside their
// final names, synced, given their names (the key index file first) and their directory
// is synced. What a crash leaves behind is an orphan: a temporary file, or a file
// that no manifest of record names. Nothing here decides what belongs to a
// table; the manifest of record (package buffer) does.
//
// Bytes of a key index file are used only after their checksum was verified, and so
// are the bytes of a Parquet file as far as ReadRows reads them. Damage gives a
// kalam.Error with CodeCorrupt that names the file, never other rows. Without its
// key index file a segment gives no rows by key or position (ErrNoKeyIndex); Rebuild
// makes a new one.
//
// Paths are those of package layout. RemoveFolder and Trash touch only files of the lake's own names, and
// no segment that is being written or says that it belongs to another table; Trash
// touches no segment that a manifest.json names either, and deletes nothing.
//
// Open files, their indexes and decoded rows are kept within the bounds of
// Options, however many segments there are.
//
// # Caveats
//
// DuckDB reads the Parquet files by itself and does not see the checksums of
// the key index file. LocalPath compares a file with them before it is read for the
// first time; damage that comes later is found by Scrub, which checks every byte
// of a segment. Rebuild cannot see damage inside a value: a new key index file vouches
// for what is there now.
//
// The bytes of every file are described in docs/architecture/lake-format.md.
//
// A Lake and the storages of this module are safe for concurrent use; a Pending
// belongs to one goroutine. No goroutine is started here.
package lake
