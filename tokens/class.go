package tokens

// Class is a kind of token: what it may be spent on, and the unit in which
// attesters ration. Each class has keys of its own, because an issuer sees
// nothing of a token but the key that it signs with: a class that only the
// challenge told apart could be chosen by the client after its ration was
// checked.
type Class string

// The classes that the default price list uses. Operators may name others.
const (
	Send    Class = "send"    // messages and proposals in a group
	Create  Class = "create"  // new groups
	Connect Class = "connect" // first contact: another user's KeyPackages
	Publish Class = "publish" // own KeyPackages
	Queue   Class = "queue"   // new queues and addresses
	Report  Class = "report"  // reports of abuse
)

// validName reports whether s is 1 to 32 octets of lower-case letters, digits
// and inner hyphens: the form of class and operation names.
func validName(s string) bool {
	if len(s) == 0 || len(s) > 32 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if c != '-' && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}
