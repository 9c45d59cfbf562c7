// Package account is one client of one user, outside of any group: its identity,
// its queue, its KeyPackages, its contacts and its tokens. Package client builds
// groups on it.
//
// # Use
//
// [Create] an account once and [Open] it from then on. Take what arrives with
// [Account.Receive], in a loop, and [Account.Ack] what was handled. Call
// [Account.Refill] every hour or so: it fetches tokens ahead of use, replaces
// KeyPackages and addresses that are used up or run out, and finishes what was
// interrupted. Send requests of groups with [Account.Call].
//
// # Identity and contacts
//
// The user's identity is a name and an Ed25519 key. Services never see it: it is
// on the contact card, which is handed over by other means, in offers of contact,
// which are encrypted to a card, and in the identity links of leaves. A name
// belongs to the key it was first met with; another key for it is
// [ErrIdentityChanged], until the user says otherwise ([Account.Trust]).
//
// Offers are signed. Somebody who merely has a card can ask for contact, at the
// price of a token, and is kept as [ContactAsked] until the user accepts or
// blocks. Accepting hands over a contact token, with which the other takes
// KeyPackages, and a key that shows whose they are.
//
// # Crashes
//
// What the vault must know is in it before anything leaves the device that
// depends on it. An account can be killed at any moment and opened again:
//
//   - Creation goes on where it stopped.
//   - A paid request that was not answered is sent again, the same octets, until
//     it expires; services act once on it. Its answer is then nobody's: ask again.
//   - Entries of the queue come again until they are acknowledged.
//   - A KeyPackage is deleted when the Welcome that used it is acknowledged.
//   - Offers, KeyPackages and revocations that were under way are sent by the
//     next Refill. Repeating them changes nothing at their receivers.
//
// # What others can do
//
// Whoever has the vault's directory without its key sees what package vault says,
// and what package wallet says of each provider's wallet. With the key it is the
// user.
//
// The account's provider can withhold, delay or forget what it keeps; that
// entries are missing shows ([Incoming].Lost). It sees when the client reads, and
// from which network address. A queue service that is also the delivery service
// of a group sees both connections: with the default HTTP client they are apart,
// so that at least no connection carries requests of two roles.
//
// Every answer is bounded in size, as is what is kept of strangers.
package account
