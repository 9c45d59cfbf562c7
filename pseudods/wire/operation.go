package wire

import "maps"

// Operation says what a [Request] asks for. Numbers below 0x0100 are the
// delivery service's, those below 0x0200 the queue service's.
type Operation uint16

// Operations of the delivery service.
const (
	OpRequestGroupID      Operation = 0x0001
	OpCreateGroup         Operation = 0x0002
	OpDeleteGroup         Operation = 0x0003
	OpAddUsers            Operation = 0x0004
	OpRemoveUsers         Operation = 0x0005
	OpAddClients          Operation = 0x0006
	OpRemoveClients       Operation = 0x0007
	OpUpdate              Operation = 0x0008
	OpSelfRemove          Operation = 0x0009
	OpRejoin              Operation = 0x000A
	OpExternalJoin        Operation = 0x000B
	OpReInit              Operation = 0x000C
	OpPropose             Operation = 0x000D
	OpSendMessage         Operation = 0x000E
	OpTargetedMessage     Operation = 0x000F
	OpUpdateQueueAddress  Operation = 0x0010
	OpWelcomeInfo         Operation = 0x0011
	OpExternalCommitInfo  Operation = 0x0012
	OpVerificationKey     Operation = 0x0013
	OpReportAbuse         Operation = 0x0014
	OpAccessRequest       Operation = 0x0015
	OpCommitOutcome       Operation = 0x0016
	OpChangePolicy        Operation = 0x0017
	firstQueueOperation   Operation = 0x0100
	OpCreateQueue         Operation = 0x0100
	OpDeleteQueue         Operation = 0x0101
	OpReadQueue           Operation = 0x0102
	OpAckQueue            Operation = 0x0103
	OpRevokeAddress       Operation = 0x0104
	OpConfigureQueue      Operation = 0x0105
	OpDeliver             Operation = 0x0106
	OpPublishKeyPackages  Operation = 0x0107
	OpConnectionPackages  Operation = 0x0108
	OpGroupPackages       Operation = 0x0109
	OpConnectionRequest   Operation = 0x010A
	OpAddressKeys         Operation = 0x010B
	OpFetchPayloads       Operation = 0x010D
	OpAllowContact        Operation = 0x010E
	OpDeletePool          Operation = 0x010F
	firstUnknownOperation Operation = 0x0110
)

// IsQueue reports whether o is for a queue service.
func (o Operation) IsQueue() bool { return o >= firstQueueOperation && o < firstUnknownOperation }

// IsGroup reports whether o is for a delivery service.
func (o Operation) IsGroup() bool { return o >= OpRequestGroupID && o <= OpChangePolicy }

// priceNames are the names of operations in price lists.
var priceNames = map[Operation]string{
	OpCreateGroup:        "create-group",
	OpDeleteGroup:        "delete-group",
	OpAddUsers:           "add-users",
	OpRemoveUsers:        "remove-users",
	OpAddClients:         "add-clients",
	OpRemoveClients:      "remove-clients",
	OpUpdate:             "update",
	OpSelfRemove:         "self-remove",
	OpReInit:             "reinit",
	OpRejoin:             "rejoin",
	OpExternalJoin:       "external-join",
	OpPropose:            "propose",
	OpSendMessage:        "send-message",
	OpTargetedMessage:    "targeted-message",
	OpUpdateQueueAddress: "update-queue-address",
	OpExternalCommitInfo: "external-commit-info",
	OpAccessRequest:      "access-request",
	OpChangePolicy:       "change-policy",
	OpReportAbuse:        "report-abuse",
	OpCreateQueue:        "create-queue",
	OpPublishKeyPackages: "publish-key-packages",
	OpConnectionPackages: "connection-key-package",
	OpGroupPackages:      "group-key-package",
	OpConnectionRequest:  "connection-request",
}

// PriceBurst is the name in a price list of what exempts one request to a
// delivery service from the limits on how many there may be, where its operation
// costs nothing by itself. Clients pay it when they were told to wait.
const PriceBurst = "burst"

// PriceName returns the operation's name in a price list, or "" for one that
// never costs tokens.
func (o Operation) PriceName() string { return priceNames[o] }

// PriceNames returns the names of the operations of one role, such as
// [Operation.IsQueue].
func PriceNames(ofRole func(Operation) bool) map[Operation]string {
	names := maps.Clone(priceNames)
	maps.DeleteFunc(names, func(o Operation, _ string) bool { return !ofRole(o) })
	return names
}
