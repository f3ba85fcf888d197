package badger

import (
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
)

// syncFailure begins the message by which alone Badger tells that the value log
// could not be synced; the write itself succeeds.
const syncFailure = "Error while curlf sync"

// logger passes Badger's messages to slog. What Badger calls information is of
// use to its developers.
type logger struct {
	log    *slog.Logger
	failed *atomic.Bool
}

func (l *logger) Errorf(format string, args ...any) {
	if strings.HasPrefix(format, syncFailure) {
		l.failed.Store(true)
	}
	l.log.Error("badger", "message", text(format, args))
}

func (l *logger) Warningf(format string, args ...any) {
	l.log.Warn("badger", "message", text(format, args))
}

func (l *logger) Infof(format string, args ...any) {
	l.log.Debug("badger", "message", text(format, args))
}

func (l *logger) Debugf(string, ...any) {}

func text(format string, args []any) string {
	return strings.TrimSpace(fmt.Sprintf(format, args...))
}
