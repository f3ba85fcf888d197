// Command kalamd is the kalam server.
//
//	kalamd serve [--config FILE] [--data DIR] [--listen HOST:PORT]
//	kalamd verify [--config FILE] [--data DIR]
//	kalamd repair --adopt [--dry-run] [--without-damaged] [--config FILE] [--data DIR]
//	kalamd config print [--defaults] [--config FILE]
//	kalamd config check [--config FILE]
//	kalamd --version
//
// `kalamd repair --adopt` rebuilds a write buffer that is lost from the files in the
// storage; docs/reference/recovery.md says what comes back.
//
// The configuration comes from a TOML file (--config, KALAM_CONFIG or
// ./config.toml), over which the environment (KALAM_SECTION_KEY) wins, over which
// the flags win; docs/reference/configuration.md lists the keys. When the server
// answers it prints one line on standard output, "kalamd ready on http://HOST:PORT";
// the log goes to standard error or to log.file. SIGINT and SIGTERM stop it in
// order with status 0, a second signal, later than 0.5 s, ends it at once. SIGHUP reads the configuration again.
package main
