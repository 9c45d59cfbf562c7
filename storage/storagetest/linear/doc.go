// Package linear judges recorded histories of concurrent calls: whether one order
// of the calls, in which none precedes a call that had ended before it began,
// explains all answers. It searches with porcupine.
//
// # Use
//
// Say what one partition does in a [Model], let clients make their calls through
// a [History], and give both to [Check]. Stores are linearizable within a
// partition and promise nothing between partitions, so each is judged alone.
//
// # Open calls
//
// A call that failed with an error that leaves its outcome open is left open: it
// may take effect at any moment after it began, also long after its error, or
// never. That is weaker than what one engine promises and right for all: a server
// goes on with a statement whose client has lost the connection. Every open call
// of a partition widens the search, so runs are short, and many.
//
// [Doubt] makes calls fail on their way to a store that does not, or back.
//
// # Limits
//
// The search may take exponential time. It is given a time to end. A history that
// nobody can judge by then, [ErrUndecided], is no evidence: [EachStep] has another
// played in its place, and fails if that goes on.
package linear
