package pair

import (
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// warnIfOpen logs each directory that was there before and that every user of this
// machine can enter or read. Those that the server makes are its own alone; the mode
// of another is the operator's to choose.
func warnIfOpen(cfg Config, log *slog.Logger) {
	if runtime.GOOS == "windows" {
		return // Modes say nothing there.
	}
	data := Absolute(cfg.DataPath)
	for _, dir := range []string{data, Absolute(cfg.BufferPath), Absolute(cfg.StoragePath)} {
		if dir != data && strings.HasPrefix(dir, data+string(filepath.Separator)) {
			continue // Nobody gets there but through the data directory.
		}
		info, err := os.Stat(dir)
		if err == nil && info.Mode().Perm()&0o007 != 0 {
			log.Warn("other users of this machine can enter the data directory; "+
				"take the rights from them with chmod o-rwx",
				"directory", dir, "mode", info.Mode().Perm().String())
		}
	}
}
