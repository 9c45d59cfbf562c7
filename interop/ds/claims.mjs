// What docs/protocol.md says of refusals, repetition and payment, put to a server.

import { strict as assert } from "node:assert"
import { readFileSync } from "node:fs"
import { concat, decode, hex, types, utf8 } from "./language.mjs"
import { publicKey, queueID, random } from "./sealed.mjs"
import { now } from "./services.mjs"
import { challengeOf } from "./tokens.mjs"

// The statuses of the table of codes.
const page = readFileSync(new URL("../../docs/protocol.md", import.meta.url), "utf8")
const statuses = Object.fromEntries([...page.matchAll(/^\| (\w+) \| \d+ \| (\d{3}) \| /gm)].map(([, code, status]) => [code, Number(status)]))
assert.deepEqual(Object.keys(statuses), [...types.Code.numbers.keys()])

// check puts them to the server of a client, which is a member of a group that
// has somebody else in it.
export async function check(c) {
  const s = c.services
  const leaf = { auth_type: "leaf", leaf: c.state.privatePath.leafIndex, key: c.leafKey, group_state_key: c.stateKey() }
  const owner = { auth_type: "queue", key: c.owner }
  const made = []
  const refused = async (what, code, operation, request, how) => {
    const { status, headers, answer } = await s.post(operation, request, how)
    assert(answer.refused, `${what}: not refused`)
    assert.equal(answer.error.code, code, what)
    assert.equal(status, statuses[code], what)
    made.push(what)
    return { headers, error: answer.error }
  }
  const message = async () => ({ group: c.group, message: (await c.send({ data: utf8("claims") })).message })

  // Repetition.
  const request = await s.request("send_message", await message(), leaf)
  const first = await s.post("send_message", request)
  assert(!first.answer.refused)
  assert.equal(hex((await s.post("send_message", request)).octets), hex(first.octets))
  const { nonce } = decode("Request", request).content
  await refused("another request with the nonce", "replayed", "send_message", await s.request("send_message", await message(), leaf, { nonce }))
  const read = await s.request("read_queue", { queue: c.queue, after: 0, max: 1, wait: 0 }, owner)
  assert(!(await s.post("read_queue", read)).answer.refused)
  await refused("a repeated read", "replayed", "read_queue", read)

  // The envelope.
  const settings = { version: 1, max_entries: 0, max_bytes: 0, ttl_days: 0, overflow: "refuse", push: "" }
  const configure = (change, by = owner) => s.request("configure_queue", { queue: c.queue, settings }, by, change)
  await refused("an expired request", "stale", "configure_queue", await configure({ expires_at: now() - 2 }))
  await refused("one that lives too long", "stale", "configure_queue", await configure({ expires_at: now() + s.provider.limits.request_life + 60 }))
  await refused("another's request", "wrong_recipient", "configure_queue", await configure({ recipient_domain: utf8("example.net") }))
  await refused("a signature by another key", "not_allowed", "configure_queue", await configure({}, { ...owner, key: random(32) }))
  await refused("a request that nobody signed", "not_allowed", "configure_queue", await configure({}, {}))
  await refused("a group state key for a queue", "malformed", "configure_queue", await configure({ group_state_key: random(32) }))
  const good = await configure({})
  await refused("a trailing octet", "malformed", "configure_queue", concat(good, "00"))
  await refused("a cut request", "malformed", "configure_queue", good.subarray(0, -1))
  await refused("version 2", "unsupported_version", "configure_queue", concat("0002", good.subarray(2)))
  await refused("a wrong path", "malformed", "configure_queue", good, { url: s.url("read_queue") })
  await refused("a wrong type", "malformed", "configure_queue", good, { type: "text/plain" })
  assert(!(await s.post("configure_queue", good)).answer.refused)
  const nobody = random(32)
  await refused("a queue that does not exist", "not_allowed", "ack_queue",
    await s.request("ack_queue", { queue: queueID(publicKey(nobody)), upto: 1, tickets: [] }, { ...owner, key: nobody }))

  // Groups.
  const send = async (by, change) => s.request("send_message", await message(), by, change)
  await refused("a wrong group state key", "not_allowed", "send_message", await send({ ...leaf, group_state_key: random(32) }))
  await refused("no group state key", "not_allowed", "send_message", await send({ ...leaf, group_state_key: null }))
  await refused("another member's leaf", "not_allowed", "send_message", await send({ ...leaf, leaf: 1 - leaf.leaf }))
  await refused("a leaf that is not there", "not_allowed", "send_message", await send({ ...leaf, leaf: 99 }))
  await refused("a group that does not exist", "not_allowed", "send_message",
    await s.request("send_message", { ...(await message()), group: random(32) }, leaf))
  const stale = await c.prepare()
  await c.renew()
  const { error } = await refused("a commit of an earlier epoch", "wrong_epoch", "update", await s.request("update", stale, leaf))
  assert.equal(error.epoch, c.state.groupContext.epoch)
  const again = { ...leaf, group_state_key: c.stateKey() }
  await refused("a commit that does something else", "not_allowed", "add_clients", await s.request("add_clients", await c.prepare(), again))
  const gone = { auth_type: "joiner", key_id: random(32), key: c.leafKey, group_state_key: c.stateKey() }
  await refused("a Welcome that nobody was sent", "not_allowed", "welcome_info", await s.request("welcome_info", { group: c.group }, gone))

  // Payment.
  const unpaid = await refused("no token", "token_required", "connection_packages", await s.request("connection_packages", { pool: random(16), contact: null }, {}, { tokens: [] }))
  const terms = s.provider.prices.classes[s.provider.prices.prices["connection-key-package"].class]
  const challenge = Buffer.from(challengeOf(s.provider, terms)).toString("base64url")
  const [value] = unpaid.error.challenges.map((v) => Buffer.from(v).toString())
  assert(value.startsWith("PrivateToken ") && value.replaceAll("=", "").includes(challenge), value)
  assert.equal(unpaid.headers.get("www-authenticate"), value)
  const tokens = await s.purse.take("connection-key-package")
  const fetching = (pool) => s.request("connection_packages", { pool, contact: null }, {}, { tokens })
  const taking = await fetching(random(16))
  await refused("an empty pool", "exhausted", "connection_packages", taking)
  await refused("the same request again", "exhausted", "connection_packages", taking)
  await refused("a spent token", "token_spent", "connection_packages", await fetching(random(16)))
  await refused("a token for what is free", "token_invalid", "configure_queue", await configure({ tokens: await s.purse.take("connection-key-package") }))
  const forged = await s.purse.take("connection-key-package")
  forged[0][forged[0].length - 1] ^= 1
  await refused("a forged token", "token_invalid", "connection_packages", await s.request("connection_packages", { pool: random(16), contact: null }, {}, { tokens: forged }))
  const burst = await s.purse.take("burst")
  assert(!(await s.post("send_message", await send(again, { tokens: burst }))).answer.refused)

  // What is answered alike.
  const asked = await s.ask("connection_request", { address: { kind: "reusable", key_id: random(8), kem_output: random(32), ciphertext: random(48) }, offer: random(100) })
  assert.deepEqual(asked, {})

  // A newer reader, and the stream. The older one may not have come to wait when a
  // newer one comes; then another does.
  let replaced, pages, answer
  const waiting = s.post("read_queue", await s.request("read_queue", { queue: c.queue, after: 2 ** 40, max: 0, wait: 50 }, owner))
  waiting.then((r) => { replaced = r })
  for (;;) {
    pages = stream(s, await s.request("read_queue", { queue: c.queue, after: 0, max: 0, wait: 0 }, owner));
    ({ value: answer } = await pages.next())
    await Promise.race([waiting, new Promise((resolve) => setTimeout(resolve, 200))])
    if (replaced) break
    await pages.return()
  }
  assert.equal(replaced.answer.error?.code, "replaced")
  assert.equal(replaced.status, statuses.replaced)
  made.push("an older reader")
  while (!decode("QueuePage", answer.body).empty) ({ value: answer } = await pages.next())
  await pages.return()
  return made
}

// stream returns the responses of a stream as they come.
async function* stream(s, request) {
  const response = await fetch(s.url("read_queue").replace("/queue_read", "/queue_stream"),
    { method: "POST", body: request, headers: { "Content-Type": "application/octet-stream" } })
  let held = new Uint8Array()
  for await (const part of response.body) {
    held = concat(held, part)
    while (held.length >= 4) {
      const n = new DataView(held.buffer, held.byteOffset).getUint32(0)
      if (held.length < 4 + n) break
      yield decode("Response", held.subarray(4, 4 + n))
      held = held.subarray(4 + n)
    }
  }
}
