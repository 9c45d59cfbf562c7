// Package abuse plays scenarios of the threat model under a matrix of defences, and
// counts what the attacker gets, what it pays, what honest users lose, what it costs
// the services, and what these learn.
//
// The services are the real ones: delivery service, queue service, token desks,
// issuer and attester, with real tokens, over the reference stores in memory of
// package storagetest, which are the contract of all stores and cost no disk. Honest
// users are clients of the SDK. Attackers are clients of the SDK, or an [Insider] or
// a [Stranger], which speak the protocol without it and do what the SDK would not.
// What has no business here is the network: HTTP requests are handed over in
// process.
//
// # Time
//
// Time is virtual: services and clients are given it, and it passes when all
// processes of a run sleep. So an hour of attack takes seconds, and the same seed
// gives the same figures, all but processor time, which is measured. Delays of
// honest users are what defences make them wait for, and the pace of their reading;
// they hold no processing and no network. How much of a processor an attack takes
// says how many attackers of its kind saturate one.
//
// # Writing a scenario
//
// Write one file with one [Scenario], and add it to [Scenarios]. Play makes the
// people and whatever they share (World.Home.Person, Person.Meet, Person.Found;
// Provider.Party and Party.Insider for the attacker), starts processes with
// [World.Go] and [World.Attack], calls [World.Run], and counts: [World.Effect] for
// what the attacker wants, and [World.Want] for what honest users want. A process is
// a function that loops, acts, and calls [World.Sleep]; when Sleep fails it returns
// that error. [World.Daily] calls such a function once in each session.
// Rules that keep runs deterministic and true:
//
//   - The attack starts by World.Attack alone: each scenario is played a second time
//     without it, and must then have no effects.
//   - One process uses a Person, a Party or an Insider at a time.
//   - Draw from World.Rand, and go over no map.
//   - Count an effect where it arrives, not where it is sent: see Person.Heard and
//     Party.Read.
//   - The attacker is smart: it pays where that helps ([Party.Pay], [Party.Burst]),
//     waits when it is told to ([Refused]), and has what [Budget] gives it.
//   - An attack that the protocol stops by itself needs a Control: World.Control is
//     true in a further run, in which the check is off or done as others do it.
//
// Name the scenario in Executable of the scenario of package threatmodel that it
// plays. TestAttacksWork plays all scenarios in brief without a defence, and fails if
// one has no effect; keep that below two seconds, and the whole row of defences below
// five. To see the row while you write:
//
//	go run ./cmd/pdsbench abuse --quick --only name
//
// # Writing a defence
//
// A [Defence] is one file and one line in [Defences]. It sees each request as the
// operator would, and says pass, refuse or retry later; the product's own defences
// are the product's code, switched on by [Traits]. docs/research.md has an example.
//
// # Limits
//
// The attacker's accounts are admitted by registered keys: what an account costs to
// get is a matter of [Price], not measured. There is one node of each service unless
// a scenario asks for more. Reports of abuse are taken to be upheld after a minute.
package abuse
