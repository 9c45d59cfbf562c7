package mls

import (
	"fmt"

	"github.com/pseudods/pseudods/internal/tlscodec"
)

// ComponentID names a component of an application (draft-ietf-mls-extensions-08,
// Section 4.1; 2 octets since revision 07).
type ComponentID uint16

const (
	ComponentAppComponents     ComponentID = 0x0001
	ComponentSafeAAD           ComponentID = 0x0002
	ComponentContentMediaTypes ComponentID = 0x0003
	ComponentLastResort        ComponentID = 0x0004
	ComponentAppAck            ComponentID = 0x0005
)

// ComponentData is what one component keeps in an [AppDataDictionary], or
// sends in a [SafeAAD], or attaches to a commit as an AppEphemeral proposal.
type ComponentData struct {
	ID   ComponentID
	Data []byte
}

// MarshalTLS encodes d.
func (d *ComponentData) MarshalTLS(w *tlscodec.Writer) {
	w.Uint16(uint16(d.ID))
	w.Opaque(d.Data)
}

// UnmarshalTLS decodes d.
func (d *ComponentData) UnmarshalTLS(r *tlscodec.Reader) {
	d.ID = ComponentID(r.Uint16())
	d.Data = r.Opaque()
}

// AppDataDictionary is the content of the app_data_dictionary extension:
// entries in ascending order of component, at most one for each. An encoding
// that is not so sorted is refused.
type AppDataDictionary []ComponentData

// MarshalTLS encodes d.
func (d *AppDataDictionary) MarshalTLS(w *tlscodec.Writer) {
	if !sortedComponents(*d) {
		w.Fail(tlscodec.ErrEncode)
	}
	writeVector(w, *d)
}

// UnmarshalTLS decodes d.
func (d *AppDataDictionary) UnmarshalTLS(r *tlscodec.Reader) {
	*d = readVector[ComponentData](r)
	if r.Err() == nil && !sortedComponents(*d) {
		r.Fail(fmt.Errorf("%w: components not in ascending order", tlscodec.ErrValue))
	}
}

func sortedComponents(d []ComponentData) bool {
	for i := 1; i < len(d); i++ {
		if d[i-1].ID >= d[i].ID {
			return false
		}
	}
	return true
}

// Find returns the data of component id.
func (d AppDataDictionary) Find(id ComponentID) (data []byte, ok bool) {
	for _, c := range d {
		if c.ID == id {
			return c.Data, true
		}
	}
	return nil, false
}

// SafeAAD is the framing by which several components share the authenticated
// data of a message (draft-ietf-mls-extensions-08). It stands at
// the front, before data that is not framed.
type SafeAAD []ComponentData

// MarshalTLS encodes s.
func (s *SafeAAD) MarshalTLS(w *tlscodec.Writer) { (*AppDataDictionary)(s).MarshalTLS(w) }

// UnmarshalTLS decodes s.
func (s *SafeAAD) UnmarshalTLS(r *tlscodec.Reader) { (*AppDataDictionary)(s).UnmarshalTLS(r) }

// SplitSafeAAD reads the SafeAAD at the front of authenticated data and returns
// what follows it. Both alias the input. Errors wrap [ErrMalformed].
func SplitSafeAAD(authenticatedData []byte) (safe SafeAAD, rest []byte, err error) {
	r := tlscodec.NewReader(authenticatedData, Limits{})
	safe.UnmarshalTLS(r)
	rest = r.Rest()
	if err := r.Finish(); err != nil {
		return nil, nil, fmt.Errorf("mls: SafeAAD: %w", err)
	}
	return safe, rest, nil
}

// AppDataUpdateOperation says what an [AppDataUpdate] does.
type AppDataUpdateOperation uint8

const (
	AppDataUpdateSet    AppDataUpdateOperation = 1
	AppDataUpdateRemove AppDataUpdateOperation = 2
)

// AppDataUpdate is the proposal that changes one component's entry in the
// GroupContext's app_data_dictionary (draft-ietf-mls-extensions-08).
type AppDataUpdate struct {
	ID        ComponentID
	Operation AppDataUpdateOperation
	Update    []byte // for AppDataUpdateSet
}

// MarshalTLS encodes u.
func (u *AppDataUpdate) MarshalTLS(w *tlscodec.Writer) {
	w.Uint16(uint16(u.ID))
	w.Uint8(uint8(u.Operation))
	if u.Operation == AppDataUpdateSet {
		w.Opaque(u.Update)
	}
}

// UnmarshalTLS decodes u.
func (u *AppDataUpdate) UnmarshalTLS(r *tlscodec.Reader) {
	*u = AppDataUpdate{ID: ComponentID(r.Uint16()), Operation: AppDataUpdateOperation(r.Uint8())}
	switch u.Operation {
	case AppDataUpdateSet:
		u.Update = r.Opaque()
	case AppDataUpdateRemove:
	default:
		r.Fail(tlscodec.ErrValue)
	}
}
