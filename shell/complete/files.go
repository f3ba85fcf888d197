package complete

import (
	"os"
	"path/filepath"
	"strings"
)

// mostFiles bounds the files that are suggested.
const mostFiles = 1000

// files completes the name of a file that begins as partial, which ends at byte at.
// Directories end with a slash; hidden files are shown only where a dot is typed.
func files(partial string, at int) Suggestions {
	dir, begin := filepath.Split(partial)
	s := Suggestions{Start: at - len(begin)}
	entries, err := os.ReadDir(ExpandHome(dir))
	if err != nil {
		return s
	}
	for _, e := range entries {
		name := e.Name()
		if !strings.HasPrefix(name, begin) || begin == "" && strings.HasPrefix(name, ".") || len(s.Items) == mostFiles {
			continue
		}
		kind := "file"
		if isDirectory(dir, e) {
			name, kind = name+"/", "directory"
		}
		s.Items = append(s.Items, Suggestion{Text: name, Kind: kind})
	}
	return s
}

// isDirectory reports whether an entry is a directory, or a link to one.
func isDirectory(dir string, e os.DirEntry) bool {
	info, err := os.Stat(filepath.Join(ExpandHome(dir), e.Name()))
	return err == nil && info.IsDir()
}

// ExpandHome returns a path as the system knows it: "" is the current one, ~/ that of the
// user.
func ExpandHome(path string) string {
	if path == "" {
		return "."
	}
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, rest)
		}
	}
	return path
}
