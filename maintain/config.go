package maintain

import "time"

// Config is the configuration of maintenance.
type Config struct {
	Node     string // Name of this server in job traces.
	MaxBytes int64  // Of the write buffer: from three quarters of it on tables are flushed; 0 is no limit.

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
