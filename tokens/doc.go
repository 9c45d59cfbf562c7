// Package tokens says what a Privacy Pass token buys here and sees to it that it
// buys it once.
//
// # Use
//
// The operator's [PriceList] names the token classes, who issues them, and what
// each operation costs. A [Till] holds the list, this service's [Origin]
// and the issuers' live keys. A request passes three stages, each with a type
// that only the one before it can make:
//
//  1. [Till.Verify] checks the tokens offered for an operation against the
//     expected challenge and the live keys, and gives a [Payment]. It touches no
//     store, so forged tokens cost no disk.
//  2. [Payment.Spend] enters every token in the [Ledger], durably and bound to
//     the digest of the request.
//  3. On [Fresh] or [Resume] the caller acts, idempotently under the digest.
//
// A crash between 2 and 3 loses no token: the client sends the identical request
// again, is told Resume, and gets its action. Any other request that shows the
// token is a double spend. The ledger keeps no result of the action: the store
// that the action changes must recognise the digest anyway, because ledger and
// action never share a transaction.
//
// # Several tokens
//
// A price of n tokens is n single inserts under one digest, in ascending order
// of key and nonce, so that of two requests that share tokens one gets them all.
// The request is Fresh if its last insert was. A crash between inserts leaves
// tokens that only the same digest can use, and the same request does.
//
// # Epochs
//
// The ledger is partitioned by key epoch, the life of one token key. An epoch is
// opened before its key is accepted, closed for good when the key retires, and
// its partition dropped whole. A ledger that finds itself restored from an older
// copy fences every epoch it had open: it cannot know what was spent since.
//
// # Limits
//
// The package is pure: no clock, disk or network of its own. It limits whoever
// holds tokens; how many somebody gets is the attester's business.
package tokens
