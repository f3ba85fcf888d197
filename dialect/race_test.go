//go:build race

package dialect_test

// raceEnabled says that everything takes ten times as long.
const raceEnabled = true
