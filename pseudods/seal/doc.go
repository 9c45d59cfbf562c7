// Package seal encrypts what passes from a sender's delivery service through a
// queue service to a reader, so that each sees only its own part.
//
//   - A queue's owner seals an address to its queue service ([SealAddress]).
//     Delivery services keep and show it without being able to open it.
//   - A delivery service encrypts a message once ([SealPayload]) and seals its
//     key to each recipient ([SealEntry]) under a secret it shares with it. A
//     queue service stores both without being able to open them.
//   - A queue service seals what arrives under a key of the present segment
//     ([NewSegment]), which it encapsulates to the queue's owner and keeps in
//     memory only. A copy of its store opens neither past nor future entries.
//   - A stranger encrypts an offer of connection to a contact card
//     ([SealOffer]).
//
// The functions are pure and shared by services and clients: both sides of each
// step stand beside each other here, and no role has to import another. HPKE
// (RFC 9180) is in base mode with HKDF-SHA256 and AES-256-GCM; it draws from the
// runtime's random generator, as crypto/hpke takes no other.
package seal

import "errors"

// The errors of this package.
var (
	// ErrKey: a key is not of its mechanism.
	ErrKey = errors.New("seal: malformed key")
	// ErrOpen: a ciphertext does not open with this key in this place.
	ErrOpen = errors.New("seal: does not open")
	// ErrTooLarge: a plaintext is over the limit.
	ErrTooLarge = errors.New("seal: too large")
)
