package client

import (
	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/client/identity"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// noteKind says what clients of one user tell each other about a group.
type noteKind uint8

const (
	// noteMember: the sender is a member, and gives what makes the receiver one of
	// the same user.
	noteMember noteKind = 1
	// notePackage answers it, from who is no member.
	notePackage noteKind = 2
)

// userAuthSize is the size of the private key of a user in a group, in octets.
const userAuthSize = 32

// note is the body of an [account.Note].
type note struct {
	kind  noteKind
	group wire.GroupID

	// These are of a noteMember. asked tells that the user wants the receiver in,
	// though it may have left. client is the sender's pseudonym.
	asked        bool
	label        string
	client, user wire.Pseudonym
	userAuth     secret.Bytes
	persona      *account.Persona // of the user alone, as decoded

	// These are of a notePackage.
	keyPackage []byte
	link       secret.Bytes
}

// MarshalTLS encodes n.
func (n *note) MarshalTLS(w *tlscodec.Writer) {
	w.Uint8(uint8(n.kind))
	w.Raw(n.group[:])
	switch n.kind {
	case noteMember:
		w.Bool(n.asked)
		w.Opaque([]byte(n.label))
		w.Raw(n.client[:])
		w.Raw(n.user[:])
		w.Opaque(n.userAuth.Reveal())
	case notePackage:
		w.Opaque(n.keyPackage)
		w.Opaque(n.link.Reveal())
	default:
		w.Fail(tlscodec.ErrEncode)
	}
}

// UnmarshalTLS decodes n.
func (n *note) UnmarshalTLS(r *tlscodec.Reader) {
	*n = note{kind: noteKind(r.Uint8())}
	copy(n.group[:], r.Fixed(len(n.group)))
	switch n.kind {
	case noteMember:
		n.asked, n.label = r.Bool(), string(r.Opaque())
		copy(n.client[:], r.Fixed(len(n.client)))
		copy(n.user[:], r.Fixed(len(n.user)))
		n.userAuth = readKey(r, userAuthSize)
		n.readPersona(r)
	case notePackage:
		n.keyPackage = r.Opaque()
		n.link = readKey(r, identity.LinkKeySize)
	default:
		r.Fail(tlscodec.ErrValue)
	}
}

// readPersona makes what [account.Account.NewPersona] takes of a noteMember.
func (n *note) readPersona(r *tlscodec.Reader) {
	suite, err := mls.X25519AES128GCM.Suite()
	if err != nil || r.Err() != nil {
		return
	}
	n.persona = new(account.Persona)
	n.persona.Pseudonym.Credential.User = n.user
	if n.persona.UserAuth, err = suite.ParseSignatureKey(n.userAuth); err != nil {
		r.Fail(tlscodec.ErrValue)
	}
}
