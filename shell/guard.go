package shell

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kalamlake/kalam/shell/scan"
	"github.com/kalamlake/kalam/sqltext"
)

// readingWords begin statements that write nothing, or only what another of them says;
// writingWords must then not stand in them.
var (
	readingWords = strings.Fields(`SELECT SHOW DESCRIBE DESC VALUES FROM SUMMARIZE WITH USE SET SUBSCRIBE EXPLAIN TABLE
BEGIN START COMMIT END ROLLBACK ABORT EXECUTE`)
	nestingWords = strings.Fields("WITH EXPLAIN EXECUTE")
	writingWords = strings.Fields("INSERT UPDATE DELETE MERGE CREATE DROP ALTER COPY TRUNCATE STORAGE KILL CLEAR")
)

// allowed returns the error of --read-only for a request that may write.
func (s *session) allowed(sql string) error {
	if !s.config.ReadOnly {
		return nil
	}
	fragments, err := sqltext.Split(sql)
	if err != nil {
		return nil //nolint:nilerr // The server says what is wrong, and runs none of it.
	}
	for _, f := range fragments {
		tokens, _ := scan.Tokens(f.Text, 0)
		first := ""
		if i := slices.IndexFunc(tokens, func(t scan.Token) bool { return t.Text != "(" }); i >= 0 {
			first = strings.ToUpper(tokens[i].Text)
		}
		writes := func(t scan.Token) bool {
			return t.IsWord() && slices.Contains(writingWords, strings.ToUpper(t.Text))
		}
		if !slices.Contains(readingWords, first) ||
			slices.Contains(nestingWords, first) && slices.ContainsFunc(tokens, writes) {
			return fmt.Errorf("%s is not run: the shell was started with --read-only", shortened(f.Text))
		}
	}
	return nil
}

// destructive returns the first statement of a request that drops or deletes.
func destructive(sql string) (statement string, ok bool) {
	fragments, err := sqltext.Split(sql)
	if err != nil {
		return "", false
	}
	for _, f := range fragments {
		tokens, _ := scan.Tokens(f.Text, 0)
		if len(tokens) > 0 && (tokens[0].Is("DROP") || tokens[0].Is("DELETE")) {
			return f.Text, true
		}
	}
	return "", false
}

// errDeclined says that the user did not confirm.
var errDeclined = errors.New("declined")

// confirm asks, where the settings want it, before something is dropped or deleted.
func (s *session) confirm(ctx context.Context, sql string) error {
	statement, ok := destructive(sql)
	if !ok || !s.config.file.ConfirmDestructive || s.line == nil {
		return nil
	}
	answer, err := s.line.Ask(ctx, "Run "+shortened(statement)+"? [y/N] ")
	if err == nil && slices.Contains([]string{"y", "yes"}, strings.ToLower(strings.TrimSpace(answer))) {
		return nil
	}
	s.remark("Not run.")
	return errors.Join(errDeclined, ctx.Err())
}
