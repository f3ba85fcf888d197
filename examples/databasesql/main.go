// Command databasesql uses kalam by database/sql: tables, parameters, a transaction, rows, and an error that says what
// was probably meant. It needs a server; KALAM_URL and KALAM_ROOT_PASSWORD say which.
package main

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"net/url"
	"os"

	"github.com/kalamlake/kalam/link"
	_ "github.com/kalamlake/kalam/link/sqldriver" // Registers "kalam".
)

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	dsn, err := url.Parse(cmp.Or(os.Getenv("KALAM_URL"), "http://127.0.0.1:8080"))
	if err != nil {
		return err
	}
	dsn.User = url.UserPassword("root", os.Getenv("KALAM_ROOT_PASSWORD"))
	dsn.RawQuery = "namespace=shop"
	db, err := sql.Open("kalam", dsn.String())
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // Every statement has been answered.
	for _, statement := range []string{
		"CREATE NAMESPACE IF NOT EXISTS shop",
		"CREATE USER TABLE IF NOT EXISTS shop.accounts (name TEXT PRIMARY KEY, amount BIGINT NOT NULL)",
		"DELETE FROM accounts WHERE true",
		"INSERT INTO accounts VALUES ('alice', 100), ('bob', 0)",
	} {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	if err := transfer(ctx, db, "alice", "bob", 30); err != nil {
		return err
	}
	if err := show(ctx, db); err != nil {
		return err
	}
	var e *link.Error
	if _, err := db.QueryContext(ctx, "SELECT * FROM shop.acounts"); errors.As(err, &e) && len(e.Suggestions) > 0 {
		fmt.Printf("no such table: did you mean %s?\n", e.Suggestions[0])
	}
	return nil
}

// transfer moves an amount: both rows change, or none.
func transfer(ctx context.Context, db *sql.DB, from, to string, amount int) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // After Commit there is nothing to roll back.
	const add = "UPDATE accounts SET amount = amount + $1 WHERE name = $2"
	if _, err := tx.ExecContext(ctx, add, -amount, from); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, add, amount, to); err != nil {
		return err
	}
	return tx.Commit() // Here both are sent.
}

func show(ctx context.Context, db *sql.DB) error {
	rows, err := db.QueryContext(ctx, "SELECT name, amount FROM accounts ORDER BY amount")
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // rows.Err tells.
	for rows.Next() {
		var name string
		var amount int
		if err := rows.Scan(&name, &amount); err != nil {
			return err
		}
		fmt.Println(name, "has", amount)
	}
	return rows.Err()
}
