// Package verify compares a lake that no server uses with its record: that buffer and
// storage belong together, every manifest, every byte of the files that they name, whose
// they are, and their keys. kalamd verify runs it. It mends nothing.
package verify
