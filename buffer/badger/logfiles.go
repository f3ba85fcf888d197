package badger

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Names of Badger's files.
const (
	memtableSuffix = ".mem"
	tableSuffix    = ".sst"
	discardName    = "DISCARD"
)

func logPath(dir string, id int) string {
	return filepath.Join(dir, fmt.Sprintf("%05d%s", id, memtableSuffix))
}

// newestLog is what a note says.
type newestLog struct {
	state string
	id    int
	bytes int64
}

// findNewestLog returns the number and length of the newest log that is not empty, -1
// if there is none. One of no bytes is made for later, or was about to be begun.
func findNewestLog(dir string) (id int, bytes int64, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return -1, 0, err
	}
	id = -1
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), memtableSuffix)
		if !ok {
			continue
		}
		n, err := strconv.Atoi(name)
		if err != nil || n < id {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // Its table is written.
		}
		if err != nil {
			return -1, 0, err
		}
		if info.Size() > 0 {
			id, bytes = n, info.Size()
		}
	}
	return id, bytes, nil
}

func removeIfThere(name string) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
