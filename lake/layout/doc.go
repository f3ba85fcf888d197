// Package layout says where the files of a lake lie in a storage: the folder of each
// scope, and the names of the files in it.
//
// # Basics
//
// The folder of a scope comes from the path template of its storage (Templates), from an
// encoding of the user id that is one element of a path (EncodeUserID), and from the shard of
// the user where the table has a shard strategy (Strategies). In it lie segments
// (SegmentName), the key index file of each (KeyIndexPath) and manifest.json; what is being
// written has a name of StagedName. Classify tells them apart, and PlaceOf finds whose
// rows a folder holds: a lake can be read from its paths alone.
//
// # Guarantees
//
// No template gives two scopes the same folder, also on file systems that fold case. No
// name of a table or user leaves the root, and none opens a device of Windows. What a path
// means never changes: files that were written stay where they are.
//
// The package does no I/O.
package layout
