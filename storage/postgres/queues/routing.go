package queues

import "github.com/pseudods/pseudods/storage/postgres"

// payloadOctet is where a payload's name begins to be random: before it is the day.
const payloadOctet = 4

var (
	byQueue   = postgres.ByKey("p_queue")
	byPool    = postgres.ByKey("p_pool")
	byPayload = postgres.Route{Key: "p_payload", Octet: payloadOctet}
	byPart    = postgres.ByPart()
	internal  = postgres.Internal()

	ofQueue   = postgres.Placement{Column: "queue"}
	ofPool    = postgres.Placement{Column: "pool"}
	ofPayload = postgres.Placement{Column: "payload", Octet: payloadOctet}
)

var routing = postgres.Routing{
	Functions: map[string]postgres.Route{
		"create_queue": byQueue, "get_queue": byQueue, "configure_queue": byQueue, "delete_queue": byQueue,
		"revoke_mark": byQueue, "read_queue": byQueue, "touch_queue": byQueue, "ack_queue": byQueue,
		"append": byQueue, "append_each": byQueue,
		"append_one": internal, "trim_queue": internal, "trim_expired": internal,

		"put_payload": byPayload, "get_payload": byPayload, "release_payload": byPayload, "add_day_for": byPayload,
		"add_day": internal,

		"publish": byPool, "pool_key": byPool, "allow_contact": byPool, "take": byPool, "delete_pool": byPool,
		"note_restores":   postgres.OnAll(""),
		"forget_restored": internal,

		"expire_payloads_at": byPart, "expire_queues_at": byPart, "expire_marks_at": byPart, "expire_claims_at": byPart,
		"expire_payloads": internal, "expire_queues": internal, "expire_marks": internal, "expire_claims": internal,

		"attend_at": byPart, "leave_at": byPart, "poll_at": byPart, "last_change_at": byPart,
		"attend": internal, "leave": internal, "poll": internal, "last_change": internal, "note_change": internal,
	},
	Tables: map[string]postgres.Placement{
		"queue": ofQueue, "head": ofQueue, "mark": ofQueue, "entry": ofQueue, "segment": ofQueue,
		"payload": ofPayload, "payload_need": ofPayload,
		"pool": ofPool, "key_package": ofPool, "contact": ofPool, "claim": ofPool,
		"restored": {Copied: true},
		"process":  {}, "change": {},
	},
}
