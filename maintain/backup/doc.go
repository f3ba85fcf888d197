// Package backup makes copies of a lake from which it can be restored: of what the write buffer stores, as of one
// commit, and of the files of segments that it names. It knows no session and no job.
//
// # Basics
//
//   - Open and InStorage give a Destination, which holds any number of backups.
//   - Run adds a backup to it. Files that an earlier backup has are not copied again.
//   - List, Verify and Restore read a destination.
//
// # Guarantees
//
//   - A backup holds every row up to its seq, and none above.
//   - A backup is there when its manifest is, which is the last thing that is written, under a name of its own. So
//     a crash leaves the earlier backups as they were, and no half one.
//   - What is restored is compared with its SHA-256 first; what does not fit is refused by the name of its file.
//   - A restore into a directory that holds anything is refused.
//
// # Caveats
//
// A backup holds all that the data directory holds, hashes of passwords and the secret of tokens among it, but not
// the key of sealed credentials. Files that are hard links share their bytes with the lake: a disk that damages one
// damages both.
package backup
