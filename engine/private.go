package engine

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// warnIfOpen logs each directory that was there before and that every user of this
// machine can enter or read. Those that the server makes are its own alone; the mode
// of another is the operator's to choose.
func (e *Engine) warnIfOpen() {
	if runtime.GOOS == "windows" {
		return // Modes say nothing there.
	}
	data := absolute(e.config.Storage.DataPath)
	for _, dir := range []string{data, absolute(e.config.BufferPath()), absolute(e.config.StoragePath())} {
		if dir != data && strings.HasPrefix(dir, data+string(filepath.Separator)) {
			continue // Nobody gets there but through the data directory.
		}
		info, err := os.Stat(dir)
		if err == nil && info.Mode().Perm()&0o007 != 0 {
			e.log.Warn("other users of this machine can enter the data directory; take the rights from them with chmod o-rwx",
				"directory", dir, "mode", info.Mode().Perm().String())
		}
	}
}
