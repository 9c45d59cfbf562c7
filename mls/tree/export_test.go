package tree

import "github.com/pseudods/pseudods/mls"

// Held returns the private keys by node.
func (p *Private) Held() map[mls.NodeIndex]mls.HPKEPrivateKey { return p.keys }
