package badger

import (
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"
)

// logger passes Badger's messages to slog. What Badger calls information is of
// use to developers.
type logger struct {
	log    *slog.Logger
	noRoom atomic.Int64 // Unix time in nanoseconds of the last message of a full disk.
}

// noRoomEvery is how often a full disk is logged. Badger says it, with a stack and
// the names of all tables, each time that it tries again; the log may be on that disk.
const noRoomEvery = time.Minute

func (l *logger) Errorf(format string, args ...any) {
	if message := text(format, args); !l.saysNoRoom(message) {
		l.log.Error("badger", "message", message)
	}
}

func (l *logger) Warningf(format string, args ...any) {
	if message := text(format, args); !l.saysNoRoom(message) {
		l.log.Warn("badger", "message", message)
	}
}

func (l *logger) Infof(format string, args ...any) {
	l.log.Debug("badger", "message", text(format, args))
}

// Debugf drops what Badger says of every single write.
func (l *logger) Debugf(string, ...any) {}

// saysNoRoom reports whether a message is of a full disk, and logs that now and then.
func (l *logger) saysNoRoom(message string) bool {
	if !strings.Contains(message, noSpaceText) {
		return false
	}
	now, last := time.Now().UnixNano(), l.noRoom.Load()
	if now-last > int64(noRoomEvery) && l.noRoom.CompareAndSwap(last, now) {
		l.log.Error("a table of the write buffer finds no room on the disk; nothing is lost, and it is tried again")
	}
	return true
}

func text(format string, args []any) string {
	return strings.TrimSpace(fmt.Sprintf(format, args...))
}
