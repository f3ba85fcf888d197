package wire

// Kinds of frames from the server.
const (
	Open      = 'O' // Options; answered by Ready.
	Translate = 'P' // A Translation and a text; answered by Answer, texts.
	Describe  = 'T' // A text; answered by Answer, a description.
	Run       = 'Q' // A statement; answered by Rows and End.
	Explain   = 'E' // Whether it runs, and a statement; answered by Answer, one text.
	Copy      = 'C' // A copy; answered by Answer, a number.
	Load      = 'L' // A batch, in the frame or in its file, for later calls. Not answered.
	Lend      = 'F' // Open files of the next call's paths, in their order. Not answered.
	Drop      = 'D' // Ids of batches that no later call names. Not answered.
	Feed      = 'B' // A place and a size: the next batch of a copy, in the page of the place. A new page comes as file.
	FeedEnd   = 'Z' // There are no more, or they failed.
	Cancel    = 'X' // The call is to end.
	IDs       = 'I' // Answers WantIDs.
)

// Kinds of frames from a worker.
const (
	Ready   = 'r' // What holds for the process.
	Answer  = 'a' // Ends a call.
	Rows    = 's' // A piece of an Arrow stream.
	End     = 'e' // A Report, and the last piece of the stream. Ends a call.
	Failure = '!' // An error. Ends a call.
	WantIDs = 'i' // A number of ids that a statement needs.
	Fed     = 'b' // A place whose page is free again.
)

// Translation is what a parser does with a text.
type Translation byte

// Translations.
const (
	Parse   Translation = iota // SQL to tree.
	Write                      // Tree to SQL.
	Rewrite                    // Tree to SQL, and that to a tree.
)

// FeedAhead is how many batches of a feed are under way at a time, each in the page of its place.
const FeedAhead = 8
