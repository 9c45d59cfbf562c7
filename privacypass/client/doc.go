// Package client obtains Privacy Pass tokens: it turns a challenge into a
// request, and the issuer's answer into tokens.
//
// The stages are types. A [Want] names a key and a challenge; [Single],
// [Amortized] and [Generic] make a [Pending] request of it; [Pending.Finalize]
// takes the answer and gives tokens, each checked. Send [Pending.Request] with
// the media type of its kind, over whatever carries it: nothing here opens a
// connection.
//
// A client that may crash must keep [Pending.Export] before it sends. The issuer
// may have counted the tokens as handed out, and only the restored state can
// open its answer; the restored request is the same, octet for octet.
//
// What a client must decide for itself: which issuers and keys to trust (an
// issuer that shows each client another key links all of its tokens), and not to
// ask for tokens at a moment or in a number that singles it out.
package client
