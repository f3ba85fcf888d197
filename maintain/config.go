package maintain

import (
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/jobs"
)

// Config is the configuration of maintenance.
type Config struct {
	Node     string // Name of this server in job traces.
	MaxBytes int64  // Of the write buffer: from three quarters of it on tables are flushed; 0 is no limit.

	Grace               time.Duration // After DROP USER, until the user's data is removed.
	TrashAge            time.Duration // How long files that belong to nothing stay in the trash.
	ScrubSchedule       string        // Cron line; "" is never.
	ScrubBytesPerSecond int64

	Flush     FlushConfig
	Lake      LakeConfig
	Jobs      JobsConfig
	Retention RetentionConfig
}

// FlushConfig is the section [flush].
type FlushConfig struct {
	DefaultTimeInterval int    `koanf:"default_time_interval" doc:"age in seconds of the oldest buffered row at which a table without policy is flushed"`
	DefaultRowLimit     int    `koanf:"default_row_limit" doc:"buffered row versions at which a table without policy is flushed"`
	DefaultBytes        int64  `koanf:"default_bytes" doc:"bytes of buffered rows at which a table without policy is flushed; 0: no such limit"`
	Schedule            string `koanf:"schedule" doc:"cron line, in UTC, at which every table with buffered rows is flushed that is not 'manual'; empty is none"`
	MinRows             int    `koanf:"min_rows" doc:"a table with fewer buffered rows waits for its interval, whatever else would flush it; 0: only flush.schedule and a full buffer let a table below 1000 rows wait"`
	OnShutdown          bool   `koanf:"on_shutdown" doc:"flush all tables when the server stops"`
}

// LakeConfig is the section [lake].
type LakeConfig struct {
	CompactSegments int `koanf:"compact_segments" doc:"small files of one user's table at which a flush has them merged; 0 leaves it to STORAGE COMPACT"`
}

// JobsConfig is the section [jobs].
type JobsConfig struct {
	MaxConcurrent          int    `koanf:"max_concurrent" doc:"jobs that run at a time"`
	MaxRetries             int    `koanf:"max_retries" doc:"tries of a failed job after the first"`
	RetentionDays          int    `koanf:"retention_days" doc:"age at which records of ended jobs are deleted"`
	CleanupSchedule        string `koanf:"cleanup_schedule" doc:"cron line of the deletion of old job records"`
	ShutdownTimeoutSeconds int    `koanf:"shutdown_timeout_seconds" doc:"how long a stop waits for jobs and the last flush"`
}

// RetentionConfig is the section [retention].
type RetentionConfig struct {
	DefaultDeletedRetentionHours int `koanf:"default_deleted_retention_hours" doc:"how long tombstones are kept"`
}

const (
	// minScrubRate still reads a gigabyte in five hours.
	minScrubRate = 64 << 10
	// maxTrashAge is ten years.
	maxTrashAge = 10 * 365 * 24 * time.Hour
)

// DefaultConfig returns the configuration of a server that was told nothing.
func DefaultConfig() Config {
	return Config{
		Grace: 30 * 24 * time.Hour, TrashAge: 72 * time.Hour, ScrubSchedule: "0 3 * * 0", ScrubBytesPerSecond: 32 << 20,
		Flush: FlushConfig{DefaultTimeInterval: 300, DefaultRowLimit: 10000, DefaultBytes: jobs.DefaultFlushBytes,
			OnShutdown: true},
		Lake: LakeConfig{CompactSegments: 8},
		Jobs: JobsConfig{
			MaxConcurrent: 10, MaxRetries: 3, RetentionDays: 30, CleanupSchedule: "0 0 * * *",
			ShutdownTimeoutSeconds: 300,
		},
		Retention: RetentionConfig{DefaultDeletedRetentionHours: 168},
	}
}

// Problems tells of every value that cannot be used; the messages name its key and what is expected.
func (c *Config) Problems() (list []error) {
	for _, rule := range []struct {
		bad       bool
		key, want string
	}{
		{c.TrashAge < 0 || c.TrashAge > maxTrashAge, "storage.trash_hours", "0 to 87600"},
		{c.ScrubBytesPerSecond < minScrubRate, "storage.scrub_bytes_per_second", "at least 65536"},
		{c.Flush.DefaultTimeInterval < 1 || c.Flush.DefaultTimeInterval > 86399, "flush.default_time_interval",
			"1 to 86399"},
		{c.Flush.DefaultRowLimit < 1, "flush.default_row_limit", "at least 1"},
		{c.Flush.DefaultBytes < 0, "flush.default_bytes", "0 or more"},
		{c.Flush.MinRows < 0, "flush.min_rows", "0 or more"},
		{c.Lake.CompactSegments < 0, "lake.compact_segments", "0 or more"},
		{c.Jobs.MaxConcurrent < 1, "jobs.max_concurrent", "at least 1"},
		{c.Jobs.MaxRetries < 0, "jobs.max_retries", "0 or more"},
		{c.Jobs.RetentionDays < 1, "jobs.retention_days", "at least 1"},
		{c.Retention.DefaultDeletedRetentionHours < 0, "retention.default_deleted_retention_hours", "0 or more"},
	} {
		if rule.bad {
			list = append(list, kalam.Errorf(kalam.CodeInvalidInput, "configuration key %s: expected %s", rule.key, rule.want))
		}
	}
	for _, s := range []struct{ key, line string }{
		{"flush.schedule", c.Flush.Schedule}, {"storage.scrub_schedule", c.ScrubSchedule},
	} {
		if s.line == "" {
			continue
		}
		if _, err := jobs.ParseSchedule(s.line); err != nil {
			list = append(list, kalam.Wrap(kalam.CodeInvalidInput, err, "configuration key %s", s.key))
		}
	}
	return list
}
