package threatmodel

// Invariants are the rules that hold between all parts of the service. Tests are
// named after them.
var Invariants = []Invariant{
	{"INV-01", "No stored, logged, or exported record holds an account identity beside a pseudonym, group, queue or token.",
		join(in("internal/archtest", "TestNeverLinked", "TestImportsFollowTheTable"), in("privacypass/attester", "TestNames"),
			in("privacypass/issuer/httpapi", "TestNoIdentifiers"), in("storage/badger/ledger", "TestINV02StoreShowsNoToken"), in("client", "TestINV01INV02INV07BusyRun")),
		"Groups of the identified profile name accounts in their leaves, which are sealed at rest and which a serving node sees. Reports of abuse name the accused beside a " +
			"pseudonym and a group, sealed to the moderation key (S18)."},
	{"INV-02", "A copy of the files of all stores links no two pseudonyms, no pseudonym to a queue, no queue to a group.",
		join(in("pseudods/ds", "TestINV02StoreShowsNothing", "TestINV02BlockShowsNothing"), in("pseudods/qs", "TestINV02QueueStoreCopy"),
			in("storage/badger/ledger", "TestINV02StoreShowsNoToken"), in("pseudods/ds/atrest", "TestSizesShowTheirClassAlone"),
			in("client", "TestINV01INV02INV07BusyRun"), in("pseudods/demo", "TestINV02TheStoryLeavesNoTrace"),
			in("bench/link/snapshot", "TestINV02Snapshot")),
		"Values link no pseudonym to anything; in which half minute records were written, and counters of queues, say more than nothing (S36). Who also has the key of a pool, as " +
			"contacts do, opens the KeyPackages in it (S60)."},
	{"INV-03", "Every state-changing request is authenticated and fresh: nonce, expiry and recipient domain stand inside the signed octets, and a replay is refused. There is no unsigned path.",
		join(in("pseudods/ds", "TestINV03EveryOperation", "TestINV03NothingUnsignedOrStale", "TestINV03ReplayGetsTheSameAnswer", "TestINV03AccessIsCheckedBeforeItIsHandedOut", "TestReportTakesAMember"), in("pseudods/qs", "TestINV03Requests"),
			in("pseudods/wire", "TestINV03SignatureCoversEverything")),
		"Operations that nobody can sign are paid for with tokens instead: offers of connection and KeyPackages. A report uses up no nonce: it is taken once by what it proves."},
	{"INV-04", "A token is accepted at most once, under concurrency, retries, kill -9, restart and restore; and it is never lost without its action.",
		join(in("tokens", "TestINV04PaymentIsFreshOnce", "TestINV04ForgedTokensReachNoLedger"), in("storage/badger/ledger", "TestINV04Conformance", "TestINV04KillNine", "TestINV04RestoredBackup"),
			in("pseudods/ds", "TestINV04TokenBuysOnce", "TestINV04ReportIsTakenOnce"), in("client/wallet", "TestINV04HandsOutOnce", "TestINV04CrashInSpend", "TestINV04CrashBeforeTheAnswer")),
		"A snapshot of the whole machine, fence included, rolls back unseen. Several tokens for one request are lost to whoever shows a spent one among them."},
	{"INV-05", "At most one commit is accepted for each group and epoch.",
		join(in("pseudods/ds", "TestINV05OneCommitForAnEpoch"), in("mls/publicgroup", "TestINV05OneCommitPerEpoch"), in("client", "TestINV05RacingCommits")),
		"A malicious hub can tell different members of different commits (S21)."},
	{"INV-06", "A message that was acknowledged to its sender reaches every member's queue, in group order, and is seen once, whatever crashes.",
		join(in("pseudods/ds", "TestINV06EveryMessageArrivesOnce", "TestINV06FaultsLoseNothing", "TestINV06ProviderThatIsAwayHoldsUpNoOther", "TestINV06NoWakeIsLost",
			"TestINV06RestoredStoreIsHeard", "TestINV06NoteOfALostQueueIsDurable"),
			in("pseudods/qs", "TestINV06SeenOnce", "TestINV06ManySendersAndReaders", "TestINV06FailedDeliveries")),
		"A queue that is full refuses, and its owner sees the gap."},
	{"INV-07", "Logs, metrics, traces and error texts carry no pseudonym, group id, queue id, key, token or client address.",
		join(in("pseudods/ds", "TestINV07ErrorsNameNothing"), in("pseudods/server", "TestINV07LogsAndMetrics"), in("storage/badger", "TestINV07ErrorsQuoteNoKey"), in("privacypass/issuer/httpapi", "TestNoIdentifiers"),
			in("internal/secret", "TestNothingPrintsASecret"), in("client", "TestINV01INV02INV07BusyRun")),
		"What a front end, a kernel or a hosting company logs is beyond the program."},
	{"INV-08", "Rate limits are keyed by group, leaf and token, never by identity.",
		in("pseudods/ds", "TestINV08Limits", "TestINV08StrangersUseUpNothing"),
		"An address limiter may sit at the edge, in memory only, off by default."},
	{"INV-09", "After a removal the removed member can read no later state, from the service or from a copy of its store.",
		join(in("pseudods/ds", "TestINV09RemovedMemberIsOut", "TestINV09LargeGroupIsDeletedInSteps"), in("pseudods/ds/atrest", "TestINV09RemovedMemberOpensNothingLater"),
			in("client/identity", "TestRosterThroughAdditionsAndRemoval")),
		"With a copy of the store made while it was a member, it can test whether a public key that it knows is in the tree. Records of the generation before are readable until they are next written; they hold nothing later."},
	{"INV-10", "All members of an epoch agree on the group's policy; the server cannot change it unseen.",
		join(in("pseudods/ds", "TestINV10PolicyHolds", "TestINV10ContextStays", "TestINV10AdminsChangeThePolicy", "TestINV10PolicyChangeIsNothingElse", "TestINV10ProfilesAreNeverMixed"),
			in("client", "TestINV10PolicyIsAgreedAndKeptByMembers")),
		"Agreement is not enforcement: a malicious hub can fail to enforce the policy, which members see by what they receive."},
	{"INV-11", "Bad input of any kind yields a typed error within bounded memory and time, and changes nothing.",
		join(in("pseudods/ds", "FuzzINV11Handle", "TestINV11TooMuchAtOnce", "TestINV11RosterTakesTheNextPartOnly", "TestINV11AccessIsBounded"), in("mls/publicgroup", "TestINV11BadInputChangesNothing"),
			in("mls", "TestAllocationBounded", "TestPrefixAndTrailingOctetRefused"), in("pseudods/httpapi", "TestRefusedBeforeTheService")),
		"What a server cannot check without group secrets it cannot refuse (S06)."},
}

func join(lists ...[]TestID) []TestID {
	var out []TestID
	for _, l := range lists {
		out = append(out, l...)
	}
	return out
}
