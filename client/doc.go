// Package client is the SDK: one client of a user who meets others under
// pseudonyms, forms groups with them and talks, through services that learn
// neither who they are nor which queues are theirs.
//
// # Use
//
// [Create] or [Open] a [Client] over a directory of sealed files. Hand out its
// contact card, or ask for contact with somebody's; [Client.CreateGroup], and
// [Group.Invite] contacts. [Group.Send] encrypts and sends. Call [Client.Sync] in
// a loop: it waits for what arrives, moves all groups along, does what the client
// owes to others (commits proposals that wait, hands keys to those who came back)
// and returns [Event] values for the application. Call [Client.Maintain] now and
// then, best at times that have nothing to do with use.
//
// # Who is who
//
// In every group the client appears under pseudonyms that are random for that
// group. Members see who is behind a pseudonym by the identity link in its leaf,
// whose key stands in the group's roster, see package identity. [Group.Members]
// tells names only if the link opens, is signed by the real key over that very
// leaf, and the verifier accepts that key; others are shown as unverified.
//
// # Several clients of a user
//
// [Client.LinkCode] makes a code by which [Link] makes one more client of the same
// user. Whoever sees it is the user: it holds the identity. Every client has a queue,
// KeyPackages and a card of its own. In a group all have one user pseudonym, and
// each a client pseudonym of its own; members see one user, by [Member.User].
//
// The clients talk through offers to each other's cards, whose content services do not
// see, at the price of a request for contact; [Client.Sync] does that. Each tells the
// others of the contacts that the user accepted or blocked, and of its groups: one that
// is not in hands over a KeyPackage, and a member adds it. Contacts add the client that
// they know the card of, and that one adds the others. [Client.RemoveDevice] removes
// a client from all groups. It keeps the identity, which cannot be taken back.
//
// # Reports
//
// What members say can be proved to the group's service: a message whose sender could
// deny it is not shown, see [EventDropped]. The last messages of others are kept for
// [Group.Report], also when the sender has left or the client was restarted.
//
// # What is durable when
//
// The state of a group is written before anything leaves the device that depends
// on it, and entries of the queue are acknowledged after what they say is
// written. Events are kept until the application has taken the next ones, so
// that a crash repeats events and loses none; [Event.Group] and [Event.Sequence]
// tell repetitions apart. A text that [Group.Send] took is sent until the service
// has answered; members drop what comes twice.
//
// # A commit that loses
//
// Of commits that race the service accepts one for each epoch. The others are
// dropped, the client takes up the winner's and makes its own again. A commit
// whose answer was lost stays pending until the client knows what became of it:
// from the queue, which brings every member its own commit too, or from the
// service.
//
// # Falling behind
//
// A client whose queue overflowed or expired cannot follow the group any more. It
// gets [EventLost] and may [Group.Rejoin]: that restores membership, never the
// messages that were lost. If somebody was removed meanwhile its group state key
// opens nothing, and it asks for access first, which any member's client grants
// when it is next online.
//
// # Limits
//
// A Client is safe for concurrent use, but does one thing at a time. Whoever has
// the files and the key is the user. Without the key the files show how many
// groups there are and how large their states are, to a size class.
package client
