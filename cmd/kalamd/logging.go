package main

import (
	"io"
	"log/slog"

	"gopkg.in/natefinch/lumberjack.v2"

	"github.com/kalamlake/kalam/config"
)

// logging is the log of a server: to a file that is rotated by size, compressed, and kept for a number of days, or to a
// writer.
type logging struct {
	*slog.Logger
	level *slog.LevelVar
	file  *lumberjack.Logger // nil without one.
}

// newLogging returns the log of a configuration, to w unless it names a file.
func newLogging(c config.LogConfig, w io.Writer) *logging {
	l := &logging{level: &slog.LevelVar{}}
	if c.File != "" {
		const mib = 1 << 20 // lumberjack's unit.
		l.file = &lumberjack.Logger{
			Filename: c.File, MaxSize: int(max(1, (c.MaxFileSize+mib-1)/mib)), MaxAge: c.MaxAge,
			MaxBackups: c.MaxFiles, Compress: true,
		}
		w = l.file
	}
	l.setLevel(c.Level)
	options := &slog.HandlerOptions{Level: l.level}
	if c.Format == "json" {
		l.Logger = slog.New(slog.NewJSONHandler(w, options))
	} else {
		l.Logger = slog.New(slog.NewTextHandler(w, options))
	}
	return l
}

// setLevel changes the level; load has refused a name that is none.
func (l *logging) setLevel(name string) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(name)); err != nil {
		level = slog.LevelInfo
	}
	l.level.Set(level)
}

// reopen has the next line go to the file that has the name then: another program may have moved the one before.
func (l *logging) reopen() error {
	if l.file == nil {
		return nil
	}
	return l.file.Close() // The next line opens it.
}

// close closes the file.
func (l *logging) close() error { return l.reopen() }
