package privacypass

// Kind tells the three issuance exchanges apart.
type Kind uint8

// The issuance exchanges.
const (
	// Single issues one token (RFC 9578).
	Single Kind = iota + 1
	// Amortized issues several tokens of one key under one proof.
	Amortized
	// Generic issues several tokens of any keys, each with its own proof.
	Generic
)

// The media types of requests, responses and the issuer's directory.
const (
	MediaTypeRequest           = "application/private-token-request"
	MediaTypeResponse          = "application/private-token-response"
	MediaTypeAmortizedRequest  = "application/private-token-amortized-batch-request"
	MediaTypeAmortizedResponse = "application/private-token-amortized-batch-response"
	MediaTypeGenericRequest    = "application/private-token-generic-batch-request"
	MediaTypeGenericResponse   = "application/private-token-generic-batch-response"
	MediaTypeDirectory         = "application/private-token-issuer-directory"
)

// DirectoryPath is where an issuer serves its [Directory].
const DirectoryPath = "/.well-known/private-token-issuer-directory"

var mediaTypes = [...][2]string{
	Single:    {MediaTypeRequest, MediaTypeResponse},
	Amortized: {MediaTypeAmortizedRequest, MediaTypeAmortizedResponse},
	Generic:   {MediaTypeGenericRequest, MediaTypeGenericResponse},
}

// KindOf returns the exchange that a request's media type asks for. The type
// comes without parameters and in lower case, as mime.ParseMediaType gives it.
// Any other type is [ErrMediaType]: answer 415.
func KindOf(mediaType string) (Kind, error) {
	for k := Single; k <= Generic; k++ {
		if mediaTypes[k][0] == mediaType {
			return k, nil
		}
	}
	return 0, ErrMediaType
}

// RequestMediaType returns the media type of k's requests.
func (k Kind) RequestMediaType() string { return mediaTypes[k][0] }

// ResponseMediaType returns the media type of k's responses.
func (k Kind) ResponseMediaType() string { return mediaTypes[k][1] }

// String returns "single", "amortized" or "generic", and "invalid" for no kind.
func (k Kind) String() string {
	switch k {
	case Single:
		return "single"
	case Amortized:
		return "amortized"
	case Generic:
		return "generic"
	}
	return "invalid"
}
