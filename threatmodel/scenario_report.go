package threatmodel

const notYet = "Reports of abuse, franking and verdicts are not part of the service yet; the operation is refused."

// reportScenarios are about reports of abuse.
var reportScenarios = []Scenario{
	{ID: "S16", Title: "Honest users blocked with the provider of an abuser", Sources: []Source{Transport, Mahy}, Status: Limited,
		Adversaries: []AdversaryID{Member, Outsider}, Assets: []AssetID{Reputation, Availability},
		Attack:      "An abuser provokes others to block its whole provider, or uses it as a proxy for that purpose.",
		Defence:     "Limits and refusals concern a leaf, a group, an address or a token, never a domain. Accounts are cut one by one by their own attester.",
		Residual:    "An operator can still refuse a domain by hand. Cuts by reports do not exist yet.",
		Mitigations: []MitigationID{LeafLimit, Revocation, Cuts},
		Tests:       join(in("privacypass/issuer/host", "TestAdmin"), in("pseudods/ds", "TestINV08Limits"))},
	{ID: "S17", Title: "False, forged, altered, repeated and colluding reports", Sources: []Source{Protocol, Mahy}, Status: Open,
		Adversaries: []AdversaryID{FalseReport, Colluding, Guest}, Assets: []AssetID{Reputation, Tokens},
		Attack:      "Somebody is reported for what it did not send, or by many accounts for one message.",
		Defence:     "Cuts of an allowance that concern the same account do not add up: the higher share and the later end count.",
		Residual:    "Without franking a message has no evidence that a third party could check.",
		Mitigations: []MitigationID{Cuts}, Tests: in("privacypass/attester", "TestAllowanceLife"), NoTest: notYet},
	{ID: "S18", Title: "A report that reveals a pseudonymous user", Sources: []Source{Protocol, Mahy}, Status: Open,
		Adversaries: []AdversaryID{FalseReport, CuriousDS}, Assets: []AssetID{Identity},
		Attack:   "A report opens the reported side's identity link, and more people learn the identity than must.",
		Defence:  "Today an identity is opened only by members, who know it.",
		Residual: "Whoever decides about reports will learn the identity behind one pseudonym of one group.",
		NoTest:   notYet},
	{ID: "S19", Title: "Retaliation against a reporter", Sources: []Source{Protocol}, Status: Open,
		Adversaries: []AdversaryID{Member, Guest}, Assets: []AssetID{Reporter},
		Attack:      "The reported side learns that, and by whom, it was reported.",
		Defence:     "The accused account would see a smaller allowance and nothing else: cuts are applied to later epochs and store no reason.",
		Residual:    "In a group of two the accused can guess. Time and amount of a cut are a signal.",
		Mitigations: []MitigationID{Silence, Cuts}, Tests: in("privacypass/issuer/host", "TestAdmin", "TestReductionRefused"), NoTest: notYet},
	{ID: "S20", Title: "Training by feedback", Sources: []Source{Protocol}, Status: Limited,
		Adversaries: []AdversaryID{Banned, Outsider}, Assets: []AssetID{Attention},
		Attack:      "An abuser learns from refusals and verdicts what is still let through.",
		Defence:     "Refusals say what a client needs to go on and nothing about others: an offer and a fetch never tell why. A cut shows as a smaller allowance.",
		Residual:    "Rates are visible, since honest clients need to know when to try again.",
		Mitigations: []MitigationID{Uniform, Silence},
		Tests:       join(in("pseudods/qs", "TestConnect", "TestKeyPackages"), in("pseudods/ds", "TestINV07ErrorsNameNothing"))},
}
