package threatmodel

// The mitigations.
const (
	TokenPrice     MitigationID = "M01"
	Ration         MitigationID = "M02"
	LeafLimit      MitigationID = "M03"
	Bounds         MitigationID = "M04"
	Signed         MitigationID = "M05"
	Pseudonyms     MitigationID = "M06"
	IdentityLink   MitigationID = "M07"
	StateKey       MitigationID = "M08"
	Generations    MitigationID = "M09"
	SealedAddress  MitigationID = "M10"
	BlindQueue     MitigationID = "M11"
	Revocation     MitigationID = "M12"
	Consent        MitigationID = "M13"
	KeyPackages    MitigationID = "M14"
	PublicCheck    MitigationID = "M15"
	Intent         MitigationID = "M16"
	AgreedPolicy   MitigationID = "M17"
	Uniform        MitigationID = "M18"
	Ledger         MitigationID = "M19"
	Outbox         MitigationID = "M20"
	Padding        MitigationID = "M21"
	Mix            MitigationID = "M22"
	CoarseTime     MitigationID = "M23"
	Transcript     MitigationID = "M24"
	BlindIssuance  MitigationID = "M25"
	KeyRotation    MitigationID = "M26"
	OneDirectory   MitigationID = "M27"
	Cuts           MitigationID = "M28"
	SplitStores    MitigationID = "M29"
	Silence        MitigationID = "M30"
	RejoinByUser   MitigationID = "M31"
	BanList        MitigationID = "M32"
	ReaderRules    MitigationID = "M33"
	ClientVerifies MitigationID = "M34"
	Tending        MitigationID = "M35"
	Franking       MitigationID = "M36"
)

// Mitigations are what stands against the scenarios. The price is part of the
// entry, since a defence that nobody can afford is none.
var Mitigations = []Mitigation{
	{TokenPrice, "Price in tokens", "Operations that a stranger can ask for, and those that an operator chooses, cost Privacy Pass tokens of a class. Tokens are verified before anything is stored and spent last before the change. (`tokens`, `pseudods/desk`)",
		"An issuer to run; clients fetch ahead; a token that was shown is gone even if the operation is then refused for another reason by a queue service."},
	{Ration, "Ration of tokens for each account", "An attester admits accounts (invitation, account key, proof of work, OIDC, webhook) and gives each a number of tokens per class and epoch, which grows slowly for new accounts. (`privacypass/attester`)",
		"Newcomers wait. An attacker with many admitted accounts has many rations."},
	{LeafLimit, "Limits for each group and each leaf", "Requests that change something and were not paid for are counted by the generic cell rate algorithm for the group, and for the leaf with its signature key. A payment passes the limit. (`pseudods/ds`)",
		"Large groups need tuning. State is in memory: a restart grants one burst."},
	{Bounds, "Bounds on everything", "Group size, request, message, proposals of an epoch, parts of a roster, entries and octets and age of a queue, waiting readers, remembered nonces and limits: each has a bound, and a declared refusal or what it forgets first.",
		"Honest use beyond a bound is refused too. A full queue loses what comes."},
	{Signed, "Signed and fresh requests", "One labelled signature by leaf, joiner, user, queue or pool key over the whole request with recipient, nonce and expiry; the nonce is durable with the change. (`pseudods/wire`)",
		"Clocks must agree within minutes."},
	{Pseudonyms, "Pseudonyms and keys per group", "Leaves carry random pseudonyms, a fresh signature key and a fresh user key in each group. Queue addresses, pools and tokens have no part in them.",
		"No service can recognise an honest user either: no recovery by the server."},
	{IdentityLink, "Sealed and signed identity links", "The real credential and its signature over pseudonym and leaf key are sealed in the leaf under a key that members keep in a roster. The roster's key is replaced at every removal. (`client/identity`)",
		"A roster record per group; members must be online to hand on what newcomers lack."},
	{StateKey, "Group state sealed under the members' key", "Records are encrypted under a data key that is wrapped by the group state key of the epoch, an exporter secret that requests carry and the service forgets. (`pseudods/ds/atrest`)",
		"No search by the server. A group whose members all lose the key is lost. One member can upload a wrong next key (S47)."},
	{Generations, "New data key at each removal", "A commit that removes anyone begins a generation: earlier state keys open nothing that is written later.",
		"Members who missed a removal must read their queue or ask another member for access."},
	{SealedAddress, "Sealed and bound queue addresses", "The delivery service keeps addresses that only the queue service opens, bound to its domain and a hash of group and nonce, or to their first use. (`pseudods/seal`)",
		"A public-key operation for each address not in the cache; addresses must be renewed as keys rotate."},
	{BlindQueue, "Blind queue service", "Payloads are encrypted once under a random key; each entry is sealed to its member under a delivery secret and then under a segment key held in memory. Entries have one size.",
		"88 octets for each recipient, and no filtering by content."},
	{Revocation, "Revocation of one address", "The owner of a queue revokes an address, a stream, a contact token or a card, without a word to anybody else.",
		"The blocked side may infer it from silence. Who shares the address is cut off too."},
	{Consent, "Consent before groups", "A stranger can only send an offer, encrypted to a card. Adding somebody takes a contact token, which acceptance gives, and the SDK stays in a group only if a verified contact invited it.",
		"One more round trip for first contact."},
	{KeyPackages, "KeyPackages that leave once", "Each KeyPackage leaves its pool at most once, for a contact token and a price; the last resort is handed out only when nothing else is left; a batch replaces the one before at once. They are encrypted to those who may use them. (`pseudods/qs`, `pseudods/seal`)",
		"Clients upload regularly. The last resort links the groups that it was used in."},
	{PublicCheck, "Full public validation of handshakes", "All that RFC 9420 lets be checked without group secrets is checked before a commit is accepted, the GroupInfo's signature included. (`mls/publicgroup`)",
		"Handshakes are PublicMessages: a serving node sees the tree."},
	{Intent, "Declared intent", "A commit must do by value what its operation says, to users as a whole or to the committer's own clients; added clients of a present user come from that user alone.",
		"Commits of unusual shape are refused."},
	{AgreedPolicy, "Policy inside the GroupContext", "Profile, admins, guests' rights, size and bans are a GroupContext extension that the service enforces and every member sees.",
		"It changes by a commit only."},
	{Uniform, "Uniform refusals", "What does not exist, what a key does not open and what a signer may not do answer alike; a fetch or an offer never tells why. Identifiers are random or follow from keys; group identifiers carry a MAC of the service.",
		"Honest mistakes are hard to debug."},
	{Ledger, "Ledger of spent tokens", "One durable insert-if-absent for each token, bound to the digest of the request, partitioned by key epoch, with a fence that notices an older copy. (`storage/badger/ledger`)",
		"52 octets for each spent token until its key retires; after a restore all keys must be replaced."},
	{Outbox, "Durable outbox, numbered deliveries", "State, answer and outgoing messages become durable in one step; deliveries carry growing numbers for each address, by which repetitions are known.",
		"A restored delivery service must jump its numbers ahead."},
	{Padding, "Size classes", "Payloads, records, offers and links are padded: payloads to the classes of Padmé with a minimum of 256 octets.",
		"At most 12 % for large payloads, a factor for small ones."},
	{Mix, "Mixing window", "A queue service gathers entries for a window and stores them in random order. Off by default.",
		"Latency up to the window. It does not blind the running queue service, which sees deliveries as they come (S27)."},
	{CoarseTime, "Days instead of times", "No store holds a time finer than a day, and no log holds identifiers.",
		"Expiry is coarse."},
	{Transcript, "Transcript and sequence numbers", "Members check confirmation tags and transcript hashes, and number what they receive; a gap is a loss. A committer can ask which commit began an epoch.",
		"Detects, does not prevent."},
	{BlindIssuance, "Blind issuance", "Tokens are issued blindly (VOPRF or blind RSA), fetched in batches of fixed size with an empty redemption context. What an issuer saw does not help to recognise a token.",
		"Tokens cannot be recalled one by one."},
	{KeyRotation, "Rotation of token keys", "Keys live for a period and an overlap; then their unspent tokens are void and their part of the ledger is dropped.",
		"Clients that were away too long lose tokens."},
	{OneDirectory, "One directory for all", "Every client of a class sees the same directory with at most two live keys of a type, and `ppissuer check` compares fetches.",
		"There is no public log, and clients do not compare: it takes several places to ask from."},
	{Cuts, "Cut of an allowance", "An account's next allowances are cut by a share that shrinks epoch by epoch. All verdicts of one epoch count as the heaviest, those of later ones add up to a bound, and the account is told nothing.",
		"Appeals are opaque."},
	{SplitStores, "A store and keys for each role", "No store holds rows of two roles; keys lie outside the stores they open; packages of one role cannot import another's. (`internal/archtest`)",
		"More to operate. One operator of all roles is one party all the same."},
	{Silence, "No feedback to the accused", "Neither a report's existence nor its reason is passed to the reported side.", "Opaque appeals."},
	{RejoinByUser, "Rejoin signed by the user's key", "A leaf with a pseudonymous credential is replaced only with the signature of its user key, and keeps its credential; one with a bare pseudonym with its own signature key.",
		"Who has lost these keys must be removed and added (S49)."},
	{BanList, "Ban list", "Users whom the policy bans are refused however they come; a ban and the removal are one commit; commits must carry out the removals that wait.",
		"It holds pseudonyms of one group: a person under a new one is not recognised."},
	{ReaderRules, "One reader for each queue", "A newer reader replaces the older, waits have a ceiling, and readers are bounded; a push goes out once until the owner reads, to one gateway that the operator names.",
		"Two devices cannot wait on one queue."},
	{ClientVerifies, "Clients verify for themselves", "Members check all of MLS, open identity links against pinned keys, check who signed an access request before they answer, and refuse KeyPackages whose link does not name the contact.",
		"A first contact without a known key is trust on first use."},
	{Tending, "Removal of dead and idle members", "The delivery service proposes, after a member's request, to remove members whose queues are gone or who made no request for long; the next commit must cover it.",
		"Rare users are removed and must be invited again. The service must be named among the group's external senders."},
	{Franking, "Franked messages", "A sender commits itself to each content by a tag beside the ciphertext; the delivery service signs who brought the tag, on which day; members show nothing of a " +
		"pseudonym with somebody behind it that lacks either. (`pseudods/seal`, `pseudods/ds`)",
		"A signature for each message, and some 150 octets. Whoever got a message can prove to anybody, and not to its service alone, which pseudonym sent it: the deniability of a conversation ends there."},
}
