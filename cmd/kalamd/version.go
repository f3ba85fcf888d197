package main

import "fmt"

// Set by the linker (scripts/toolchain).
var (
	version = "dev"
	commit  = "unknown"
	branch  = "unknown"
	date    = "unknown"
)

// versionText is what --version prints.
func versionText() string {
	return fmt.Sprintf("kalamd %s, commit %s (%s), built %s\n", version, commit, branch, date)
}
