package worker

import (
	"runtime"
	"strconv"
	"strings"

	"github.com/kalamlake/kalam/sqltext"
)

// lockdown returns the settings of an instance that can read and write dirs and
// nothing else, in the order in which DuckDB takes them: once external access is
// off the directories cannot change, and once locked nothing can.
func lockdown(dirs []string, temp, memory string, threads int) []string {
	quoted := make([]string, len(dirs))
	for i, d := range dirs {
		quoted[i] = sqltext.QuoteString(strings.TrimSuffix(d, "/") + "/")
	}
	return []string{
		"SET autoinstall_known_extensions = false",
		"SET autoload_known_extensions = false",
		"SET allow_community_extensions = false",
		"SET allow_unsigned_extensions = false",
		"SET TimeZone = 'UTC'",
		"SET errors_as_json = true",
		"SET max_expression_depth = 1000",
		"SET enable_progress_bar = false",
		"SET enable_external_file_cache = false", // The system caches the lake already.
		"SET threads = " + strconv.Itoa(threads),
		"SET memory_limit = " + sqltext.QuoteString(memory),
		"SET temp_directory = " + sqltext.QuoteString(temp),
		"SET allowed_directories = [" + strings.Join(quoted, ", ") + "]",
		"SET enable_external_access = false",
		"SET allowed_configs = ['TimeZone']", // Every statement says its own, see session.inZone.
		"SET lock_configuration = true",
	}
}

// postgreSQL returns the settings with that in front by which ORDER BY is PostgreSQL's.
// See divide.c for its division.
func postgreSQL(settings []string) []string {
	return append([]string{"SET default_null_order = 'nulls_last_on_asc_first_on_desc'"}, settings...)
}

func defaultThreads() int { return runtime.GOMAXPROCS(0) }
