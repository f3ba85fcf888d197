// Package iceberg writes Apache Iceberg tables (format version 2) over the files of scopes, so that other
// engines read a user's rows of a table, or a SHARED table, from where they are.
//
// # Basics
//
// Exporter.Start submits the job of STORAGE EXPORT CATALOG. The job takes what the manifest of record
// says of one scope at a read point: its segments, with the rows in each that no longer count. It writes
// a position-delete file for each segment with such rows, a manifest of the segments and one of the
// delete files, a manifest list, vN.metadata.json, and last version-hint.text. They lie in the folder
// of the scope, in that of layout.CatalogFolder; no Parquet file of a segment is copied, or opened.
// docs/architecture/iceberg-export.md tells what is in each file.
//
// # Guarantees
//
//   - A reader finds exactly the rows and columns that a query gave when the last flush ended: by column
//     id, whatever the columns were called in the files. What the format cannot tell is refused by name.
//   - A catalog names files of one scope only, and lies in the folder of that scope: what removes the
//     scope, the table or the user removes it.
//   - A crash leaves the catalog of before or the new one, whole. What it leaves beside them goes with
//     the next export of the scope.
//
// # Caveats
//
// A catalog keeps no file from being removed. It can be read until a compaction replaces files that it
// names, or rows are forgotten; then it is exported again (docs/architecture/adrs/017-iceberg-catalogs.md).
package iceberg
