package crash

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"sync"
)

// Kind says what an [Entry] tells.
type Kind string

// The kinds of entries.
const (
	Saying Kind = "saying" // is about to send a text
	Said   Kind = "said"   // was told that the text is on its way
	Heard  Kind = "heard"  // a text has arrived
	Lost   Kind = "lost"   // was told that entries of the group are missing
	Epoch  Kind = "epoch"  // is in an epoch, whose authenticator has this sum
	Fetch  Kind = "fetch"  // a KeyPackage has arrived, with this sum
	Paid   Kind = "paid"   // a request that costs tokens was accepted
	Double Kind = "double" // one was refused since a token is spent
	Away   Kind = "away"   // is answered again, after so many milliseconds and failed requests
	Unsure Kind = "unsure" // was not told whether what it did was done
	// Reported: was told that its report of a text was taken.
	Reported Kind = "reported"
)

// Entry is one line of what a client has written down.
type Entry struct {
	Kind  Kind   `json:"kind"`
	Group string `json:"group,omitempty"`
	Text  string `json:"text,omitempty"`
	// Number is the epoch, the message's sequence number in its group, or milliseconds.
	Number uint64 `json:"number,omitempty"`
	Sum    string `json:"sum,omitempty"` // of what it is about, such as the request
	// Tokens are the sums of those that the request pays with.
	Tokens     []string `json:"tokens,omitempty"`
	LastResort bool     `json:"last_resort,omitempty"`
	Failures   int      `json:"failures,omitempty"`
}

// record is a client's file. What is in it survives the process.
type record struct {
	mu   sync.Mutex
	file *os.File
}

func openRecord(path string) (*record, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	return &record{file: f}, err
}

// put appends an entry in one write.
func (r *record) put(e Entry) error {
	b, err := json.Marshal(e)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	_, err = r.file.Write(append(b, '\n'))
	return err
}

// readRecord returns the entries of a file; none if there is no file. A last line
// that a kill has cut short is left out.
func readRecord(path string) (out []Entry, err error) {
	f, err := os.Open(path)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var bad error
	for in := bufio.NewScanner(f); in.Scan(); {
		var e Entry
		if bad != nil {
			return nil, bad
		}
		if err := json.Unmarshal(in.Bytes(), &e); err != nil {
			bad = fmt.Errorf("crash: record of a client: %w", err)
			continue
		}
		out = append(out, e)
	}
	return out, nil
}
