// Package atrest reads and changes what a backend holds without a Store: for checks of a data directory, and for what
// is restored from a backup.
//
// ScanLog and CheckMeta read, a snapshot too. Rewind and Relocate change, and want a backend that no Store uses.
package atrest
