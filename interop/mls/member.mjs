// A member that runs ts-mls 1.6.4, and what has to be done around it so that it
// speaks RFC 9420 (marked "shim"). The test quirks_test.go shows what happens
// without.

import { p256, p384, p521 } from "@noble/curves/nist.js"
import * as mls from "ts-mls"
import { encode } from "ts-mls/codec/tlsEncoder.js"
import { decodeVarLenData, varLenDataEncoder } from "ts-mls/codec/variableLength.js"
import { createGroupInfo } from "ts-mls/createCommit.js"
import { getCiphersuiteFromId } from "ts-mls/crypto/ciphersuite.js"
import { makeKeyPackageRef } from "ts-mls/keyPackage.js"
import { signLeafNodeCommit } from "ts-mls/leafNode.js"
import { updateLeafKey } from "ts-mls/privateKeyPath.js"
import { decodeRatchetTree, encodeRatchetTree } from "ts-mls/ratchetTree.js"
import { createInterimHash } from "ts-mls/transcriptHash.js"

export class Member {
  keyPackages = []
  updates = new Map() // private keys of proposed Updates, by public key
  psks = {}
  supported = [] // further extension types
  lifetime = mls.defaultLifetime

  // proposals are further proposal types that the member supports; with quirks
  // it has no shims.
  static async make({ suite, name, proposals, quirks }) {
    const m = new this()
    m.proposals = proposals
    const parameters = getCiphersuiteFromId(suite)
    m.cs = await mls.getCiphersuiteImpl(parameters)
    m.credential = { credentialType: "basic", identity: new TextEncoder().encode(name) }
    m.quirks = quirks
    m.signer = await m.cs.signature.keygen()
    // Shim: public keys of ECDSA are uncompressed points (RFC 9420, Section
    // 5.1.1), ts-mls makes compressed ones.
    const curve = { P256: p256, P384: p384, P521: p521 }[parameters.signature]
    if (curve && !quirks) m.signer.publicKey = curve.getPublicKey(m.signer.signKey, false)
    return m
  }

  async makeKeyPackage(extensions = []) {
    const capabilities = mls.defaultCapabilities() // with GREASE
    capabilities.proposals.push(...this.proposals)
    capabilities.extensions.push(...this.supported)
    return mls.generateKeyPackageWithKey(this.credential, capabilities, this.lifetime, extensions.map(extension), this.signer, this.cs)
  }

  async keyPackage({ extensions } = {}) {
    const kp = await this.makeKeyPackage(extensions)
    this.keyPackages.push(kp)
    return { message: message("mls_key_package", { keyPackage: kp.publicPackage }) }
  }

  async create({ groupID, extensions = [] }) {
    const kp = await this.makeKeyPackage()
    this.state = await mls.createGroup(groupID, kp.publicPackage, kp.privatePackage, extensions.map(extension), this.cs)
  }

  putPSK({ id, key }) {
    this.psks[Buffer.from(id).toString("base64")] = key
  }

  get pskIndex() {
    return mls.makePskIndex(this.state, this.psks)
  }

  async propose({ proposal, isPublic }) {
    const p = await this.proposal(proposal)
    const { newState, message } = await mls.createProposal(this.state, isPublic, p, this.cs)
    this.state = newState
    return { message: mls.encodeMlsMessage(message) }
  }

  async proposal(p) {
    switch (p.type) {
      case "add":
        return { proposalType: "add", add: { keyPackage: open(p.keyPackage).keyPackage } }
      case "remove":
        return { proposalType: "remove", remove: { removed: p.leaf } }
      case "update":
        return this.update()
      case "psk":
        return this.psk({ psktype: "external", pskId: p.id })
      case "resumption":
        return this.psk({
          psktype: "resumption", usage: "application",
          pskGroupId: this.state.groupContext.groupId, pskEpoch: BigInt(p.epoch),
        })
      case "extensions":
        return {
          proposalType: "group_context_extensions",
          groupContextExtensions: { extensions: p.extensions.map(extension) },
        }
      case "reinit":
        return {
          proposalType: "reinit",
          reinit: { groupId: p.groupID, version: "mls10", cipherSuite: this.cs.name, extensions: [] },
        }
      case "custom":
        return { proposalType: p.number, proposalData: p.data }
    }
    throw new Error(`no proposal type ${p.type}`)
  }

  psk(id) {
    const pskNonce = this.cs.rng.randomBytes(this.cs.kdf.size)
    return { proposalType: "psk", psk: { preSharedKeyId: { ...id, pskNonce } } }
  }

  // Shim: ts-mls sends an Update, but neither makes its leaf nor keeps its key.
  async update() {
    const { leafIndex } = this.state.privatePath
    const { groupId } = this.state.groupContext
    const { credential, capabilities, extensions } = this.state.ratchetTree[2 * leafIndex].leaf
    const keys = await this.cs.hpke.generateKeyPair()
    const hpkePublicKey = await this.cs.hpke.exportPublicKey(keys.publicKey)
    this.updates.set(hpkePublicKey.toString(), await this.cs.hpke.exportPrivateKey(keys.privateKey))
    const leafNode = await signLeafNodeCommit({
      leafNodeSource: "update", hpkePublicKey, signaturePublicKey: this.signer.publicKey,
      credential, capabilities, extensions, groupId, leafIndex,
    }, this.signer.signKey, this.cs.signature)
    return { proposalType: "update", update: { leafNode } }
  }

  // commit makes a commit that waits for merge, with what others need of it.
  async commit({ proposals = [], isPublic, inlineTree }) {
    const extraProposals = []
    for (const p of proposals) extraProposals.push(await this.proposal(p))
    const { newState, commit, welcome } = await mls.createCommit(
      { state: this.state, pskIndex: this.pskIndex, cipherSuite: this.cs },
      { wireAsPublicMessage: isPublic, ratchetTreeExtension: inlineTree, extraProposals })
    this.pending = newState
    return {
      commit: mls.encodeMlsMessage(commit),
      welcome: welcome && message("mls_welcome", { welcome }),
      groupInfo: await this.groupInfoOf(newState, inlineTree),
    }
  }

  merge() {
    this.state = this.pending
    this.pending = undefined
  }

  async process({ message }) {
    const m = open(message)
    this.pending = undefined
    await this.adoptUpdate(m)
    const r = await this.read(m, mls.acceptAll)
    this.state = r.newState
    return r.kind === "applicationMessage" ? { application: r.message } : {}
  }

  // read does what processMessage does, which forgets the PSKs when the message
  // is a PrivateMessage (shim).
  read(m, action) {
    if (this.quirks) return mls.processMessage(m, this.state, this.pskIndex, action, this.cs)
    return m.wireformat === "mls_public_message"
      ? mls.processPublicMessage(this.state, m.publicMessage, this.pskIndex, this.cs, action)
      : mls.processPrivateMessage(this.state, m.privateMessage, this.pskIndex, this.cs, action)
  }

  // adoptUpdate puts the new private key in place if m commits an own Update. It
  // reads the message once to see that, without effect.
  async adoptUpdate(m) {
    if (this.quirks || this.updates.size === 0) return
    const { leafIndex } = this.state.privatePath
    let own
    await this.read(m, (incoming) => {
      if (incoming.kind === "commit") {
        own = incoming.proposals.find((p) => p.proposal.proposalType === "update" && p.senderLeafIndex === leafIndex)
      }
      return "reject"
    })
    if (own === undefined) return
    const key = this.updates.get(own.proposal.update.leafNode.hpkePublicKey.toString())
    this.state = { ...this.state, privatePath: updateLeafKey(this.state.privatePath, key) }
    this.updates.clear()
  }

  async send({ data, authenticatedData }) {
    const r = await mls.createApplicationMessage(this.state, data, this.cs, authenticatedData)
    this.state = r.newState
    return { message: message("mls_private_message", { privateMessage: r.privateMessage }) }
  }

  async joinWelcome({ welcome, tree, continues }) {
    const w = open(welcome).welcome
    for (const kp of this.keyPackages) {
      const ref = await makeKeyPackageRef(kp.publicPackage, this.cs.hash)
      if (!w.secrets.some((s) => Buffer.compare(s.newMember, ref) === 0)) continue
      const nodes = tree && decodeRatchetTree(tree, 0)[0]
      // A group that continues another needs the state in that one.
      this.state = await mls.joinGroup(
        w, kp.publicPackage, kp.privatePackage, this.pskIndex, this.cs, nodes, continues ? this.state : undefined)
      return
    }
    throw new Error("the Welcome is for none of the KeyPackages")
  }

  async joinExternal({ groupInfo, tree, rejoin = false }) {
    const info = open(groupInfo).groupInfo
    const kp = await this.makeKeyPackage()
    const { publicMessage, newState } = await mls.joinGroupExternal(
      info, kp.publicPackage, kp.privatePackage, rejoin, this.readingExternalPub(info), tree && decodeRatchetTree(tree, 0)[0])
    this.pending = newState
    return {
      commit: message("mls_public_message", { publicMessage }),
      groupInfo: await this.groupInfoOf(newState, tree === undefined),
    }
  }

  async proposeToJoin({ groupInfo }) {
    const kp = await this.makeKeyPackage()
    this.keyPackages.push(kp)
    const info = open(groupInfo).groupInfo
    const m = await mls.proposeAddExternal(info, kp.publicPackage, kp.privatePackage, this.cs)
    return { message: mls.encodeMlsMessage(m) }
  }

  // successor makes the group that continues this one, and enters it.
  async successor({ branch, groupID, keyPackages }) {
    const kp = await this.makeKeyPackage()
    const others = keyPackages.map((k) => open(k).keyPackage)
    const { newState, welcome, commit } = branch
      ? await mls.branchGroup(this.state, kp.publicPackage, kp.privatePackage, others, groupID, this.cs)
      : await mls.reinitCreateNewGroup(
        this.state, kp.publicPackage, kp.privatePackage, others, groupID, this.cs.name, this.state.groupContext.extensions)
    this.state = newState
    return { commit: mls.encodeMlsMessage(commit), welcome: message("mls_welcome", { welcome }) }
  }

  // proposeFromOutside sends as one of the group's external_senders.
  async proposeFromOutside({ groupInfo, proposal }) {
    const info = open(groupInfo).groupInfo
    const p = await this.proposal(proposal)
    const m = await mls.proposeExternal(info, p, this.signer.publicKey, this.signer.signKey, this.cs)
    return { message: mls.encodeMlsMessage(m) }
  }

  externalSender() {
    return { data: mls.encodeExternalSender({ signaturePublicKey: this.signer.publicKey, credential: this.credential }) }
  }

  async groupInfo({ inlineTree }) {
    return { message: await this.groupInfoOf(this.state, inlineTree) }
  }

  async groupInfoOf(state, inlineTree) {
    if (this.quirks) {
      const make = inlineTree ? mls.createGroupInfoWithExternalPubAndRatchetTree : mls.createGroupInfoWithExternalPub
      return message("mls_group_info", { groupInfo: await make(state, [], this.cs) })
    }
    // Shim: external_pub holds an HPKEPublicKey, which is opaque<V>. ts-mls
    // leaves out the inner length.
    const external = await this.cs.hpke.deriveKeyPair(state.keySchedule.externalSecret)
    const key = await this.cs.hpke.exportPublicKey(external.publicKey)
    const extensions = [{ extensionType: "external_pub", extensionData: encode(varLenDataEncoder)(key) }]
    if (inlineTree) extensions.push({ extensionType: "ratchet_tree", extensionData: encodeRatchetTree(state.ratchetTree) })
    const groupInfo = await createGroupInfo(state.groupContext, state.confirmationTag, state, extensions, this.cs)
    return message("mls_group_info", { groupInfo })
  }

  // readingExternalPub is the other half of that shim.
  readingExternalPub(info) {
    if (this.quirks) return this.cs
    const { hpke } = this.cs
    const { extensionData } = info.extensions.find((e) => e.extensionType === "external_pub")
    // joinGroupExternal imports the extension as it is, and other keys too.
    const importPublicKey = (k) => hpke.importPublicKey(k === extensionData ? decodeVarLenData(k, 0)[0] : k)
    return { ...this.cs, hpke: { ...hpke, importPublicKey } }
  }

  tree() {
    return { tree: encodeRatchetTree(this.state.ratchetTree) }
  }

  async info() {
    const { groupContext: c, keySchedule, groupActiveState, ratchetTree, privatePath } = this.state
    return {
      epoch: c.epoch,
      leaf: privatePath.leafIndex,
      ended: groupActiveState.kind !== "active",
      treeHash: c.treeHash,
      confirmed: c.confirmedTranscriptHash,
      interim: await createInterimHash(c.confirmedTranscriptHash, this.state.confirmationTag, this.cs.hash),
      authenticator: keySchedule.epochAuthenticator,
      exported: await mls.mlsExporter(keySchedule.exporterSecret, "interop", new TextEncoder().encode("context"), 32, this.cs),
      members: ratchetTree.filter((n) => n?.nodeType === "leaf").length,
    }
  }
}

// ts-mls has names for the extension types that it knows, and numbers for others.
function extension({ type, data }) {
  const known = Object.entries(mls.defaultExtensionTypes).find(([, number]) => number === type)
  return { extensionType: known ? known[0] : type, extensionData: data }
}

function message(wireformat, content) {
  return mls.encodeMlsMessage({ version: "mls10", wireformat, ...content })
}

// open reads an MLSMessage.
export function open(octets) {
  const decoded = mls.decodeMlsMessage(octets, 0)
  if (decoded === undefined || decoded[1] !== octets.length) throw new Error("not an MLSMessage")
  return decoded[0]
}
