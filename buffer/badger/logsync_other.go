//go:build !linux

package badger

// syncsItself says that commits are synced by logSync instead of by Badger.
const syncsItself = false

// logSync does nothing here: Badger syncs.
type logSync struct{}

func openLogSync(dir string) (*logSync, error) {
	if err := noteWriting(dir); err != nil && !isNoSpace(err) {
		return nil, err
	}
	return &logSync{}, nil
}

func (*logSync) sync(bool) error { return nil }

func (*logSync) close() error { return nil }
