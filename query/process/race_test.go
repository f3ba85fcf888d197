//go:build race

package process_test

// raceEnabled says that everything takes ten times as long, and several times as much memory.
const raceEnabled = true
