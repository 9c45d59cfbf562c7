// A peer keeps clients. It reads one JSON request per line from stdin and answers
// each with one JSON line on stdout: the result, or {"error": {"name",
// "message"}}. It ends with its stdin. Octet strings are base64.

import { createInterface } from "node:readline"
import { Client } from "./client.mjs"
import { Person } from "./person.mjs"

const clients = new Map()

async function answer({ client, call, args }) {
  if (call === "open") {
    clients.set(client, await (args.name ? Person : Client).open(args))
    return {}
  }
  return (await clients.get(client)[call](args)) ?? {}
}

for await (const line of createInterface({ input: process.stdin })) {
  let result
  try {
    result = await answer(JSON.parse(line, revive))
  } catch (e) {
    result = { error: { name: e.name, message: e.message, stack: e.stack } }
  }
  process.stdout.write(JSON.stringify(result, replace) + "\n")
}

// Octet strings come as {"b64": "..."}, so that no call needs to know which of
// its arguments are ones.
function revive(_, v) {
  return typeof v?.b64 === "string" ? new Uint8Array(Buffer.from(v.b64, "base64")) : v
}

function replace(_, v) {
  if (typeof v === "bigint") return Number(v)
  return v instanceof Uint8Array ? Buffer.from(v).toString("base64") : v
}
