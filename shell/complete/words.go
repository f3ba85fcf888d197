package complete

import (
	"slices"
	"strings"

	"github.com/kalamlake/kalam/shell/scan"
	"github.com/kalamlake/kalam/sqltext"
)

// promptWords are commands of the prompt that need no backslash.
var promptWords = []string{"help", "exit", "quit"}

// statementWords begin a statement.
var statementWords = strings.Fields(`
SELECT INSERT UPDATE DELETE CREATE DROP ALTER SHOW DESCRIBE SUBSCRIBE STORAGE USE BEGIN START COMMIT ROLLBACK
BACKUP EXECUTE EXPLAIN KILL WITH VALUES FROM SUMMARIZE`)

// typeWords are the data types.
var typeWords = strings.Fields(`
BIGINT BOOLEAN BYTES DATE DATETIME DECIMAL DOUBLE FLOAT INT JSON SMALLINT TEXT TIME TIMESTAMP UUID`)

// tableOptions are those of CREATE TABLE ... WITH (...), subscribeOptions those of
// SUBSCRIBE TO ... OPTIONS (...).
var (
	tableOptions = strings.Fields(`
TYPE ACCESS_LEVEL DELETED_RETENTION_HOURS FLUSH_CRON FLUSH_CRON_TZ FLUSH_POLICY MAX_STREAM_SIZE_BYTES SHARD_STRATEGY STORAGE_ID TTL_SECONDS
USE_USER_STORAGE`)
	subscribeOptions = strings.Fields("last_rows batch_size buffer_size from")
)

// functionWords are the functions that are suggested: those of the server, and of
// DuckDB's those that are used often.
var functionWords = strings.Fields(`
abs array_agg array_length avg bool_and bool_or cardinality ceil coalesce concat concat_ws contains count
current_role current_user_id date_diff date_part date_trunc dayname dense_rank epoch epoch_ms exp first
first_value floor format generate_series greatest hash if ifnull json_as_text json_contains json_each
json_extract json_extract_string json_get json_get_bool json_get_float json_get_int json_get_json json_get_str
json_keys json_length json_object_keys lag last last_value lead least left len length levenshtein list
list_contains list_filter list_transform ln log lower lpad ltrim max md5 median min mode monthname nullif now
ntile nth_value power quantile_cont range rank regexp_extract regexp_matches regexp_replace repeat replace
reverse right round row_number rpad rtrim sign snowflake_id split_part sqrt starts_with stddev strftime
string_agg string_split strlen strptime struct_pack substring sum to_timestamp trim trunc typeof ulid unnest
upper uuid_v7 variance year`)

// Functions returns the names of the functions that are suggested.
func Functions() []string { return slices.Clone(functionWords) }

// phrase is a statement whose words come in a fixed order. <table> stands for a
// name with or without namespace, <namespace> and <name> for one name.
type phrase []string

// phrases are the statements of the dialect. Words in brackets may be left out.
var phrases = expand(
	"CREATE NAMESPACE [IF NOT EXISTS] <name>",
	"CREATE [USER] TABLE [IF NOT EXISTS] <namespace>",
	"CREATE [SHARED] TABLE <namespace>", "CREATE [STREAM] TABLE <namespace>",
	"CREATE USER [IF NOT EXISTS] <name> WITH PASSWORD <name> ROLE <name>",
	"CREATE STORAGE [IF NOT EXISTS] <name> TYPE <name>",
	"DROP NAMESPACE [IF EXISTS] <namespace> CASCADE", "DROP [USER] TABLE [IF EXISTS] <table>",
	"DROP [SHARED] TABLE <table>", "DROP [STREAM] TABLE <table>",
	"DROP USER [IF EXISTS] <name> PURGE", "DROP STORAGE [IF EXISTS] <name>",
	"ALTER [USER] TABLE <table> ADD COLUMN <name>", "ALTER [SHARED] TABLE <table> DROP COLUMN <column>",
	"ALTER [STREAM] TABLE <table> RENAME COLUMN <column> TO <name>", "ALTER TABLE <table> MODIFY COLUMN <column>",
	"ALTER TABLE <table> ALTER COLUMN <column> SET", "ALTER TABLE <table> SET TBLPROPERTIES",
	"ALTER TABLE <table> SET ACCESS LEVEL", "ALTER TABLE <table> RENAME TO <name>",
	"COMMENT ON TABLE <table> IS", "COMMENT ON COLUMN <column> IS",
	"ALTER USER <name> SET PASSWORD", "ALTER USER <name> SET ROLE", "ALTER USER <name> SET EMAIL",
	"ALTER USER <name> SET STORAGE", "ALTER USER <name> RESTORE",
	"ALTER NAMESPACE <namespace> SET OPTIONS", "ALTER STORAGE <name> SET",
	"SHOW NAMESPACES", "SHOW TABLES IN <namespace>", "SHOW COLUMNS FROM <table>", "SHOW CREATE TABLE <table>",
	"SHOW TABLE STATS <table>",
	"SHOW STATS FOR TABLE <table>", "SHOW STORAGES", "SHOW JOBS",
	"SHOW EXPORT", "EXPORT USER DATA FORMAT", "STORAGE EXPORT CATALOG <table> FORMAT ICEBERG",
	"STORAGE EXPORT CATALOG <table> FOR USER <name> FORMAT ICEBERG",
	"DESCRIBE [TABLE] <table> HISTORY LIMIT", "DESC <table> HISTORY LIMIT",
	"USE [NAMESPACE] <namespace>", "SET NAMESPACE <namespace>",
	"BACKUP DATABASE TO",
	"STORAGE FLUSH TABLE <table>", "STORAGE FLUSH ALL IN <namespace>", "STORAGE COMPACT TABLE <table> RETAIN",
	"STORAGE COMPACT ALL IN <namespace> RETAIN", "STORAGE COMPACT ALL RETAIN",
	"STORAGE COMPACT TABLE <table> PURGE DELETED", "STORAGE COMPACT ALL PURGE DELETED", "STORAGE VERIFY", "STORAGE CHECK <name> EXTENDED",
	"SUBSCRIBE TO <table> WHERE", "SUBSCRIBE TO <table> LAST", "SUBSCRIBE TO <table> OPTIONS", "SUBSCRIBE TO SELECT",
	"KILL JOB <name>", "KILL QUERY <name>", "KILL LIVE QUERY <name>", "CLEAR CACHE",
	"EXECUTE AS USER <name>", "BEGIN TRANSACTION", "START TRANSACTION", "COMMIT TRANSACTION", "ROLLBACK TRANSACTION",
	"INSERT INTO <table> VALUES", "INSERT INTO <table> SELECT", "INSERT INTO <table> DEFAULT VALUES",
	"UPDATE <table> SET <column>", "DELETE FROM <table> WHERE",
)

// expand parses phrases, each word in brackets with and without it.
func expand(texts ...string) (out []phrase) {
	for _, text := range texts {
		open, end := strings.IndexByte(text, '['), strings.IndexByte(text, ']')
		if open < 0 {
			out = append(out, strings.Fields(text))
			continue
		}
		out = append(out, expand(text[:open]+text[open+1:end]+text[end+1:], text[:open]+text[end+1:])...)
	}
	return out
}

// after returns what follows tokens in the phrase. ok is false if they are not its
// begin, or all of it.
func (p phrase) after(tokens []scan.Token) (next string, ok bool) {
	i := 0
	for _, want := range p {
		if i == len(tokens) {
			return want, true
		}
		switch {
		case !strings.HasPrefix(want, "<"):
			if !tokens[i].Is(want) {
				return "", false
			}
		case tokens[i].IsWord() && want == "<table>" && sqltext.IsReserved(tokens[i].Text):
			return "", false
		case !tokens[i].IsName() && (want != "<name>" || tokens[i].Kind == scan.Punct):
			return "", false
		case want == "<table>":
			for i+2 < len(tokens) && tokens[i+1].Text == "." && tokens[i+2].IsName() {
				i += 2
			}
		}
		i++
	}
	return "", false
}

// keywordSet are the words of the dialect that are no names.
var keywordSet = func() map[string]bool {
	set := wordSet(strings.Join(slices.Concat(sqltext.ReservedWords(), statementWords), " "))
	for _, w := range strings.Fields("SET VALUES LAST OPTIONS INTO UPDATE TO STATS") {
		set[w] = true
	}
	return set
}()

// isKeyword reports whether a word is one of the grammar.
func isKeyword(word string) bool { return keywordSet[strings.ToUpper(word)] }

// wordSet is the set of the words of a list, in upper case.
func wordSet(list string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(list) {
		set[w] = true
	}
	return set
}
