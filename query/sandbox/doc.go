// Package sandbox takes from a process, before its main begins, what a query worker
// does not need: files outside of a few folders, sockets, other programs and
// processes. A statement that breaks out of DuckDB then holds a process that can read
// what the worker could read anyway.
//
// # Basics
//
// The parent starts a program that links this package with Rules.Env in its
// environment. Every such program has a C constructor, which finds the rules and
// enters the sandbox before the Go runtime has threads: Landlock for files, TCP and
// signals, seccomp for system calls. Then the child asks Current what is in force.
//
// # Guarantees
//
// A sandbox cannot be left, and needs no rights of root to be entered. Descriptors
// above 3 are closed. Without the variable in its environment a program runs as
// without this package.
//
// # Caveats
//
// Kernels older than 5.13 have no Landlock, and some containers refuse seccomp: the
// process then runs with less, and Current says so. Platforms other than Linux have
// no sandbox.
package sandbox
