package transfer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// span is a range of records: from the first to behind the last.
type span struct{ From, To int64 }

// state is what a load keeps in a file, so that it can go on after it was killed. A batch
// is in Done when the server has answered. Before it goes to the server it is below Sent,
// where rows have keys and may be sent again, else in Flight: such records may be stored or
// not if they are not in Done.
type state struct {
	Version int    `json:"version"`
	Server  string `json:"server"`
	User    string `json:"user"`
	Table   string `json:"table"`
	Source  string `json:"source"` // The source's sum.
	Shape   string `json:"shape"`  // How the file was read: other columns would be other rows.

	Done        []span `json:"done"` // In order, none touching the next.
	Sent        int64  `json:"sent"`
	Flight      []span `json:"flight,omitempty"`
	Loaded      int64  `json:"loaded"`
	Rejected    int64  `json:"rejected"`
	RejectBytes int64  `json:"reject_bytes"` // Of the file of rejects, that belong to Done.

	path string // "" keeps nothing.
}

// stateVersion is that of the file.
const stateVersion = 1

// openState returns the state that a file keeps, or the given one if there is none.
// restart forgets what is kept. resumed tells which it was.
func openState(path string, fresh state, restart bool) (s *state, resumed bool, err error) {
	fresh.Version, fresh.path = stateVersion, path
	if path == "" {
		return &fresh, false, nil
	}
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && restart:
		return &fresh, false, fresh.save()
	case err != nil:
		return nil, false, err
	}
	kept := &state{}
	if err := json.Unmarshal(b, kept); err != nil {
		return nil, false, fmt.Errorf("%s is no state of a load: %w; --restart begins anew", path, err)
	}
	kept.path = path
	if why := kept.differs(&fresh); why != "" {
		return nil, false, fmt.Errorf("%s is of a load %s; --restart begins this one, --state names another file", path, why)
	}
	return kept, true, nil
}

// differs says why a load cannot go on from a state, "" if it can.
func (s *state) differs(now *state) string {
	switch {
	case s.Version != now.Version:
		return fmt.Sprintf("of version %d", s.Version)
	case s.Server != now.Server:
		return "into " + s.Server
	case s.User != now.User:
		return "as user " + s.User
	case s.Table != now.Table:
		return "into table " + s.Table
	case s.Source != now.Source:
		return "of another file, or of this one before it was changed"
	case s.Shape != now.Shape:
		return "with other columns or options"
	}
	return ""
}

// finish marks the records of a span as done.
func (s *state) finish(done span) {
	at, _ := slices.BinarySearchFunc(s.Done, done, func(a, b span) int { return int(a.From - b.From) })
	s.Done = slices.Insert(s.Done, at, done)
	merged := s.Done[:1]
	for _, next := range s.Done[1:] {
		if last := &merged[len(merged)-1]; next.From <= last.To {
			last.To = max(last.To, next.To)
		} else {
			merged = append(merged, next)
		}
	}
	s.Done = merged
	s.Flight = slices.DeleteFunc(s.Flight, func(f span) bool { return f.From >= done.From && f.To <= done.To })
}

// depart notes that the records of a span go to the server.
func (s *state) depart(flight span) {
	if !slices.Contains(s.Flight, flight) {
		s.Flight = append(s.Flight, flight)
	}
}

// within reports whether a record is in one of some spans.
func within(spans []span, record int64) bool {
	return slices.ContainsFunc(spans, func(s span) bool { return record >= s.From && record < s.To })
}

// save writes the file: who reads it finds this state or the one before.
func (s *state) save() error {
	if s.path == "" {
		return nil
	}
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	temporary := s.path + ".new"
	if err := writeSynced(temporary, append(b, '\n')); err != nil {
		return err
	}
	return os.Rename(temporary, s.path)
}

// remove forgets the state: the load has ended.
func (s *state) remove() error {
	if s.path == "" {
		return nil
	}
	return os.Remove(s.path)
}

// createOwn makes a file anew that its owner alone reads. It never writes to where a link
// points that somebody else may have put there.
func createOwn(path string) (*os.File, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
}

// writeSynced writes a file that its owner alone reads, to the disk.
func writeSynced(path string, b []byte) error {
	f, err := createOwn(path)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}

// beside is the path of a file that a load keeps beside the one that it reads: its name
// has those of the file and of the table.
func beside(s *source, name Name, kind string) string {
	if s.path == "" {
		return ""
	}
	return filepath.Join(filepath.Dir(s.path), filepath.Base(s.path)+"."+name.String()+"."+kind)
}
