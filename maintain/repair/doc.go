// Package repair mends what package verify finds wrong with a lake that no server uses, as far as it can be mended
// without losing anything.
//
// # Guarantees
//
//   - Without consent nothing is changed: Run says what it would do.
//   - Nothing is deleted: what another file takes the place of, and what belongs to nothing, is moved to the trash of its
//     storage.
//   - A file that takes the place of another is the one that the record describes, by its checksum.
//   - Files that no manifest names are moved only while the whole record can be read.
package repair
