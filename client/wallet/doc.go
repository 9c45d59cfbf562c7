// Package wallet keeps a client's Privacy Pass tokens: it fetches them in batches
// ahead of use, keeps them encrypted in one file, and hands each out once.
//
// # Use
//
// [Open] the file, tell the wallet with [Wallet.Use] where the tokens of each
// class come from, and call [Wallet.Refill] now and then. To pay for a request
// call [Wallet.Spend] with a function that composes it around the tokens. Send
// what [Spending.Request] returns, again and again until there is an answer, and
// then call [Spending.Done].
//
// # Crashes
//
// The file is replaced as a whole and synced before anything leaves the device
// that depends on it:
//
//   - A fetch is saved before it is sent. After a crash the same octets are
//     sent again, and an issuer that answers repetition with its first reply
//     gives the same tokens, charged once.
//   - A request is saved with its tokens before Spend returns it. After a
//     crash [Wallet.Outstanding] has it: sent again unchanged, it resumes at a
//     service that binds tokens to the digest of the request. The tokens are
//     in no other request, ever.
//
// A save that fails leaves the wallet as it was. Only on disk can the newer
// state remain; at worst a request is outstanding that was never sent.
//
// # Privacy
//
// Fetching at the moment of spending, or as many tokens as are needed, tells the
// issuer when and how much a client spends. Batches are therefore of one size,
// and Refill is best called at times that have nothing to do with use. A token
// that was shown is never shown in another request, also if the service refused
// the first: it would link the two.
//
// # Limits
//
// Whoever controls the file can at most: delete tokens, or put an older file in
// place, whose tokens the service then refuses as spent. Without the key it shows
// nothing but its size in steps of 4 KiB. Do not synchronise the file between
// devices: each needs a wallet of its own.
package wallet
