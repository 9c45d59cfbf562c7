// A client of a user with a name: it has a contact card, a full credential with an
// identity link, and reads the roster. Also from docs/protocol.md alone.

import { Client } from "./client.mjs"
import { concat, decode, encode, hex, utf8 } from "./language.mjs"
import * as sealed from "./sealed.mjs"

const extensionLinkKey = 0xf0d3
const basic = 1

const linkAAD = (c) => concat(utf8(sealed.linkLabel), c.client, c.user)

export class Person extends Client {
  members = new Map() // link keys by client pseudonym
  version = 0

  settle({ name }) {
    this.supported.push(extensionLinkKey)
    this.realKey = sealed.random(32)
    this.identity = encode("CardIdentity", { credential_type: basic, name: utf8(name), key: sealed.publicKey(this.realKey) })
    this.linkWrap = sealed.random(32)
    this.linkKey = sealed.random(32)
    this.offerKey = sealed.newKey()
    const pseudonym = { client: sealed.random(16), user: sealed.random(16), provider: this.home, user_auth_key: sealed.publicKey(sealed.random(32)) }
    const tbs = encode("IdentityLinkTBS", { ...pseudonym, leaf_key: this.signer.publicKey })
    const content = encode("IdentityLinkContent", { credential_type: basic, identity: utf8(name), key: sealed.publicKey(this.realKey),
      signature: sealed.sign(this.realKey, sealed.linkLabel, tbs), zeros: "" })
    const padded = concat(content, new Uint8Array((256 - (content.length % 256)) % 256))
    this.pseudonym = { ...pseudonym, identity_link: sealed.sealNonced(this.linkKey, linkAAD(pseudonym), padded) }
    this.credential = { credentialType: "basic", identity: encode("PseudonymousCredential", this.pseudonym) }
  }

  packageExtensions() {
    const aad = concat(utf8(sealed.wrapLabel), this.pseudonym.client)
    return [{ type: extensionLinkKey, data: sealed.sealNonced(this.linkWrap, aad, this.linkKey) }]
  }

  // card makes the client's card, as text.
  async card() {
    const address = sealed.random(16)
    this.addresses.set(hex(address), {})
    const content = { version: "v1", domain: this.home, address: await sealed.sealAddress(this.addressKey, "reusable", { queue: this.queue, address }),
      offer_key: this.offerKey, pools: [], package_key: sealed.connectionPackageKey(this.linkWrap), identity: this.identity }
    const tbs = encode("ContactCardTBS", { label: utf8("pseudods 1.0 ContactCard"), ...content })
    this.ownCard = { ...content, signature: sealed.sign(this.realKey, "pseudods 1.0 ContactCard", tbs) }
    return { card: "pseudods-card:" + Buffer.from(encode("ContactCard", this.ownCard)).toString("base64url") }
  }

  // offered takes an offer that came to the own card.
  async offered(offer) {
    const contact = decode("Contact", await sealed.openOffer(this.offerKey, encode("SealedAddress", this.ownCard.address), offer))
    const { key, name } = decode("CardIdentity", contact.card.identity)
    const { signature, ...content } = contact.card
    check(key, "pseudods 1.0 ContactCard", encode("ContactCardTBS", { label: utf8("pseudods 1.0 ContactCard"), ...content }), signature)
    check(key, "pseudods 1.0 Contact", tbsFor(this.ownCard, contact), contact.signature)
    this.asked = { contact, offer }
    return { kind: "offer", name: new TextDecoder().decode(name), text: new TextDecoder().decode(contact.content) }
  }

  // accept answers the offer that came last with the right to add this client.
  async acceptOffer() {
    const { card } = this.asked.contact
    const { pool, token } = await this.publish({ linkWrap: this.linkWrap })
    const contact = { card: this.ownCard, version: ++this.version, token, pools: [pool], link_wrap: this.linkWrap,
      accepts: sealed.offerHash(this.asked.offer), content: "" }
    contact.signature = sealed.sign(this.realKey, "pseudods 1.0 Contact", tbsFor(card, contact))
    await this.services.ask("connection_request", { address: card.address, offer: await sealed.sealOffer(card.offer_key, card.address, contact) })
  }

  content(text) {
    const content = encode("MemberContent", { kind: "text", id: sealed.random(16), text: utf8(text) })
    const key = sealed.random(32)
    const authenticatedData = sealed.frankingTag(key, { group: this.group, epoch: this.state.groupContext.epoch, content })
    return { data: encode("FrankedContent", { key, content }), authenticatedData }
  }

  text(content) {
    const c = decode("MemberContent", content)
    return c.kind === "text" ? super.text(c.text) : ""
  }

  // franked keeps what it takes to report the message that came last.
  franked(sender, application, frank) {
    const content = super.franked(sender, application, frank)
    this.last = { sender, message: { ...decode("FrankedContent", application), epoch: sender.m.epoch, frank } }
    return content
  }

  // report reports who sent the message that came last.
  async report({ content } = {}) {
    const { sender, message } = this.last
    if (content !== undefined) message.content = utf8(content)
    const credential = decode("PseudonymousCredential", sender.leaf.credential.identity)
    await this.asLeaf("report_abuse", { group: this.group, credential, signature_key: sender.leaf.signaturePublicKey,
      link_key: this.members.get(hex(credential.client)), messages: [message], reason: 1, note: utf8("from elsewhere") })
  }

  // joined reads the roster of the group.
  joined(roster, key) {
    this.roster = { generation: roster.generation, key: key.key, parts: 0 }
    if (key.generation !== roster.generation) throw new Error("key of another generation of the roster")
    for (const part of roster.parts) this.addPart(part)
  }

  // committed follows a commit in the roster.
  committed(part) {
    if (part === null || !this.roster) return
    if (part.generation === this.roster.generation + 1n) {
      this.members.clear()
      const key = sealed.exported(this.state.keySchedule.exporterSecret, "pseudods roster key", this.group)
      this.roster = { generation: part.generation, key, parts: 0 }
    }
    this.addPart(part.part)
  }

  addPart(part) {
    const { generation, key } = this.roster
    const aad = encode("RosterContext", { label: utf8("pseudods 1.0 Roster"), group: this.group, generation, part: this.roster.parts++ })
    for (const { client, link_key } of decode("RosterContent", sealed.openNonced(key, aad, part))) {
      if (!this.members.has(hex(client))) this.members.set(hex(client), link_key)
    }
  }

  // names returns who is behind the members, as far as their links prove it.
  names() {
    const names = []
    for (const node of this.state.ratchetTree) {
      if (node?.nodeType !== "leaf") continue
      const c = decode("PseudonymousCredential", node.leaf.credential.identity)
      const link = decode("IdentityLinkContent", sealed.openNonced(this.members.get(hex(c.client)), linkAAD(c), c.identity_link))
      const { identity_link, ...pseudonym } = c
      check(link.key, sealed.linkLabel, encode("IdentityLinkTBS", { ...pseudonym, leaf_key: node.leaf.signaturePublicKey }), link.signature)
      names.push(new TextDecoder().decode(link.identity))
    }
    return { names: names.sort() }
  }
}

const tbsFor = (card, contact) => encode("ContactTBS", { label: utf8("pseudods 1.0 Contact"), to_address: card.address, to_offer_key: card.offer_key, ...contact })

function check(key, label, content, signature) {
  if (!sealed.verify(key, label, content, signature)) throw new Error(`signature: ${label}`)
}
