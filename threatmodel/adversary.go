package threatmodel

// The adversaries.
const (
	Outsider     AdversaryID = "outsider"
	Member       AdversaryID = "member"
	ExMember     AdversaryID = "ex-member"
	Banned       AdversaryID = "banned user"
	Colluding    AdversaryID = "colluding members"
	FalseReport  AdversaryID = "false reporter"
	Guest        AdversaryID = "guest provider"
	CuriousDS    AdversaryID = "curious DS"
	CuriousQS    AdversaryID = "curious QS"
	CuriousIss   AdversaryID = "curious issuer"
	MaliciousHub AdversaryID = "malicious hub"
	Roles        AdversaryID = "colluding roles"
	Thief        AdversaryID = "store thief"
	Network      AdversaryID = "network observer"
)

// Adversaries are those whom the model considers, from the weakest to the
// strongest on each side of the service.
var Adversaries = []Adversary{
	{Outsider, "Outsider",
		"send any octets to any public interface from many network addresses; make accounts as far as an attester lets it, and get their tokens; hold contact cards that were handed out",
		"sign for a leaf, a user, a queue or a pool; learn a random identifier of 128 bits or more by trying; break the primitives"},
	{Member, "Pseudonymous member",
		"do all that the policy of a group allows to its leaf, and sign anything with its keys; hold the group state key of each epoch of its membership; see all leaves, sealed addresses excepted; send malformed MLS inside of what the service cannot check",
		"act for another leaf; exceed its token ration by honest issuance; make the service accept what the policy forbids"},
	{ExMember, "Ex-member",
		"keep all secrets of the epochs of its membership, contact cards and identities of members, the group identifier and the roster keys of its time; go on sending requests",
		"derive secrets of an epoch that began with its removal"},
	{Banned, "Banned user",
		"be an ex-member who comes back under new pseudonyms, by another account, through a member who helps, or from outside",
		"get more tokens than its accounts are given"},
	{Colluding, "Colluding members",
		"pool what several members of one group or of several groups know, and act at the same time",
		"do what none of them can do"},
	{FalseReport, "False reporter",
		"be a member who reports what was not sent, not sent by the accused, altered, or sent elsewhere; report often, or together with others",
		"forge signatures of the service"},
	{Guest, "Guest provider",
		"run the queue service of its own users; see its deliveries; invent users, queues and tokens of its own; withhold what it gets, and send requests without end",
		"sign for members of other providers; read what is sealed to other queue services"},
	{CuriousDS, "Honest-but-curious delivery service",
		"follow the protocol and remember all that passes through one serving node: group state keys, pseudonyms, timing, sizes, network addresses, and all stored records while keys are at hand",
		"open identity links, messages, or sealed addresses; deviate"},
	{CuriousQS, "Honest-but-curious queue service",
		"follow the protocol and remember all: which queues got an entry at the same moment, size classes, who reads when and from where, how many KeyPackages each pool has, opened addresses",
		"open payloads; learn a group identifier from a binding; deviate"},
	{CuriousIss, "Honest-but-curious issuer and attester",
		"know the accounts and how many tokens of which class each got and when",
		"recognise a token when it is spent; deviate"},
	{MaliciousHub, "Malicious hub",
		"be the delivery service of a group and deviate at will: drop, delay, reorder, roll back, show members different things, keep group state keys",
		"sign for a member; make members accept a commit that a member did not make; read content"},
	{Roles, "Colluding roles",
		"combine what delivery service, queue service, issuer and attester know while they run, as one operator of all roles could",
		"recognise blinded tokens; open content or identity links"},
	{Thief, "Store thief",
		"have one or several copies of the files of any or all stores, taken at any time, and later pool them with what an ex-member or member knows",
		"read the memory of running services; hold the keys that lie outside the stores, unless the scenario says so"},
	{Network, "Network observer",
		"see addresses, times and lengths of connections to one provider, or delay and cut them",
		"break TLS; watch all networks at once"},
}
