// Tokens of one provider's classes, issued for a proof of work: sections "Payment"
// and "Getting tokens" of docs/protocol.md.

import { argon2id } from "@noble/hashes/argon2.js"
import { concat, encode, uint, utf8 } from "./language.mjs"
import { random, sha256 } from "./sealed.mjs"
import * as ristretto from "../privacypass/ristretto.mjs"

const AMORTIZED = "application/private-token-amortized-batch"
const base64url = (b) => Buffer.from(b).toString("base64url") + "=".repeat((3 - (b.length % 3)) % 3)
const opaque16 = (b) => concat(uint(b.length, 2), b)

// challengeOf returns the TokenChallenge of a class.
export function challengeOf(provider, terms) {
  const scope = Buffer.from(provider.scope ?? "", "base64")
  return concat(uint(terms["token-type"], 2), opaque16(utf8(terms.issuer)), uint(scope.length, 1), scope, opaque16(utf8(provider.domain)))
}

export class Purse {
  tokens = new Map() // by class
  constructor(provider) {
    this.provider = provider
  }

  // take returns what an operation costs.
  async take(priceName) {
    const { classes, prices } = this.provider.prices
    const price = prices[priceName]
    if (price === undefined) return []
    const held = this.tokens.get(price.class) ?? []
    this.tokens.set(price.class, held)
    while (held.length < price.count) held.push(...(await this.fetch(price.class, classes[price.class])))
    return held.splice(0, price.count)
  }

  async fetch(name, terms) {
    if (terms["token-type"] !== ristretto.TYPE) throw new Error(`tokens of type ${terms["token-type"]}`)
    const base = this.provider.issuer.replace(/\/$/, "")
    const issuer = await (await fetch(base + "/issuer.json")).json()
    const { batch_sizes: sizes } = issuer.classes.find((c) => c.name === name)
    const directory = await (await fetch(`${base}/${name}/.well-known/private-token-issuer-directory`)).json()
    const now = Date.now() / 1000
    const key = directory["token-keys"].find((k) => k["token-type"] === ristretto.TYPE && !(k["not-before"] > now))
    const batch = Math.max(...sizes.filter((n) => n <= 8))
    const request = await ristretto.request(new Uint8Array(Buffer.from(key["token-key"], "base64url")), challengeOf(this.provider, terms), batch, batch > 1)
    const type = batch > 1 ? AMORTIZED : "application/private-token"
    const response = await fetch(new URL(directory["issuer-request-uri"], base), {
      method: "POST", body: request.body,
      headers: { "Content-Type": `${type}-request`, Accept: `${type}-response`, Authorization: work(issuer, name, `${type}-request`, request.body, batch) },
    })
    const reply = new Uint8Array(await response.arrayBuffer())
    if (response.status !== 200) throw new Error(`issuer: ${response.status} ${Buffer.from(reply)}`)
    return request.finalize(reply)
  }
}

// work returns an Authorization that proves work for a token request.
function work(issuer, name, mediaType, body, tokens) {
  const { work: cost } = issuer.attesters.find((a) => a.scheme === "ProofOfWork")
  const time = Math.floor(Date.now() / 1000)
  const salt = random(16)
  const input = encode("AttestationInput", { label: utf8("privacypass attester proof of work"), issuer: utf8(issuer.issuer), class: utf8(name),
    media_type: utf8(mediaType), request: sha256(body), time })
  const target = (2n ** 64n - 1n) / BigInt(cost.attempts * tokens)
  for (let nonce = 0; ; nonce++) {
    const h = argon2id(concat(input, uint(nonce, 8)), salt, { t: cost.passes, m: cost.memory_kib, p: 1, dkLen: 8 })
    if (BigInt("0x" + Buffer.from(h).toString("hex")) <= target) return `ProofOfWork time=${time}, salt="${base64url(salt)}", nonce=${nonce}`
  }
}
