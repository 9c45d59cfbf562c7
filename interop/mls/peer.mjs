// A peer keeps members that run ts-mls. It reads one JSON request per line from
// stdin and answers each with one JSON line on stdout: the result, or
// {"error": {"name", "message"}}. It ends with its stdin. Octet strings are
// base64 in both directions; messages are whole MLSMessages.

import { createInterface } from "node:readline"
import { Member } from "./member.mjs"

const members = new Map()

async function answer({ member, call, args }) {
  if (call === "new") {
    members.set(member, await Member.make(args))
    return {}
  }
  return (await members.get(member)[call](args)) ?? {}
}

for await (const line of createInterface({ input: process.stdin })) {
  let result
  try {
    result = await answer(JSON.parse(line, revive))
  } catch (e) {
    result = { error: { name: e.name, message: e.message } }
  }
  process.stdout.write(JSON.stringify(result, replace) + "\n")
}

// Octet strings travel as {"b64": "..."}, so that no command needs to know which
// of its arguments are ones.
function revive(_, v) {
  return typeof v?.b64 === "string" ? new Uint8Array(Buffer.from(v.b64, "base64")) : v
}

function replace(_, v) {
  if (typeof v === "bigint") return Number(v)
  return v instanceof Uint8Array ? Buffer.from(v).toString("base64") : v
}
