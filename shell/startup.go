package shell

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// startFile is what the prompt runs when it begins, in the home of the user.
const startFile = ".kalamrc"

// worldWritable is the mode of a file that anybody may change.
const worldWritable = 0o002

// startUp runs the statements and commands of ~/.kalamrc. Their errors are shown, and the
// prompt goes on; errQuit is returned for \quit.
func (s *session) startUp(ctx context.Context, interrupts <-chan struct{}) error {
	text, path, err := s.readStartFile()
	if err == nil && text == "" {
		return nil
	}
	if err != nil {
		s.remark("Warning: %s is not run: %v", path, err)
		return nil
	}
	steps, err := plan(text)
	if err != nil {
		s.remark("Warning: %s is not run: %v", path, err)
		return nil
	}
	for _, st := range steps {
		if err := s.attend(ctx, st, false, interrupts); errors.Is(err, errQuit) || ctx.Err() != nil {
			return err
		}
	}
	return nil
}

// readStartFile returns the text of the file, "" without one. What somebody else may have
// written is an error.
func (s *session) readStartFile() (text, path string, err error) {
	dir := s.config.directory()
	if dir == "" || s.config.NoRC {
		return "", "", nil
	}
	path = filepath.Join(filepath.Dir(dir), startFile)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", path, nil
	}
	if err != nil {
		return "", path, err
	}
	defer f.Close() //nolint:errcheck // It was only read.
	info, err := f.Stat()
	switch {
	case err != nil:
		return "", path, err
	case !info.Mode().IsRegular():
		return "", path, errors.New("it is no file")
	case runtime.GOOS != "windows" && info.Mode().Perm()&worldWritable != 0:
		return "", path, fmt.Errorf("anybody may write it (mode %04o): chmod o-w %s", info.Mode().Perm(), path)
	}
	b, err := os.ReadFile(path)
	return string(b), path, err
}
