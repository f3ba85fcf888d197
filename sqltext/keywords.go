package sqltext

import (
	"slices"
	"strings"
)

// grammarWords are the words that DuckDB's grammar does not take as the name of
// a table or column without quotes.
const grammarWords = `all analyse analyze and anti any array as asc asof asymmetric at authorization binary both by
case cast check collate collation column concurrently constraint create cross default deferrable desc describe
distinct do else end except false fetch for foreign freeze from full glob group having ilike in initially inner
intersect into is isnull join lambda lateral leading left like limit natural not notnull null offset on only or order
outer overlaps pivot pivot_longer pivot_wider placing positional primary qualify references returning right select semi
show similar some summarize symmetric table tablesample then to trailing true union unique unpack unpivot using
variadic verbose when where window with`

// nameWords are refused as names of new objects in addition: KalamDB refuses them.
const nameWords = `alter database delete drop explain index insert schema tables tablespace update view`

// valueWords are functions that are written without parentheses. They are refused
// as names too, in quotes as well: a column of that name would hide them.
const valueWords = `current_catalog current_date current_role current_schema current_time current_timestamp
current_user localtime localtimestamp session_user`

// dialectWords are the words beside those that statements of this dialect and
// queries consist of.
const dialectWords = `access access_level action add after always api as auto_increment base_directory batch_size begin
bigint blob boolean bucket buffer_size bytea bytes cache cascade catalog char clear columns commit compact config conflict
credentials current_role current_timestamp current_user date datetime days decimal deleted_retention_hours description do
double email excluded execute exists expires export extended filesystem flush flush_cron flush_policy float format from_seq generated grant grants history hours iceberg identified
identity if int integer internal interval job jobs json jsonb key kill last last_rows level live manual metadata modify
name namespace namespaces nothing now numeric oauth offset options password path policies policy precision private privileges public query
real region rename restricted retain revoke role rollback rows s3 scopes serial set shard_strategy shared shared_tables_template smallint
snowflake_id start stats storage storage_id storages stream subscribe tblproperties template text time timestamp tokens
transaction ttl ttl_seconds type ulid uri use use_user_storage user user_tables_template users uuid uuid_v7 values
varchar zone`

// grammar, names and completions are tables of constants.
var (
	grammar     = wordSet(grammarWords)
	valueNames  = wordSet(valueWords)
	names       = wordSet(grammarWords + " " + nameWords + " " + valueWords)
	completions = sortedWords(grammarWords + " " + nameWords + " " + valueWords + " " + dialectWords)
)

// maxReserved is the length of the longest reserved word.
const maxReserved = len("current_timestamp")

func wordSet(list string) map[string]struct{} {
	set := map[string]struct{}{}
	for _, w := range strings.Fields(list) {
		set[w] = struct{}{}
	}
	return set
}

// IsReserved reports whether word, in any case, is a word of the grammar that
// cannot stand for a name without quotes.
func IsReserved(word string) bool { return inSet(grammar, word) }

// IsReservedName reports whether word cannot name a new namespace or table, quoted
// or not, nor a column without quotes.
func IsReservedName(word string) bool { return inSet(names, word) }

// IsValueWord reports whether word is a function that is written without parentheses,
// as current_date: it names nothing, in quotes neither.
func IsValueWord(word string) bool { return inSet(valueNames, word) }

// inSet reports whether word, in any case, is in a set of words in lower case.
func inSet(set map[string]struct{}, word string) bool {
	if len(word) > maxReserved {
		return false
	}
	var low [maxReserved]byte
	for i := 0; i < len(word); i++ {
		c := word[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		low[i] = c
	}
	_, ok := set[string(low[:len(word)])]
	return ok
}

// Keywords returns every word of the dialect in upper case, sorted and without
// repeats, for completion and highlighting. The caller owns the slice.
func Keywords() []string { return append([]string(nil), completions...) }

// ReservedWords returns the words, in upper case and sorted, that cannot name a
// namespace or table, nor a column without quotes. The caller owns the slice.
func ReservedWords() []string { return sortedWords(grammarWords + " " + nameWords + " " + valueWords) }

func sortedWords(list string) []string {
	words := strings.Fields(strings.ToUpper(list))
	slices.Sort(words)
	return slices.Compact(words)
}
