// Package s3 is the lake.Storage on a server that speaks Amazon's S3 protocol.
//
// # Basics
//
// An object of the storage is an object of the bucket below a prefix. Options holds
// where the server is and the local directory that the storage owns; Parse makes them
// from the URI and the JSON of CREATE STORAGE. Open asks the server for nothing: it may
// be away while kalam starts.
//
// A staged object is a local file. Commit uploads staged objects in order, each with its checksums: one
// request for a small one, a multipart upload for a large one. LocalPath downloads the
// whole object into a cache of local files and lends the file; Open reads ranges. What
// Commit wrote goes into the cache, as the newest segments are read the most.
//
// # Guarantees
//
// No object is overwritten but by Replace: Commit and Move publish with the condition
// that there is none (If-None-Match: *), which the server checks. Before the first such
// request the storage tries out whether the server does; one that ignores the condition is
// refused (ErrNoConditions), for a lake on it could lose data.
//
// An answer that got lost is no error and no second object: each upload carries a random
// name in its metadata, by which the storage knows its own object again.
//
// A failed request is repeated, with growing waits, when the network, the server's state
// or its load is the reason; never when the server refuses it. What then still fails is
// lake.ErrUnavailable. A download that breaks goes on where it broke.
//
// A file of the cache has the checksum that was noted at upload. It is checked after the
// download and again when a restart found the file; its size is checked whenever it is lent.
//
// Secrets are of type Secret and print as [redacted]; errors and logs name an object by
// its path in the storage.
//
// # Caveats
//
// One process writes to a prefix at a time, as it is for package lake/file, and one Storage
// uses a local directory. What Commit wrote is taken for unchangeable: a cached file of it
// is lent without asking the server. An object that another program removed may thus
// still be read for a while.
//
// Objects appear one request after the other: a commit of many small staged objects takes as many
// round trips.
//
// A crash in the middle of a multipart upload, or of a Move, leaves an upload that no one
// sees and the provider charges for: Uploads lists them, AbortUploads removes old ones.
//
// Layout, limits and servers are in docs/architecture/storage-s3.md.
package s3
