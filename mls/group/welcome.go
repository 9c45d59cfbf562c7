package group

import (
	"errors"
	"runtime"
	"sync"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
	"github.com/pseudods/pseudods/mls/tree"
)

// sealWelcome makes one Welcome for all that a commit added (RFC 9420, Section
// 12.4.3.1). own is the commit's path, nil without one.
func sealWelcome(a *epoch.Applied, own *tree.OwnPath, secrets *scheduled, info *mls.GroupInfo) (*mls.Welcome, error) {
	s := a.Edit.Suite()
	sealed, err := mls.SealGroupInfo(s, s.WelcomeSecret(secrets.joiner, secrets.pskSecret), info)
	if err != nil {
		return nil, err
	}
	w := &mls.Welcome{CipherSuite: s.ID(), Secrets: make([]mls.EncryptedGroupSecrets, len(a.Added)), EncryptedGroupInfo: sealed}
	return w, parallel(len(a.Added), func(i int) (err error) {
		out, p := &w.Secrets[i], a.KeyPackages[i]
		if out.NewMember, err = p.Ref(s); err != nil {
			return err
		}
		gs := mls.GroupSecrets{JoinerSecret: secrets.joiner.Bytes, PSKs: a.PSKs}
		if own != nil {
			if gs.PathSecret, err = own.PathSecret(a.Added[i].Leaf); err != nil {
				return err
			}
		}
		out.EncryptedGroupSecrets, err = gs.Seal(s, p.InitKey, sealed)
		return err
	})
}

// parallel calls f for 0 to n-1, on all processors if n is worth it.
func parallel(n int, f func(int) error) error {
	workers := min(runtime.GOMAXPROCS(0), n/2+1)
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < n && errs[w] == nil; i += workers {
				errs[w] = f(i)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
