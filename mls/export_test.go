package mls

import "github.com/pseudods/pseudods/internal/secret"

// SenderDataKeyNonce lets the vectors check a value that no message shows.
func SenderDataKeyNonce(s *Suite, senderData secret.Bytes, ciphertext []byte) (key, nonce []byte) {
	return s.senderDataKeyNonce(senderData, ciphertext)
}
