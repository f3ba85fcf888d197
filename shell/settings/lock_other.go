//go:build !unix

package settings

import "os"

// modesMatter says that the mode of a file tells who may read it.
const modesMatter = false

// lockFile does nothing here: what is appended or renamed is written at once.
func lockFile(*os.File) error { return nil }
