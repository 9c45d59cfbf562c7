package publicgroup

import (
	"fmt"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
)

// openWelcome reads a commit's Welcome and checks what needs no KeyPackage:
// whether it should be there, its suite, and that it names nobody twice.
func (g *Group) openWelcome(data []byte, list []*epoch.Proposal) (*mls.Welcome, error) {
	adds := 0
	for _, p := range list {
		if p.Type == mls.ProposalTypeAdd {
			adds++
		}
	}
	switch {
	case len(data) > 0 && adds == 0:
		return nil, ErrWelcomeUnwanted
	case len(data) == 0 && (adds == 0 || g.cfg.WelcomeOptional):
		return nil, nil
	case len(data) == 0:
		return nil, ErrWelcomeMissing
	}
	m, err := decode(data, mls.WireFormatWelcome)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrWelcome, err)
	}
	if m.Welcome.CipherSuite != g.suite.ID() {
		return nil, ErrWelcomeSuite
	}
	seen := make(map[string]struct{}, len(m.Welcome.Secrets))
	for i := range m.Welcome.Secrets {
		ref := string(m.Welcome.Secrets[i].NewMember)
		if _, twice := seen[ref]; twice {
			return nil, ErrWelcomeRepeats
		}
		seen[ref] = struct{}{}
	}
	return m.Welcome, nil
}

// checkWelcome verifies that w, which repeats no name, names exactly the
// KeyPackages that were added (RFC 9420, Section 12.4.3.1).
func checkWelcome(w *mls.Welcome, added []mls.KeyPackageRef) error {
	if w == nil {
		return nil
	}
	want := make(map[string]struct{}, len(added))
	for _, ref := range added {
		want[string(ref)] = struct{}{}
	}
	for i := range w.Secrets {
		if _, ok := want[string(w.Secrets[i].NewMember)]; !ok {
			return ErrWelcomeExtra
		}
	}
	if len(w.Secrets) < len(want) {
		return ErrWelcomeOmits
	}
	return nil
}

func keyPackageRefs(s *mls.Suite, kps []*mls.KeyPackage) ([]mls.KeyPackageRef, error) {
	refs := make([]mls.KeyPackageRef, len(kps))
	for i, kp := range kps {
		ref, err := kp.Ref(s)
		if err != nil {
			return nil, err
		}
		refs[i] = ref
	}
	return refs, nil
}
