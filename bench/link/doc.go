// Package link measures how well somebody who sees times or sizes can tell which
// queues belong together.
//
// # Statistical disclosure, as published
//
// The attack is that of Martiny, Kaptchuk, Aviv, Roche and Wustrow, "Improving
// Signal's Sealed Sender" (NDSS 2021), on messages whose senders are hidden. When
// the target gets a message, its device answers with a receipt at once, so that
// the message's sender gets something in the same epoch. The attacker counts for
// each user in how many target epochs it got something, takes away in how many
// random epochs it did, and ranks. An associate's rank counts all users whose
// score is at least as high, so that ties count against the attacker.
//
// [PaperSetting] is the model of the authors' simulation, taken from the program
// that they published (list_attack.py of timartiny/Improving-Signal-Sealed-Sender,
// function variant_3) and implemented here anew: a million users; 800 messages
// in an epoch of a second, of which a quarter repeats a message of an earlier
// target epoch, a quarter answers one, and the rest goes from one random user to
// another; one receipt from the target to a random one of its associates in each
// target epoch, left out with a given probability; optionally popular users who
// get a message in each epoch. One random epoch follows each target epoch. The
// program swaps sender and recipient of an answered message in place, so that it
// counts as swapped for later draws; so does this one.
//
// # Statistical disclosure, here
//
// A delivery service sends a message to all members of its group, the sender
// too. It reaches a queue service as one delivery, which names the queues. What
// the attacker sees is the set of queues that got something in one window.
// Without a window that is one delivery: the view of the running queue service,
// whatever its mixing window, since it does the mixing itself. With one it is
// what those see who see stored entries, pushes or reads alone; and what a queue
// service would see of deliveries that were cut apart and mixed before it.
//
// [World] is the rest of the traffic: users, each in six groups on average, of
// sizes 2 (60 %), 3 to 5 (20 %), 6 to 15 (15 %) and 16 to 50 (5 %), with uniformly
// random members; 70 messages for each user and day, the traffic of the published
// setting; the rates of groups are log-normal (sigma 1.5), so that few groups have
// most of the traffic; Poisson in time, without a rhythm of days. Receipts go to
// the pair in groups of two only, 0.1 to 1 s after the message: in larger groups
// they would be quadratic. A user has one queue for all groups, or one for each.
//
// A trial adds one group of the target and others, with the rate of an average
// group, and watches the target's queue in it. Each message to that queue, of
// this group or others, makes a target window. Two attackers rank the others:
//
//   - difference: as published, target windows less random windows;
//   - likelihood: knows each queue's rate from long before, and takes the log of
//     the likelihood ratio between "is in a share of these windows", with the
//     observed share, and "is in each by chance".
//
// The figure is how many messages of the group were sent when, for the first
// time, all of its members rank above every queue that shares no group with the
// target's queue. Evaluation is after each of the first 30 messages and then in
// steps of a tenth.
//
// # Sizes
//
// See [SizeSchemes] and [SizeWorkload]: somebody sees the exact length of messages
// on their way in, and classes on their way out.
//
// # Limits
//
// Not modelled: reads (who reads several queues over one connection links them),
// network addresses, rhythms of days and of persons, active attackers, and what
// is known of groups from elsewhere. The same seed gives the same figures.
package link
