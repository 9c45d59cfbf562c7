// Package moderation keeps reports of abuse until somebody decides them, and tells
// the issuer of the accused what was decided.
//
// A delivery service verifies a report and gives it to a [Docket], which keeps it
// as a case, sealed to the moderation key: the process that takes reports need not
// have the private half. Who has it, and the admin secret, lists cases, opens them,
// and upholds or dismisses each: a person by a program ([Remote]), or the
// operator's own system ([Hook]). A decision is for good.
//
// Of a case that is decided nothing is left but its name and what was decided, so
// that the same report is not taken twice. An upheld one becomes a verdict
// ([attester.Verdict]) that waits, sealed, for a random time and is sent by the
// [Courier] to the issuer of the provider at which the accused has its account. It
// tells an issuer what it must know and nothing of reporter, group, reason and
// messages.
//
// No report holds who made it: a delivery service does not say, and nothing here
// asks. Who decides learns what members of a group know of the accused: the real
// identity, one pseudonym, and the messages that were shown.
//
// Whoever controls the store can at most: count cases by the day and size class,
// delete cases and verdicts, and make decided ones look undecided. Reading them
// takes the moderation key, and the store names cases by a keyed hash, so that who
// knows what was reported cannot look for it.
package moderation
