//go:build race

package query_test

// raceEnabled says that everything takes ten times as long, and several times as much memory.
const raceEnabled = true
