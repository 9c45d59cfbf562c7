package publicgroup_test

// check is one rule that a message can break. Openmls is the number of the same
// rule in the catalogue that the OpenMLS project publishes
// (openmls/validation.dhall), if it has one.
type check struct {
	id      string
	rule    string
	source  string
	openmls string
	// member names the test of package group, or of package mls, for a rule that
	// no server can check.
	member string
}

// catalogue lists the rules for messages, in the order in which a server comes
// to them. TestINV11BadInputChangesNothing has a case for each.
var catalogue = []check{
	{id: "D1", rule: "an encoding ends where the message ends", source: "RFC 8446, 3"},
	{id: "D2", rule: "a length header has its minimum size", source: "RFC 9420, 2.1.2"},
	{id: "D3", rule: "the protocol version is MLS 1.0", source: "RFC 9420, 6"},
	{id: "D4", rule: "a message is not longer than the service allows", source: "policy"},
	{id: "D5", rule: "a handshake is a PublicMessage", source: "policy; RFC 9420, 12.1.8", openmls: "1505"},
	{id: "D6", rule: "a proposal comes as a proposal, a commit as a commit", source: "policy"},

	{id: "F1", rule: "the group is the message's", source: "RFC 9420, 6"},
	{id: "F2", rule: "the epoch is the current one", source: "RFC 9420, 12.4.2", openmls: "1201"},
	{id: "F3", rule: "the sender's type may send the content", source: "RFC 9420, 6, 6.1", openmls: "410 408 1501 1502 1503 1504"},
	{id: "F4", rule: "a confirmation tag has the size of a hash", source: "RFC 9420, 6.1"},
	{id: "F5", rule: "a membership tag has the size of a hash", source: "RFC 9420, 6.2"},
	{id: "F6", rule: "a member's leaf is not blank", source: "RFC 9420, 6.1", openmls: "1306"},
	{id: "F7", rule: "an external sender is in external_senders", source: "RFC 9420, 12.1.8", openmls: "1506"},
	{id: "F8", rule: "the signature verifies under the sender's key", source: "RFC 9420, 6.1", openmls: "407 1203 1301"},
	{id: "F9", rule: "a closed group takes no handshake", source: "RFC 9420, 12.4.2"},

	{id: "M1", rule: "an application message is a PrivateMessage of the group", source: "RFC 9420, 6"},
	{id: "M2", rule: "an application message is of a recent epoch", source: "policy"},
	{id: "M3", rule: "a PrivateMessage holds application data", source: "policy"},
	{id: "M4", rule: "a closed group takes no application message", source: "RFC 9420, 12.4.2"},

	{id: "L1", rule: "a leaf's signature verifies", source: "RFC 9420, 7.3", openmls: "102"},
	{id: "L2", rule: "a leaf has the source that belongs to its place", source: "RFC 9420, 7.3", openmls: "108 109 110 1207"},
	{id: "L3", rule: "a leaf's keys are keys of the suite, and can be encrypted to", source: "RFC 9420, 5.1.1"},
	{id: "L4", rule: "a leaf's capabilities have the group's version", source: "RFC 9420, 7.3"},
	{id: "L5", rule: "a leaf supports its own credential and extensions", source: "RFC 9420, 7.2, 7.3", openmls: "104 107"},
	{id: "L6", rule: "a leaf's extensions stand once", source: "RFC 9420, 13.4"},
	{id: "L7", rule: "signature keys are unique", source: "RFC 9420, 7.3", openmls: "111 305 306"},
	{id: "L8", rule: "encryption keys are unique", source: "RFC 9420, 7.3", openmls: "112"},
	{id: "L9", rule: "a leaf has the required capabilities", source: "RFC 9420, 7.3", openmls: "103 1001"},
	{id: "L10", rule: "credential types in use are supported by all", source: "RFC 9420, 7.3", openmls: "104"},
	{id: "L11", rule: "a leaf supports the GroupContext's extensions", source: "RFC 9420, 13.4", openmls: "502 602"},
	{id: "L12", rule: "a KeyPackage's lifetime holds the present and is not too long", source: "RFC 9420, 7.3, 10.1", openmls: "105 106"},
	{id: "L13", rule: "the service accepts a leaf's credential", source: "RFC 9420, 5.3.1", openmls: "101"},
	{id: "L14", rule: "a new leaf may follow the old one", source: "RFC 9420, 5.3.1", openmls: "13.1"},
	{id: "L15", rule: "the members' distinct capabilities are bounded", source: "policy"},

	{id: "K1", rule: "a KeyPackage has the group's version and suite", source: "RFC 9420, 10.1", openmls: "201 501"},
	{id: "K2", rule: "a KeyPackage's leaf is valid", source: "RFC 9420, 10.1", openmls: "202"},
	{id: "K3", rule: "a KeyPackage's signature verifies", source: "RFC 9420, 10.1", openmls: "203"},
	{id: "K4", rule: "a KeyPackage's init key is a key, and not the leaf's", source: "RFC 9420, 10.1", openmls: "204"},
	{id: "K5", rule: "a KeyPackage's extensions stand once", source: "RFC 9420, 13.4"},

	{id: "P1", rule: "an Update has a new encryption key", source: "RFC 9420, 7.3", openmls: "109 601"},
	{id: "P2", rule: "a Remove names a member", source: "RFC 9420, 12.1.3", openmls: "701"},
	{id: "P3", rule: "a PSK's nonce has the size of a hash", source: "RFC 9420, 12.1.4", openmls: "803"},
	{id: "P4", rule: "a resumption PSK is for application use", source: "RFC 9420, 12.1.4", openmls: "801 802"},
	{id: "P5", rule: "a ReInit is not to an older version", source: "RFC 9420, 12.1.5", openmls: "901"},
	{id: "P6", rule: "a GroupContext's extensions are well-formed, unique and belong there", source: "RFC 9420, 13.4, 17.3", openmls: "1601 1602 1603"},
	{id: "P7", rule: "app_data_dictionary changes by AppDataUpdate where that is required", source: "draft-ietf-mls-extensions"},
	{id: "P8", rule: "an AppDataUpdate fits the component's state", source: "draft-ietf-mls-extensions"},
	{id: "P9", rule: "a SelfRemove goes by reference, from a member", source: "draft-ietf-mls-extensions"},
	{id: "P10", rule: "a member proposes to leave once", source: "draft-ietf-mls-extensions"},
	{id: "P11", rule: "a proposal is pending once", source: "policy"},
	{id: "P12", rule: "the proposals of an epoch and of a sender are bounded", source: "policy"},

	{id: "C1", rule: "proposals that a commit names are pending", source: "RFC 9420, 12.4"},
	{id: "C2", rule: "a commit names a proposal once", source: "policy"},
	{id: "C3", rule: "a commit holds no invalid proposal", source: "RFC 9420, 12.2", openmls: "301 1204"},
	{id: "C4", rule: "no Update by the committer", source: "RFC 9420, 12.2", openmls: "302"},
	{id: "C5", rule: "no removal of the committer", source: "RFC 9420, 12.2", openmls: "303"},
	{id: "C6", rule: "one change of a leaf", source: "RFC 9420, 12.2", openmls: "304"},
	{id: "C7", rule: "one Add of a client", source: "RFC 9420, 12.2", openmls: "305"},
	{id: "C8", rule: "no Add of a client in the group, unless it is removed", source: "RFC 9420, 12.2", openmls: "306"},
	{id: "C9", rule: "one PSK once", source: "RFC 9420, 12.2", openmls: "307"},
	{id: "C10", rule: "one GroupContextExtensions", source: "RFC 9420, 12.2", openmls: "308"},
	{id: "C11", rule: "a ReInit alone", source: "RFC 9420, 12.2", openmls: "309"},
	{id: "C12", rule: "no ExternalInit by a member", source: "RFC 9420, 12.2", openmls: "310"},
	{id: "C13", rule: "proposal types are supported by all", source: "RFC 9420, 12.2", openmls: "311"},
	{id: "C14", rule: "AppDataUpdates of a component agree", source: "draft-ietf-mls-extensions"},
	{id: "C15", rule: "a path where one is required", source: "RFC 9420, 12.4", openmls: "1206"},
	{id: "C16", rule: "a path after many additions without", source: "policy"},
	{id: "C17", rule: "removals that must not wait are covered", source: "policy"},
	{id: "C18", rule: "the group does not outgrow its limit", source: "policy"},
	{id: "C19", rule: "a bounded number of PSKs", source: "policy"},
	{id: "C20", rule: "the GroupContext's extensions have a bounded size", source: "policy"},

	{id: "E1", rule: "the policy allows external commits", source: "policy"},
	{id: "E2", rule: "one ExternalInit in an external commit", source: "RFC 9420, 12.2", openmls: "401"},
	{id: "E3", rule: "at most one Remove in an external commit, of the joiner itself", source: "RFC 9420, 12.2", openmls: "402"},
	{id: "E4", rule: "nothing else in an external commit but PSKs", source: "RFC 9420, 12.2", openmls: "403 404"},
	{id: "E5", rule: "no reference in an external commit but to SelfRemoves", source: "RFC 9420, 12.4.3.2", openmls: "406"},
	{id: "E6", rule: "a path in an external commit", source: "RFC 9420, 12.4.3.2", openmls: "405"},
	{id: "E7", rule: "a rejoining leaf is a valid Update of the old one", source: "RFC 9420, 12.2", openmls: "402"},
	{id: "E8", rule: "kem_output has the size of the KEM's", source: "RFC 9420, 12.1.6"},

	{id: "U1", rule: "a path has a node for each of the filtered direct path", source: "RFC 9420, 12.4.2"},
	{id: "U2", rule: "a path node has a ciphertext for each recipient", source: "RFC 9420, 7.6", openmls: "1101"},
	{id: "U3", rule: "the committer's new leaf has a new encryption key", source: "RFC 9420, 12.4.2", openmls: "1208"},
	{id: "U4", rule: "the keys of a path are new in the tree", source: "RFC 9420, 12.4.2", openmls: "1209"},
	{id: "U5", rule: "the keys of a path are keys of the suite", source: "RFC 9420, 5.1.1"},
	{id: "U6", rule: "the parent hashes of a path lead to the leaf's", source: "RFC 9420, 7.9.2"},
	{id: "U7", rule: "encrypted path secrets have the size of a hash under HPKE", source: "RFC 9420, 7.6"},

	{id: "G1", rule: "a commit has a GroupInfo, in one form", source: "policy"},
	{id: "G2", rule: "a GroupInfo is well-formed", source: "RFC 9420, 12.4.3"},
	{id: "G3", rule: "a GroupInfo has the new GroupContext", source: "RFC 9420, 12.4.3"},
	{id: "G4", rule: "a GroupInfo has the commit's confirmation tag", source: "RFC 9420, 12.4.3"},
	{id: "G5", rule: "a GroupInfo is signed by the committer's leaf", source: "RFC 9420, 12.4.3", openmls: "1402"},
	{id: "G6", rule: "a GroupInfo's extensions stand once and belong there", source: "RFC 9420, 13.4, 17.3", openmls: "1601 1602 1603"},
	{id: "G7", rule: "external_pub is a key, and there if external joins are allowed", source: "RFC 9420, 12.4.3.2"},
	{id: "G8", rule: "ratchet_tree is the new tree, if the policy allows it", source: "RFC 9420, 12.4.3.3", openmls: "1405"},
	{id: "G9", rule: "a PartialGroupInfo knows whether the one before had a tree", source: "draft-ietf-mls-ratchet-tree-options"},

	{id: "W1", rule: "a Welcome comes with additions and only then", source: "RFC 9420, 12.4.3.1"},
	{id: "W2", rule: "a Welcome is well-formed and of the group's suite", source: "RFC 9420, 12.4.3.1", openmls: "1404"},
	{id: "W3", rule: "a Welcome names exactly the new members, once each", source: "RFC 9420, 12.4.3.1"},

	{id: "I1", rule: "an imported group's version and suite are known", source: "RFC 9420, 12.4.3.1"},
	{id: "I2", rule: "hashes and tags of an imported group have their sizes", source: "RFC 9420, 8.2"},
	{id: "I3", rule: "an imported tree hashes to the GroupContext's tree hash", source: "RFC 9420, 12.4.3.1", openmls: "1405"},
	{id: "I4", rule: "an imported tree has valid parent hashes", source: "RFC 9420, 7.9.2", openmls: "1406"},
	{id: "I5", rule: "an imported tree has valid leaves", source: "RFC 9420, 12.4.3.1", openmls: "1407 312"},
	{id: "I6", rule: "unmerged leaves are members below, known in between, ascending", source: "RFC 9420, 7.1, 12.4.3.1", openmls: "1408 1409 1416"},
	{id: "I7", rule: "an imported tree has no key twice", source: "RFC 9420, 12.4.3.1", openmls: "1410"},
	{id: "I8", rule: "an imported tree ends in a member", source: "RFC 9420, 12.4.3.3", openmls: "1418"},
	{id: "I9", rule: "an imported GroupInfo is signed by a member", source: "RFC 9420, 12.4.3.1", openmls: "1402"},
	{id: "I10", rule: "members support the extensions of an imported group", source: "RFC 9420, 13.4", openmls: "1415"},
	{id: "I11", rule: "an imported group fits the policy", source: "policy"},
	{id: "I12", rule: "a registered group is new", source: "policy"},

	{id: "X1", rule: "the membership tag verifies", source: "RFC 9420, 6.2", openmls: "1202 1302", member: "TestFramingIsChecked"},
	{id: "X2", rule: "the confirmation tag verifies", source: "RFC 9420, 12.4.2", openmls: "1411", member: "TestFramingIsChecked"},
	{id: "X3", rule: "path secrets decrypt and give the path's keys", source: "RFC 9420, 7.5", member: "TestPathIsChecked"},
	{id: "X4", rule: "kem_output gives the external init secret", source: "RFC 9420, 8.3", openmls: "409", member: "TestExternalCommitIsChecked"},
	{id: "X5", rule: "pre-shared keys are known", source: "RFC 9420, 12.4.2", openmls: "1205 1401", member: "TestProposalListIsChecked"},
	{id: "X6", rule: "a Welcome opens and leads into the group", source: "RFC 9420, 12.4.3.1", openmls: "1403 1412 1413 1414 1417", member: "TestWelcomeIsChecked"},
	{id: "X7", rule: "a PrivateMessage decrypts and is its sender's", source: "RFC 9420, 6.3", openmls: "1304 1305", member: "TestPrivateFramingIsChecked"},
	{id: "X8", rule: "a PrivateMessage is padded with zeros", source: "RFC 9420, 6.3.1", openmls: "1303", member: "TestPaddingMustBeZero"},
}
