// Package snapshot measures what a copy of the files of a provider's stores links.
//
// # World
//
// [Run] plays a provider with all roles, each on embedded stores in a directory of
// its own, and people who use it through the SDK over HTTP: users of one client or,
// every other one, of two, each with a queue and pools of KeyPackages, who meet, form groups of
// two to four users, talk, read, join, and are removed. Who is where, and who does
// what when, follows from the seed: users arrive, meet and are invited in random
// order; groups have log-normal rates (sigma 1.5) and messages come in the order
// in which Poisson processes of these rates give them; the author is a random
// member; clients are online for a random half of the time and read at once then,
// the others read when they come online, and some do not for the rest of the run. What the
// machine adds, identifiers, keys, and how requests meet in a batch, does not follow from
// the seed: it would be another service whose randomness did. So figures of two
// runs with one seed differ, by about their intervals.
//
// The run has parts, after each of which all records move into the tables, as they
// do after a quiet half minute. Two copies are taken: of the running provider,
// whose journals have the last part ("running"), and of the stopped one
// ("stopped"), which has no journals, as backups of files have none. A journal
// lasts half a minute at most, so the first is what a thief finds in a provider
// with enough users for that much traffic in half a minute; how long it takes here
// makes no difference.
//
// # Truth and targets
//
// What there is to link are member records (leaf nodes of groups), queues, pools,
// groups, and accounts at the issuer. A [Target] is a pair of kinds and who is
// truly linked:
//
//   - members: two member records in different groups, of one user's clients;
//   - member to queue: a member record and the queue of that client;
//   - queues: two queues of one user;
//   - groups: two groups with a user in common;
//   - pool to queue: a pool of KeyPackages and the queue of the same client;
//   - account to queue: an issuer's account and a queue of its user.
//
// # Auditor
//
// The auditor has the files of some stores ([Set]) and no keys. It knows the
// formats. Each [Feature] gives every pair a number, the more likely linked the
// higher:
//
//   - value: substrings of eight octets that records of both hold, weighted by the
//     logarithm of how few others hold them;
//   - size: how alike the numbers and sizes of their records are, and counters that
//     stand in clear (entries and addresses of a queue, messages of a group);
//   - adjacency: how near they lie in the order of keys in the tables;
//   - batch: how often both were written in one batch or in the next one, by the
//     journals, over all changes of both (cosine). Between two stores the batches
//     with messages of the one are matched with those of the other by their place
//     in the journal. With both stores, what is alike in its matches with the other
//     store is alike too: two groups that go with the same queues;
//   - order: how much nearer they lie within a batch than what else it has;
//   - version: whether they moved into the tables together, by the engine's
//     versions, weighted as values are;
//   - time: how near the times in their records are, as far as octets can be read
//     as days, seconds or milliseconds of the present.
//
// # Score
//
// For one record the auditor ranks all that may belong to it. Its advantage is
// 2a-1, with a the probability that something linked is ranked over something not
// linked (ties count half): 0 is guessing, 1 is always right, below 0 is worse than guessing. The
// figure is the mean over all records that have both. The other figure asks
// for the one guess on top: (p-b)/(1-b), with p the probability that it is right and b that
// of a blind guess.
//
// Intervals are of 95 %, by 1000 bootstrap resamples of users (for groups, of groups), not
// of pairs, since pairs of one user are not independent. They do not hold what all
// things of a world have in common, such as where its random identifiers happen to lie
// among each other: with one world, intervals of adjacency are too short.
//
// # Controls
//
// For each feature there is a leak ([Result.Planted]) which the same auditor must find in the
// same copies: the user's number in each record, sizes that follow from it, records in its order,
// batches of its own, its order within batches, versions of its own, times that follow from
// it. Where a control scores and the copy does not, there is nothing that this feature
// finds.
package snapshot
