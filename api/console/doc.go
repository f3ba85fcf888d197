// Package console serves the console of a server, a page for browsers: SQL, tables, live queries, jobs, users and
// figures. The page is plain HTML, CSS and ES modules in the folder page, which go into the binary as they are; there
// is no build step and nothing is fetched from elsewhere.
//
// The page has no rights of its own: it logs in like any client and calls the same endpoints. Anybody who can reach
// the server can load it, and learns nothing by that. Its access token lives in a variable of the page; after a reload
// the page gets a new one by the HttpOnly cookie that the login has set, so no token is where scripts could find it.
//
// Every value is put into the page as text. The Content-Security-Policy enforces it: without unsafe parts and with
// Trusted Types that allow nothing, a browser that knows them refuses to turn any text into markup.
package console
