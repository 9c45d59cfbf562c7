package mls_test

import (
	"bytes"
	"fmt"
	"runtime"
	"testing"

	"github.com/pseudods/pseudods/mls"
)

// commitMessage makes up an update commit: a path of the given number of nodes,
// of which the last is encrypted to many.
func commitMessage(t testing.TB, nodes, many int) []byte {
	c := &mls.Commit{Path: &mls.UpdatePath{LeafNode: mls.LeafNode{
		EncryptionKey: make([]byte, 32), SignatureKey: make([]byte, 32), Credential: mls.BasicCredential(make([]byte, 16)),
		Capabilities: mls.Capabilities{Versions: []mls.ProtocolVersion{mls.MLS10}, CipherSuites: []mls.CipherSuite{mls.X25519AES128GCM},
			Credentials: []mls.CredentialType{mls.CredentialTypeBasic}},
		Source: mls.LeafNodeSourceCommit, ParentHash: make([]byte, 32), Signature: make([]byte, 64)}}}
	for i := range nodes {
		n := mls.UpdatePathNode{EncryptionKey: make([]byte, 32)}
		for range 1 + (i+1)/nodes*(many-1) {
			n.EncryptedPathSecret = append(n.EncryptedPathSecret, mls.HPKECiphertext{KEMOutput: make([]byte, 32), Ciphertext: make([]byte, 48)})
		}
		c.Path.Nodes = append(c.Path.Nodes, n)
	}
	b, err := mls.Marshal(&mls.Message{WireFormat: mls.WireFormatPublicMessage, PublicMessage: &mls.PublicMessage{
		Content: mls.FramedContent{GroupID: make([]byte, 16), Sender: mls.Sender{Type: mls.SenderTypeMember},
			ContentType: mls.ContentTypeCommit, Commit: c},
		Signature: make([]byte, 64), ConfirmationTag: make([]byte, 32), MembershipTag: make([]byte, 32)}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func parseAndEncode(t testing.TB, data []byte) {
	m := new(mls.Message)
	if err := mls.Unmarshal(data, m); err != nil {
		t.Fatal(err)
	}
	out, err := mls.Marshal(m)
	if err != nil || !bytes.Equal(out, data) {
		t.Fatalf("commit changes on a round trip: %v", err)
	}
}

// BenchmarkParseCommit parses and encodes again a commit in a full tree of
// 10,000 members, and one by the creator of a tree to which they were added and
// in which nobody else has committed.
func BenchmarkParseCommit(b *testing.B) {
	for _, c := range []struct {
		name        string
		nodes, many int
	}{{"full", 14, 1}, {"bare", 14, 10_000}} {
		b.Run(c.name, func(b *testing.B) {
			data := commitMessage(b, c.nodes, c.many)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for b.Loop() {
				parseAndEncode(b, data)
			}
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/float64(b.N)/float64(len(data)), "allocated/size")
		})
	}
}

// TestParsingAllocatesLittle: parsing and encoding a commit allocates no more
// than twice its size, and a few thousand octets for its structures.
func TestParsingAllocatesLittle(t *testing.T) {
	for _, many := range []int{1, 100, 10_000} {
		t.Run(fmt.Sprint(many), func(t *testing.T) {
			data := commitMessage(t, 14, many)
			r := testing.Benchmark(func(b *testing.B) {
				for b.Loop() {
					parseAndEncode(b, data)
				}
			})
			t.Logf("%d octets: %d allocated", len(data), r.AllocedBytesPerOp())
			if got, most := r.AllocedBytesPerOp(), int64(len(data)*21/10+8<<10); got > most {
				t.Errorf("%d octets allocated for a commit of %d, want at most %d", got, len(data), most)
			}
		})
	}
}
