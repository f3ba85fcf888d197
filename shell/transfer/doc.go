// Package transfer moves rows between files and tables: it loads CSV, TSV, NDJSON and JSON, plain
// or gzipped, and exports of chats, and dumps tables so that a load reads them back equal.
//
// # Basics
//
// A reader gives the records of a file. A plan says into which columns of which table they go; it
// guesses the types of a table that does not exist. A load cuts the records into batches, which
// several senders store by INSERTs, and a state keeps in a file which of them are done. Dump and
// Unload read tables a page at a time and write files.
//
// # Guarantees
//
//   - A load that was ended, be it by SIGKILL between any two steps, goes on when it is called again:
//     no record is lost, stored twice or rejected twice. Batches of which no answer came are sent again
//     with ON CONFLICT; where the file does not have the key, the user is asked.
//   - A state holds for one server, user, table, file and way to read it.
//   - A record that cannot be stored never keeps others from it.
//   - A dump and the file of an Unload are there when all of them is. They, states and rejects can be
//     read by their owner only.
//   - A dump is not trusted: a load of it reads files of its directory and runs statements that
//     create a table or view, nothing else.
//   - What is read of a file is bounded: a batch for each sender, and a record.
//
// # Caveats
//
// A file of JSON has its columns from its first records. Going on reads the file from its begin.
package transfer
