package main

import (
	"io"
	"log/slog"

	"gopkg.in/natefinch/lumberjack.v2"

	"github.com/kalamlake/kalam/config"
)

// newLogger returns the log of the configuration: to a file that is rotated by
// size, compressed, and kept for a number of days, or to w. closeLog closes the
// file.
func newLogger(c config.LogConfig, w io.Writer) (log *slog.Logger, closeLog func() error) {
	closeLog = func() error { return nil }
	if c.File != "" {
		const mib = 1 << 20 // lumberjack's unit.
		f := &lumberjack.Logger{
			Filename: c.File, MaxSize: int(max(1, (c.MaxFileSize+mib-1)/mib)), MaxAge: c.MaxAge,
			MaxBackups: c.MaxFiles, Compress: true,
		}
		w, closeLog = f, f.Close
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		level = slog.LevelInfo // load has refused such a level.
	}
	options := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options)), closeLog
	}
	return slog.New(slog.NewTextHandler(w, options)), closeLog
}
