package main

import "fmt"

// What the build stamps in.
var (
	version = "dev"
	commit  = "unknown"
	branch  = "unknown"
	date    = "unknown"
)

// versionText is what --version prints.
func versionText() string {
	return fmt.Sprintf("kalam %s\nCommit: %s (%s)\nBuilt: %s\n", version, commit, branch, date)
}
