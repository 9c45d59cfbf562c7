package threatmodel

// reportScenarios are about reports of abuse.
var reportScenarios = []Scenario{
	{ID: "S16", Title: "Honest users blocked with the provider of an abuser", Sources: []Source{Transport, Mahy}, Status: Limited,
		Adversaries: []AdversaryID{Member, Outsider}, Assets: []AssetID{Reputation, Availability},
		Attack:      "An abuser provokes others to block its whole provider, or uses it as a proxy for that purpose.",
		Defence:     "Limits and refusals concern a leaf, a group, an address or a token, never a domain. Accounts are cut one by one by their own attester.",
		Residual:    "An operator can still refuse a domain by hand.",
		Mitigations: []MitigationID{LeafLimit, Revocation, Cuts},
		Tests:       join(in("privacypass/issuer/host", "TestAdmin"), in("pseudods/ds", "TestINV08Limits"))},
	{ID: "S17", Title: "False, forged, altered, repeated and colluding reports", Sources: []Source{Protocol, Mahy}, Status: Limited,
		Adversaries: []AdversaryID{FalseReport, Colluding, Guest}, Assets: []AssetID{Reputation, Tokens},
		Attack: "Somebody is reported for what it did not send, or by many accounts for one message; or sends what others see and cannot report.",
		Defence: "A report shows messages with the sender's commitment and the service's frank, and opens the link that the accused's real key has signed. What does not verify " +
			"is refused, each report costs a token of a class of its own, and one for the same messages is taken once. Members do not show what could not be reported. However many are " +
			"upheld within an epoch, the account is cut as by the heaviest alone, from the next epoch on.",
		Residual: "The service can frank what nobody sent under a pseudonym of its choice, but not name somebody whose key has not signed that pseudonym. Messages of bare pseudonyms " +
			"and to one member cannot be reported. Whoever shows some of a conversation leaves out the rest. Different messages of one person, or different sets of them, make different reports, each at its price, and each is looked at.",
		Mitigations: []MitigationID{Franking, IdentityLink, TokenPrice, LeafLimit, Cuts},
		Tests: join(in("pseudods/ds", "TestReportsThatProveNothing", "TestReportTakesAMember", "TestINV04ReportIsTakenOnce", "TestMessagesAreFranked", "TestTagIsRequired"),
			in("pseudods/seal", "TestTagOpensInItsPlaceAlone", "TestTagHasOneReading", "TestFrankIsForItsContextAlone"),
			in("client", "TestWhatCannotBeReportedIsNotShown", "TestReportAMember"), in("pseudods/moderation", "TestTake", "TestDecide"), in("privacypass/attester", "TestVerdict", "TestReductionLaws", "TestRepeatedVerdicts"),
			in("privacypass/issuer/host", "TestVerdicts")),
		Executable: []string{"false-reports"}},
	{ID: "S18", Title: "A report that reveals a pseudonymous user", Sources: []Source{Protocol, Mahy}, Status: Limited,
		Adversaries: []AdversaryID{FalseReport, CuriousDS}, Assets: []AssetID{Identity},
		Attack: "A report opens the reported side's identity link, and more people learn the identity than must.",
		Defence: "Only a member can open a link, and only together with messages that its owner sent in that group. The delivery service checks it in memory, hands it on sealed to the moderation key and " +
			"keeps nothing; who decides needs that key and the admin secret, and the issuer learns an account and no group.",
		Residual: "Who decides about reports learns the identity behind one pseudonym of one group, and so does a running delivery service that keeps what it sees. A member can tell anybody " +
			"what it knows anyway; a report makes it provable.",
		Mitigations: []MitigationID{Franking, IdentityLink, SplitStores},
		Tests:       join(in("pseudods/ds", "TestReport", "TestReportsThatProveNothing"), in("pseudods/moderation", "TestINV01NoStoreHoldsTheReport"))},
	{ID: "S19", Title: "Retaliation against a reporter", Sources: []Source{Protocol}, Status: Limited,
		Adversaries: []AdversaryID{Member, Guest}, Assets: []AssetID{Reporter},
		Attack: "The reported side learns that, and by whom, it was reported.",
		Defence: "A report changes no record of the group and sends nothing, a duplicate is answered like the first, what is handed on does not say who reported, and verdicts wait for a " +
			"random time. The accused account sees a smaller allowance and nothing else.",
		Residual: "In a group of two the accused can guess. Time and amount of a cut are a signal. A running delivery service sees which leaf reports; the time of an answer may tell a duplicate, " +
			"which writes nothing.",
		Mitigations: []MitigationID{Silence, Cuts},
		Tests: join(in("pseudods/ds", "TestReport", "TestINV04ReportIsTakenOnce"), in("client", "TestReportAMember"), in("pseudods/moderation", "TestVerdictsWait"),
			in("pseudods/moderation", "TestVerdictKeyIsTheAccused"), in("privacypass/issuer/host", "TestCutLooksLikeAnyRefusal"))},
	{ID: "S20", Title: "Training by feedback", Sources: []Source{Protocol}, Status: Limited,
		Adversaries: []AdversaryID{Banned, Outsider}, Assets: []AssetID{Attention},
		Attack:      "An abuser learns from refusals and verdicts what is still let through.",
		Defence:     "Refusals say what a client needs to go on and nothing about others: an offer and a fetch never tell why. A cut shows as a smaller allowance.",
		Residual:    "Rates are visible, since honest clients need to know when to try again.",
		Mitigations: []MitigationID{Uniform, Silence},
		Tests:       join(in("pseudods/qs", "TestConnect", "TestKeyPackages"), in("pseudods/ds", "TestINV07ErrorsNameNothing"))},
}
