// Package lake keeps flushed rows: immutable Parquet files ("segments") on a
// pluggable storage, each with a sidecar of its keys, and a manifest.json per
// scope for outside readers.
//
// # Basics
//
// A Lake is opened over one or more Locations: a Storage and the path templates
// of the tables kept there. A flush asks for a Pending segment, has the Parquet
// file written to Pending.LocalTemp, and commits it together with the keys it
// holds. Find maps primary keys to row positions through the sidecar; ReadRows
// reads rows by position.
//
// # Guarantees
//
// A segment appears whole or not at all: both files are written beside their
// final names, synced, renamed (the sidecar first) and their directory is
// synced. What a crash leaves behind is an orphan: a temporary file, or a file
// that no manifest of record names. Nothing here decides what belongs to a
// table; the manifest of record (package buffer) does.
//
// Bytes of a sidecar are used only after their checksum was verified, and so
// are the bytes of a Parquet file as far as ReadRows reads them. Damage gives a
// kalam.Error with CodeCorrupt that names the file, never other rows.
//
// A user id becomes a path only through EncodeUserID, which is injective also
// on file systems that fold case.
//
// # Caveats
//
// DuckDB reads the Parquet files by itself and does not see the checksums of
// the sidecar; Scrub checks every byte of a segment.
//
// A Lake and the storages of this module are safe for concurrent use; a Pending
// belongs to one goroutine. No goroutine is started here.
package lake
