package badger

import (
	"fmt"
	"log/slog"
	"strings"
)

// logger passes Badger's messages to slog. What Badger calls information is of
// use to developers.
type logger struct{ log *slog.Logger }

func (l *logger) Errorf(format string, args ...any) {
	l.log.Error("badger", "message", text(format, args))
}

func (l *logger) Warningf(format string, args ...any) {
	l.log.Warn("badger", "message", text(format, args))
}

func (l *logger) Infof(format string, args ...any) {
	l.log.Debug("badger", "message", text(format, args))
}

// Debugf drops what Badger says of every single write.
func (l *logger) Debugf(string, ...any) {}

func text(format string, args []any) string {
	return strings.TrimSpace(fmt.Sprintf(format, args...))
}
