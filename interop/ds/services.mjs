// Requests to a provider's services over HTTP.

import { readFileSync } from "node:fs"
import { decode, encode, utf8 } from "./language.mjs"
import { random, sign } from "./sealed.mjs"
import { Purse } from "./tokens.mjs"

// operations are the rows of the tables on docs/protocol.md, by name.
const page = readFileSync(new URL("../../docs/protocol.md", import.meta.url), "utf8")
const operations = {}
for (const [, name, number, path, , , price, body, answer] of page.matchAll(/^\| (\w+) \| (0x\w+) \| `(\/\w+)` \| (.*?) \| (.*?) \| `?(.*?)`? \| (\w*) \| (\w*) \|$/gm)) {
  operations[name] = { path, price, body: body === "empty" ? "Empty" : body, answer: answer === "empty" ? "Empty" : answer, queue: Number(number) >= 0x100 }
}

// Refused is an error that a service answered with.
export class Refused extends Error {
  constructor(error) {
    super(JSON.stringify(error, (_, v) => typeof v === "bigint" ? String(v) : v))
    this.name = error.code
    this.error = error
  }
}

export class Services {
  static async of(base) {
    const response = await fetch(base + "/.well-known/pseudods")
    const s = new Services()
    s.provider = await response.json()
    s.purse = new Purse(s.provider)
    return s
  }

  // ask sends a request and returns the answer. by is {auth_type, ...} with the
  // private key of Ed25519 that signs, if any.
  async ask(operation, body, by) {
    return this.send(operation, await this.request(operation, body, by))
  }

  // request makes an encoded request. Of its content, change may change anything
  // before it is signed.
  async request(operation, body, { auth_type = "none", key, group_state_key = null, ...auth } = {}, change = {}) {
    const op = operations[operation]
    const content = {
      version: "v1", recipient_domain: utf8(this.provider.domain), operation, body: encode(op.body, body), group_state_key,
      expires_at: now() + Math.min(60, this.provider.limits.request_life || 60), nonce: random(16),
      tokens: change.tokens ?? await this.purse.take(op.price), auth_type, ...auth, ...change,
    }
    const signature = key && sign(key, "pseudods 1.0 Request", encode("RequestTBS", content))
    return encode("Request", { content, signature })
  }

  // send sends an encoded request. If there is no answer it sends it again.
  async send(operation, request) {
    for (let attempt = 0; ; attempt++) {
      try {
        const { answer } = await this.post(operation, request)
        if (answer.refused) throw new Refused(answer.error)
        return decode(operations[operation].answer, answer.body)
      } catch (e) {
        if (e instanceof Refused || attempt === 3) throw e
      }
    }
  }

  // url is where an operation's requests go.
  url(operation) {
    const { queue, path } = operations[operation]
    return (queue ? this.provider.qs : this.provider.ds).replace(/\/$/, "") + path
  }

  async post(operation, request, { url = this.url(operation), type = "application/octet-stream" } = {}) {
    const response = await fetch(url, { method: "POST", body: request, headers: { "Content-Type": type } })
    const octets = new Uint8Array(await response.arrayBuffer())
    return { status: response.status, headers: response.headers, octets, answer: decode("Response", octets) }
  }
}

export const now = () => Math.floor(Date.now() / 1000)
