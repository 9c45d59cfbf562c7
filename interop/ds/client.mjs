// A client with a bare pseudonym whose MLS is ts-mls, written from
// docs/protocol.md. It is in one group at most.

import { Member, open } from "../mls/member.mjs"
import { check } from "./claims.mjs"
import { concat, decode, encode, hex, opaque, utf8 } from "./language.mjs"
import * as sealed from "./sealed.mjs"
import { Services } from "./services.mjs"

const extensionQueueAddress = 0xf0d1
const extensionGroupPolicy = 0xf0d2
const lastResort = 0x000a

// How an MLSMessage begins: version and wire format (RFC 9420, Section 6).
const groupInfoHeader = "00010004"
const keyPackageHeader = "00010005"

const today = () => Math.floor(Date.now() / 86400_000)

const kindOf = { welcome: "join", commit: "commit", proposal: "proposal", application: "text" }

export class Client extends Member {
  after = 0n // the last entry that was read
  addresses = new Map() // how to open what comes by an address or stream
  segments = new Map() // keys by segment
  references = [] // of own KeyPackages
  sent = new Set() // digests of own messages, which come back

  // open makes a client at a provider, with a queue. Without the shims of Member
  // it is quirky.
  static async open({ base, quirks = false, lifetime, ...more }) {
    // The pseudonym is text only because Member takes text.
    const c = await this.make({ suite: 1, name: hex(sealed.random(16)), proposals: [], quirks })
    c.supported = [extensionQueueAddress, extensionGroupPolicy]
    const now = BigInt(Math.floor(Date.now() / 1000))
    if (lifetime !== "theirs") c.lifetime = { notBefore: now - 3600n, notAfter: now + 30n * 86400n }
    c.services = await Services.of(base)
    c.home = utf8(c.services.provider.domain)
    c.owner = sealed.random(32)
    c.segmentKey = sealed.newKey()
    const { queue } = await c.asOwner("create_queue", { owner_key: sealed.publicKey(c.owner), segment_key: c.segmentKey,
      settings: { version: 1, max_entries: 0, max_bytes: 0, ttl_days: 0, overflow: "refuse", push: "" } })
    if (hex(queue) !== hex(sealed.queueID(sealed.publicKey(c.owner)))) throw new Error("another queue")
    c.queue = queue
    const [first] = await c.services.ask("address_keys", {})
    c.addressKey = first.key
    await c.settle(more)
    return c
  }

  // settle, packageExtensions, content, text, joined, committed and offered are for
  // clients that do more.
  settle() {}
  packageExtensions() {
    return []
  }
  content(text) {
    return { data: utf8(text) }
  }
  text(content) {
    return new TextDecoder().decode(content)
  }
  joined() {}
  committed() {}
  offered() {
    return { kind: "unknown" }
  }

  asOwner(operation, body) {
    return this.services.ask(operation, body, { auth_type: "queue", key: this.owner })
  }

  asLeaf(operation, body) {
    return this.services.ask(operation, body,
      { auth_type: "leaf", leaf: this.state.privatePath.leafIndex, key: this.leafKey, group_state_key: this.stateKey() })
  }

  stateKey(state = this.state) {
    return sealed.exported(state.keySchedule.exporterSecret, "pseudods group state key", state.groupContext.groupId)
  }

  // leafKey is the private key of the leaf, at the end of its PKCS #8 form.
  get leafKey() {
    return this.signer.signKey.slice(-32)
  }

  get group() {
    return this.state.groupContext.groupId
  }

  // address makes a QueueAddress that is opened as how says.
  async address(kind, how, group) {
    const nonce = sealed.random(16)
    const address = sealed.random(16)
    const use = group && { domain: this.home, binding: sealed.binding(nonce, group) }
    this.addresses.set(hex(address), how)
    return { domain: this.home, sealed: await sealed.sealAddress(this.addressKey, kind, { queue: this.queue, address }, use), nonce }
  }

  async boundAddress(group) {
    const secret = sealed.random(32)
    return { address: await this.address("bound", { secret }, group), secret }
  }

  // invitable makes a KeyPackage by which the client can be added.
  async invitable({ last = false } = {}) {
    const welcomeKey = sealed.newKey()
    const address = await this.address(last ? "reusable" : "one_time", { welcomeKey })
    const data = encode("KeyPackageAddress", { address, welcome_key: welcomeKey.public })
    const extensions = [{ type: extensionQueueAddress, data }, ...this.packageExtensions()]
    if (last) extensions.push({ type: lastResort, data: new Uint8Array() })
    const { message } = await this.keyPackage({ extensions })
    const keyPackage = inner(message)
    this.references.push(sealed.sha256(concat(opaque(utf8("MLS 1.0 KeyPackage Reference")), opaque(keyPackage))))
    return { keyPackage }
  }

  // publish puts two KeyPackages into a pool, from which who has the contact
  // token may fetch, and which open for who has the link_wrap.
  async publish(args) {
    const linkWrap = args?.linkWrap ?? sealed.random(32)
    const token = sealed.random(32)
    const key = sealed.random(32)
    const pool = sealed.poolID(sealed.publicKey(key))
    const by = { auth_type: "queue", key }
    const packages = [await this.invitable(), await this.invitable({ last: true })]
    const packageKey = sealed.groupPackageKey(linkWrap)
    const status = await this.services.ask("publish_key_packages", { pool_key: sealed.publicKey(key), kind: "group", batch: 1, first: 0,
      key_packages: packages.map((p, i) => ({ sealed: sealed.sealKeyPackage(packageKey, pool, p.keyPackage), last_day: today() + 29, last_resort: i === 1 })), last: true }, by)
    if (status.left !== 1) throw new Error(`${status.left} KeyPackages`)
    await this.services.ask("allow_contact", { pool, contact: sealed.contactHash(pool, token), allow: true }, by)
    return { pool, token, link_wrap: linkWrap }
  }

  // found creates a group, with a policy and extensions of its GroupContext.
  async found({ group, policy = null, extensions = [] }) {
    group ??= (await this.services.ask("request_group_id", {})).group
    if (policy) extensions.push({ type: extensionGroupPolicy, data: encode("GroupPolicy", policy) })
    await this.create({ groupID: group, extensions })
    await this.services.ask("create_group", await this.creation(), { auth_type: "joiner", key_id: "", key: this.leafKey, group_state_key: this.stateKey() })
    return { group }
  }

  // creation is the body that creates the client's group.
  async creation() {
    const { message } = await this.groupInfo({ inlineTree: false })
    return { group: this.group, group_info: message, tree: this.tree().tree, address: await this.boundAddress(this.group), roster: null }
  }

  // change commits and hands the commit in. A refused one is dropped.
  async change({ operation, proposals, joiners }) {
    return this.hand(operation, await this.prepare({ proposals, joiners }), (o, b) => this.asLeaf(o, b))
  }

  // prepare makes a commit, which is then pending, and the body to hand it in.
  async prepare({ proposals = [], joiners = [] } = {}) {
    const made = await this.commit({ proposals, isPublic: true, inlineTree: false })
    const next = this.stateKey(this.pending)
    const added = await Promise.all(joiners.map(async (kp) => {
      const secret = sealed.random(32)
      const { extensions } = open(concat(keyPackageHeader, kp)).keyPackage
      const { welcome_key } = decode("KeyPackageAddress", extensions.find((e) => e.extensionType === extensionQueueAddress).extensionData)
      const info = encode("JoinInfo", { group_state_key: next, delivery_secret: secret, roster: null })
      return { secret, join_info: await sealed.sealBox({ kem: "x25519", public: welcome_key }, sealed.joinInfo, this.group, info) }
    }))
    return this.body(made, added, null)
  }

  // body is a GroupCommit of the pending commit, with a full GroupInfo.
  body(made, joiners, address) {
    return { group: this.pending.groupContext.groupId, commit: made.commit, welcome: made.welcome ?? "", group_info: made.groupInfo, partial_group_info: "",
      next_key: this.stateKey(this.pending), joiners, address, roster: null }
  }

  async hand(operation, body, ask) {
    const { epoch } = await ask(operation, body)
    this.sent.add(hex(sealed.sha256(body.commit)))
    this.merge()
    return { epoch }
  }

  // add adds somebody by a KeyPackage.
  add({ keyPackage }) {
    const message = concat(keyPackageHeader, keyPackage)
    return this.change({ operation: "add_users", proposals: [{ type: "add", keyPackage: message }], joiners: [keyPackage] })
  }

  removeUser({ leaf }) {
    return this.change({ operation: "remove_users", proposals: [{ type: "remove", leaf }] })
  }

  renew() {
    return this.change({ operation: "update" })
  }

  // enter joins by an external commit, in place of the old leaf if it rejoins.
  async enter({ group, stateKey, rejoin }) {
    const info = await this.services.ask("external_commit_info", { group }, { group_state_key: stateKey })
    const made = await this.joinExternal({ groupInfo: concat(groupInfoHeader, info.group_info), tree: info.tree, rejoin })
    const by = { auth_type: "joiner", key_id: "", key: this.leafKey, group_state_key: stateKey }
    const body = this.body(made, [], await this.boundAddress(group))
    return this.hand(rejoin ? "rejoin" : "external_join", body, (o, b) => this.services.ask(o, b, by))
  }

  async say({ text }) {
    const { message } = await this.send(this.content(text))
    this.sent.add(hex(sealed.sha256(message)))
    const { sequence } = await this.asLeaf("send_message", { group: this.group, message })
    return { sequence }
  }

  // poll takes what is in the queue, waiting if there is nothing, and returns what
  // happened.
  async poll({ wait = 0 } = {}) {
    const events = []
    for (;;) {
      const page = await this.asOwner("read_queue", { queue: this.queue, after: this.after, max: 0, wait: events.length ? 0 : wait })
      const tickets = []
      for (const s of page.segments) this.segments.set(s.start, await sealed.segmentKey(this.segmentKey, this.queue, s.kem_output))
      for (const entry of page.entries) {
        const item = decode("Item", sealed.openQueueEntry(this.segments.get(entry.segment), entry.counter, entry.ciphertext))
        if (item.stored) tickets.push(item.ticket)
        const event = await this.take(item)
        if (event) events.push(event)
        this.after = entry.seq
      }
      if (page.entries.length > 0) await this.asOwner("ack_queue", { queue: this.queue, upto: this.after, tickets })
      if (page.empty) return { events }
    }
  }

  // senderOf returns the leaf that sent an application message of the present epoch,
  // and the message.
  senderOf(message) {
    const m = open(message).privateMessage
    if (m.epoch !== this.state.groupContext.epoch) throw new Error("a message of another epoch")
    const place = sealed.openSenderData(this.state.keySchedule.senderDataSecret, m)
    return { leaf: this.state.ratchetTree[2 * place].leaf, m }
  }

  // franked returns the content of a message, which could be reported unless its
  // sender is a bare pseudonym.
  franked({ leaf, m }, application, frank) {
    const { identity } = leaf.credential
    if (identity.length <= 128) {
      if (frank !== null) throw new Error("a bare pseudonym's message is franked")
      return application
    }
    const { key, content } = decode("FrankedContent", application)
    const tag = sealed.frankingTag(key, { group: this.group, epoch: m.epoch, content })
    if (hex(tag) !== hex(m.authenticatedData)) throw new Error("the tag does not open")
    const by = this.services.provider.keys.map((k) => new Uint8Array(Buffer.from(k, "base64"))).find((k) => hex(sealed.frankKeyID(k)) === hex(frank.key))
    const tbs = encode("FrankTBS", { domain: this.home, group: this.group, sender: sealed.frankedSender(identity, leaf.signaturePublicKey),
      epoch: m.epoch, day: frank.day, tag })
    if (by === undefined || !sealed.verify(by, sealed.frankLabel, tbs, frank.signature)) throw new Error("the frank does not verify")
    if (Math.abs(Number(frank.day) - today()) > 1) throw new Error(`franked on day ${frank.day}`)
    return content
  }

  async payload(item) {
    if (!item.stored) return item.inline
    const [payload] = await this.services.ask("fetch_payloads", { tickets: [item.ticket] })
    return payload
  }

  async take(item) {
    const via = this.addresses.get(hex(item.address))
    if (via === undefined) return { kind: "unknown" }
    if (item.kind === "offer") return this.offered(item.inline ?? (await this.payload(item)))
    const stream = hex(item.stream ?? item.address)
    const secret = via.secret ?? via.joined?.get(stream)
    const entry = decode("EntryContent", secret ? sealed.openEntry(secret, item.entry) : await sealed.openWelcomeEntry(via.welcomeKey, item.entry))
    const fanout = decode("Fanout", sealed.openPayload(entry.payload_key, await this.payload(item)))
    const event = { kind: kindOf[fanout.kind] ?? fanout.kind, sequence: entry.sequence }
    if (fanout.kind === "welcome") return { ...event, ...(await this.accept(fanout, via, stream)) }
    if (this.sent.delete(hex(sealed.sha256(fanout.message)))) return { ...event, own: true }
    if (!this.state || hex(fanout.group) !== hex(this.group) || this.state.groupActiveState.kind !== "active") return { ...event, kind: "late" }
    const sender = fanout.kind === "application" && this.senderOf(fanout.message)
    const { application } = await this.process({ message: fanout.message })
    if (application) event.text = this.text(this.franked(sender, application, fanout.frank), sender)
    if (this.state.groupActiveState.kind !== "active") event.kind = "removed"
    else if (fanout.kind === "commit") this.committed(fanout.roster)
    return { ...event, epoch: this.state.groupContext.epoch }
  }

  // accept joins by a Welcome.
  async accept(fanout, via, stream) {
    const info = decode("JoinInfo", await sealed.openBox(via.welcomeKey, sealed.joinInfo, fanout.group, fanout.join_info))
    via.joined ??= new Map()
    via.joined.set(stream, info.delivery_secret)
    const ref = this.welcomed(fanout.message)
    const answer = await this.services.ask("welcome_info", { group: fanout.group },
      { auth_type: "joiner", key_id: ref, key: this.leafKey, group_state_key: info.group_state_key })
    await this.joinWelcome({ welcome: fanout.message, tree: answer.tree })
    if (this.state.privatePath.leafIndex !== answer.leaf) throw new Error("the service names another leaf")
    if (hex(this.stateKey()) !== hex(info.group_state_key)) throw new Error("the adder's group state key is another")
    this.joined(answer.roster, info.roster)
    await this.asLeaf("update_queue_address", { group: this.group, address: await this.boundAddress(this.group) })
    return { epoch: answer.epoch }
  }

  // welcomed returns the reference of the KeyPackage that a Welcome is for.
  welcomed(message) {
    const ref = this.references.find((r) => Buffer.from(message).includes(r))
    if (ref === undefined) throw new Error("the Welcome is for none of the KeyPackages")
    return ref
  }

  // forget loses the state of the group, but for the signature key.
  forget() {
    this.state = undefined
  }

  // claims puts the page's claims to the server.
  async claims() {
    return { made: await check(this) }
  }

  key() {
    return { group: this.group, stateKey: this.stateKey() }
  }
}

// inner returns what is in an MLSMessage, after version and wire format.
const inner = (message) => message.subarray(4)
