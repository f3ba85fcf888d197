// Package laketest holds what tests of storages and of their users need: the
// conformance suite that every lake.Storage passes (Run), a storage in memory
// that behaves like a remote one (Memory), a storage that fails on demand
// (Faulty), and a writer of segments that needs no SQL engine (WriteParquet).
package laketest
