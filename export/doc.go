// Package export gives users a copy of their data: a zip file with one plain file for each table of
// theirs, made by a job, kept for a time, and handed out to whom it belongs to.
//
// # Basics
//
// Exporter.Start submits the job of a user; its record is all that is known of the export, so that
// nothing else has to be kept. The job reads every USER and STREAM table at one read point, as the
// user would, and writes {dir}/{user}/{job}.zip: staged, synced, renamed. Find tells where the file
// of an export is, if it is there, has not expired, and belongs to the user that is asked for.
// A second kind of job deletes expired files, and those that nothing names.
//
// # Guarantees
//
//   - An export holds rows of its user and of nobody else, expired rows of STREAM tables left out.
//   - It is never seen in part; a job that a crash interrupts begins again.
//   - Few run at a time, in the background of everything else, each bounded in bytes; a user keeps few.
package export
