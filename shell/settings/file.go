package settings

import (
	"os"
	"time"
)

// Directory is where a user's files are, below their home.
const Directory = ".kalam"

// Names of the files in Directory.
const (
	ConfigName      = "config.toml"
	CredentialsName = "credentials.toml"
)

// File is what config.toml says.
type File struct {
	Host   string // A URL, or a host with or without port.
	User   string // Who logs in when nobody else is named.
	Token  string
	APIKey string

	Timeout           time.Duration // Of one request; 0 is without end.
	AutoReconnect     bool
	ReconnectDelay    time.Duration // Before the first attempt.
	MaxReconnectDelay time.Duration
	MaxReconnects     int // In a row; 0 is without limit.

	Format  string
	Color   bool // On terminals.
	MaxRows int  // Of one page on a terminal; 0 is without pages.
	Null    string

	HistorySize        int
	TimestampFormat    string
	ConfirmDestructive bool

	LastRows int // Rows with which a live query begins.
}

// Defaults returns what holds without a file.
func Defaults() File {
	return File{
		Host: "http://localhost:8080", User: "system",
		Timeout: 30 * time.Second, AutoReconnect: true, ReconnectDelay: 100 * time.Millisecond,
		MaxReconnectDelay: 30 * time.Second, MaxReconnects: 10,
		Format: "table", Color: true, MaxRows: 1000, Null: "NULL",
		HistorySize: 1000, TimestampFormat: "iso8601",
	}
}

// othersRead reports whether a file can be read by others than its owner.
func othersRead(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().Perm()&0o077 != 0 && modesMatter
}
