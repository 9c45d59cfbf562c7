package threatmodel

// The assets.
const (
	Attention    AssetID = "attention"
	Device       AssetID = "device"
	Availability AssetID = "availability"
	Cost         AssetID = "cost"
	Identity     AssetID = "identity"
	Unlinkable   AssetID = "unlinkability"
	SocialGraph  AssetID = "social graph"
	Content      AssetID = "content"
	Integrity    AssetID = "group integrity"
	Tokens       AssetID = "tokens"
	Reporter     AssetID = "reporter"
	Reputation   AssetID = "reputation"
)

// Assets are what attacks can harm.
var Assets = []Asset{
	{Attention, "Attention of recipients", "Unwanted contact, messages and notifications reach a person."},
	{Device, "Battery, storage and bandwidth of devices", "A client works or fetches for nothing, or can no longer follow a group."},
	{Availability, "Availability of the service", "Groups or queues cannot be used, or messages are lost."},
	{Cost, "The operator's processors, disks and traffic", "The operator pays for an attacker's work, also towards third parties."},
	{Identity, "Who is behind a pseudonym", "Somebody who is not a member of the group learns a real identity."},
	{Unlinkable, "Unlinkability of pseudonyms, queues, groups and tokens", "Two of them are known to belong together. The size of the set in which one hides is part of it."},
	{SocialGraph, "Who is in contact with whom", "Edges between persons, queues or accounts become known, with or without names."},
	{Content, "Content of messages", "Somebody who is not a member reads or forges content."},
	{Integrity, "Agreement within a group", "Members disagree on membership, policy, order or secrets, or follow a state that nobody authorised."},
	{Tokens, "Tokens and rations", "Tokens are stolen, lost, spent twice or got beyond the ration."},
	{Reporter, "Safety of reporters", "The reported side learns who reported, or a reporter cannot report."},
	{Reputation, "Reputation of accounts and providers", "Somebody is throttled, blocked or blamed for what others did."},
}
