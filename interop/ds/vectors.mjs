// Checks the vectors of this repository with an implementation that was written
// from docs/protocol.md. It prints one line, or throws.

import { strict as assert } from "node:assert"
import { existsSync, readFileSync } from "node:fs"
import { gunzipSync } from "node:zlib"
import { bytes, concat, decode, encode, hex, Malformed, opaque, types, utf8 } from "./language.mjs"
import * as sealed from "./sealed.mjs"

function read(file) {
  const path = new URL(`../../${file}`, import.meta.url)
  const plain = existsSync(path) ? readFileSync(path) : gunzipSync(readFileSync(new URL(path + ".gz")))
  const list = JSON.parse(plain)
  assert(list.length > 0)
  return list
}

// plain makes a decoded value look as vectors have it in JSON.
function plain(v) {
  if (v instanceof Uint8Array) return hex(v)
  if (typeof v === "bigint" || typeof v === "boolean") return String(v)
  if (Array.isArray(v)) return v.map(plain)
  if (v === null || typeof v !== "object") return v
  return Object.fromEntries(Object.entries(v).map(([name, field]) => [name, plain(field)]))
}

function value({ type, fields, encoded }) {
  const b = bytes(encoded)
  assert.deepEqual(plain(decode(type, b)), fields)
  assert.equal(hex(encode(type, fields)), encoded)
  if (types[type].size === "rest") return b
  for (let n = 0; n < b.length; n++) {
    if (n < 300 || n > b.length - 300) assert.throws(() => decode(type, b.subarray(0, n)), Malformed)
  }
  assert.throws(() => decode(type, concat(b, Uint8Array.of(0))), Malformed)
  return b
}

const counts = {}
function each(file, f) {
  const list = read(file)
  counts[file.split("/").at(-1)] = list.length
  return list.map((v) => {
    try {
      return f(v)
    } catch (e) {
      throw new Error(`${file}: ${v.name ?? v.what}: ${e.message}`, { cause: e })
    }
  })
}

each("pseudods/wire/testdata/structures.json", value)

each("pseudods/wire/testdata/requests.json", (v) => {
  const request = value(v.request)
  const { content, signature } = decode("Request", request)
  assert.equal(hex(encode("RequestTBS", content)), v.to_be_signed)
  assert.equal(content.operation, v.operation)
  assert.equal(hex(sealed.sha256(request)), v.digest)
  assert.deepEqual(content.body, value(v.body))
  assert.deepEqual(decode("Response", value(v.response)).body, value(v.answer))
  assert.equal(v.signer === null, content.auth_type === "none")
  if (v.signer) {
    assert.equal(hex(sealed.publicKey(v.signer.private_key)), v.signer.public_key)
    assert(sealed.verify(v.signer.public_key, "pseudods 1.0 Request", bytes(v.to_be_signed), signature))
    assert.equal(hex(sealed.sign(v.signer.private_key, "pseudods 1.0 Request", bytes(v.to_be_signed))), hex(signature))
    assert(!sealed.verify(v.signer.public_key, "pseudods 1.0 Request", request, signature))
  }
})

each("pseudods/wire/testdata/refused.json", ({ type, encoded, reason }) => {
  if (reason === "rule") decode(type, bytes(encoded))
  else assert.throws(() => decode(type, bytes(encoded)), Malformed)
})

const derivations = {
  queue: (v) => hex(sealed.queueID(v.owner_key)),
  pool: (v) => hex(sealed.poolID(v.pool_key)),
  address_key: (v) => hex(sealed.addressKeyID(v.key)),
  binding: (v) => hex(sealed.binding(v.nonce, v.group)),
  stream: (v) => hex(sealed.streamID(v.address, v.domain, v.binding)),
  contact: (v) => hex(sealed.contactHash(v.pool, v.token)),
  offer: (v) => hex(sealed.offerHash(v.offer)),
  contact_card_tbs: (v) => hex(encode("ContactCardTBS", { label: utf8("pseudods 1.0 ContactCard"), ...decode("ContactCard", bytes(v.card)) })),
  contact_tbs: (v) => {
    const { address, offer_key } = decode("ContactCard", bytes(v.to))
    return hex(encode("ContactTBS", { label: utf8("pseudods 1.0 Contact"), to_address: address, to_offer_key: offer_key, ...decode("Contact", bytes(v.contact)) }))
  },
  franking_tag: (v) => hex(sealed.frankingTag(v.key, { group: bytes(v.group), epoch: BigInt(v.epoch), content: bytes(v.content) })),
  franked_sender: (v) => {
    const { identity } = decode("FrankedSender", concat(bytes(v.credential), opaque(bytes(v.signature_key))))
    return hex(sealed.frankedSender(identity, bytes(v.signature_key)))
  },
  frank_key: (v) => hex(sealed.frankKeyID(bytes(v.public_key))),
  frank_tbs: (v) => hex(encode("FrankTBS", { ...v, what: undefined, value: undefined, epoch: BigInt(v.epoch), day: BigInt(v.day) })),
  number: (v) => String(sealed.deliveryNumber(v.secret, v.sequence)),
  padded_size: (v) => String(sealed.paddedSize(v.octets)),
  exported: (v) => hex(sealed.exported(v.exporter_secret, v.label, v.group)),
}
each("pseudods/wire/testdata/derived.json", (v) => assert.equal(derivations[v.what](v), v.value))

const openers = {
  address: (v) => sealed.openAddress(v.key, bytes(v.context.encoded), decode("SealedAddress", bytes(v.sealed))),
  entry: (v) => sealed.openEntry(v.delivery_secret, v.sealed),
  welcome_entry: (v) => sealed.openWelcomeEntry(v.key, v.sealed),
  payload: (v) => sealed.openPayload(v.payload_key, v.sealed),
  segment: async (v) => sealed.openQueueEntry(await sealed.segmentKey(v.key, v.queue, v.kem_output), v.counter, v.sealed),
  join_info: (v) => sealed.openBox(v.key, sealed.joinInfo, v.group, v.sealed),
  access_grant: (v) => sealed.openBox(v.key, sealed.accessGrant, v.group, v.sealed),
  offer: (v) => sealed.openOffer(v.key, v.address, v.sealed),
  identity_link: (v) => {
    const c = decode("PseudonymousCredential", value(v.credential))
    const b = sealed.openNonced(v.link_key, concat(utf8(sealed.linkLabel), c.client, c.user), v.sealed)
    const { key, signature, zeros } = decode("IdentityLinkContent", b)
    const { identity_link, ...tbs } = c
    assert.equal(hex(identity_link), v.sealed)
    assert.equal(hex(encode("IdentityLinkTBS", { ...tbs, leaf_key: v.leaf_key })), v.to_be_signed)
    assert(sealed.verify(key, sealed.linkLabel, bytes(v.to_be_signed), signature), "signature")
    assert(zeros.length < 256 && zeros.every((o) => o === 0), "padding")
    return b
  },
  sealed_link_key: (v) => sealed.openNonced(v.link_wrap, concat(utf8(sealed.wrapLabel), v.client), v.sealed),
  roster_part: (v) => {
    const b = sealed.openNonced(v.roster_key, bytes(v.context.encoded), v.sealed)
    const clients = decode("RosterContent", b).map((link) => hex(link.client))
    assert.deepEqual(clients, [...new Set(clients)].sort(), "order")
    return b
  },
}
const open = async (v) => {
  if (v.content === null) return assert.rejects(async () => openers[v.kind](v), `${v.name} opens`)
  assert.equal(hex(await openers[v.kind](v)), v.content.encoded, v.name)
  decode(v.content.type, bytes(v.content.encoded))
}
await Promise.all([...each("pseudods/seal/testdata/sealed.json", open), ...each("client/identity/testdata/links.json", open)])

console.log("vectors: " + Object.entries(counts).map(([file, n]) => `${n} of ${file}`).join(", "))
