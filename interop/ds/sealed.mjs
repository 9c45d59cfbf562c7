// The sealed things of docs/protocol.md.

import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, ExportOnly, HkdfSha256 } from "@hpke/core"
import { XWing } from "@hpke/hybridkem-x-wing"
import { gcm } from "@noble/ciphers/aes.js"
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js"
import { ed25519, x25519 } from "@noble/curves/ed25519.js"
import { expand } from "@noble/hashes/hkdf.js"
import { hmac } from "@noble/hashes/hmac.js"
import { sha256 } from "@noble/hashes/sha2.js"
import { bytes, concat, decode, encode, opaque, uint, utf8 } from "./language.mjs"

export { sha256 }

const zeroNonce = new Uint8Array(12)
const suites = {
  x25519: (aead) => new CipherSuite({ kem: new DhkemX25519HkdfSha256(), kdf: new HkdfSha256(), aead }),
  x_wing: (aead) => new CipherSuite({ kem: new XWing(), kdf: new HkdfSha256(), aead }),
}
const suite = (kem) => suites[kem](new Aes256Gcm())
const exporting = (kem) => suites[kem](new ExportOnly())

export const random = (n) => crypto.getRandomValues(new Uint8Array(n))

// Keys: {kem, private, public}, as octets.
export function newKey() {
  const secret = random(32)
  return { kem: "x25519", private: secret, public: x25519.getPublicKey(secret) }
}

// The buffer of a view may hold more than the view.
const buffer = (b) => Uint8Array.from(bytes(b)).buffer

const infoOf = (info) => typeof info === "string" ? utf8(info) : info

async function seal(key, info, aad, plaintext) {
  const s = suite(key.kem)
  const recipientPublicKey = await s.kem.deserializePublicKey(buffer(key.public))
  const sender = await s.createSenderContext({ recipientPublicKey, info: buffer(infoOf(info)) })
  const ciphertext = await sender.seal(buffer(plaintext), buffer(aad))
  return { kem_output: new Uint8Array(sender.enc), ciphertext: new Uint8Array(ciphertext) }
}

async function recipient(s, key, info, kemOutput) {
  const recipientKey = await s.kem.deserializePrivateKey(buffer(key.private))
  return s.createRecipientContext({ recipientKey, enc: buffer(kemOutput), info: buffer(infoOf(info)) })
}

async function open(key, info, aad, kemOutput, ciphertext) {
  const context = await recipient(suite(key.kem), key, info, kemOutput)
  return new Uint8Array(await context.open(buffer(ciphertext), buffer(aad)))
}

// Identifiers and digests.
const labelled = (label, ...data) => sha256(concat(Uint8Array.of(label.length), utf8(label), ...data))
export const queueID = (ownerKey) => labelled("pseudods 1.0 queue", ownerKey).subarray(0, 16)
export const poolID = (poolKey) => labelled("pseudods 1.0 pool", poolKey).subarray(0, 16)
export const addressKeyID = (key) => labelled("pseudods 1.0 address key", key).subarray(0, 8)
export const contactHash = (pool, token) => labelled("pseudods 1.0 contact token", pool, token)
export const offerHash = (offer) => sha256(concat(utf8("pseudods 1.0 offer hash"), offer))
export const binding = (nonce, group) => sha256(encode("BindingInput", { label: utf8("pseudods 1.0 address binding"), nonce, group }))
export const streamID = (address, domain, b) =>
  sha256(encode("StreamInput", { label: utf8("pseudods 1.0 address stream"), address, domain, binding: b })).subarray(0, 16)
export const deliveryNumber = (secret, place) => {
  const first = hmac(sha256, bytes(secret), utf8("pseudods 1.0 delivery number")).subarray(0, 8)
  return (BigInt("0x" + Buffer.from(first).toString("hex")) >> 2n) + 1n + BigInt(place)
}

// SignWithLabel of RFC 9420 with Ed25519.
const signContent = (label, content) => concat(opaque(utf8("MLS 1.0 " + label)), opaque(content))
export const sign = (key, label, content) => ed25519.sign(signContent(label, content), bytes(key))
export const verify = (key, label, content, signature) => ed25519.verify(bytes(signature), signContent(label, content), bytes(key))
export const publicKey = (key) => ed25519.getPublicKey(bytes(key))

// Addresses.
const addressInfo = "pseudods 1.0 queue address"

// sealAddress returns a SealedAddress. A bound one takes the delivery service's
// domain and the binding.
export async function sealAddress(key, kind, content, use = {}) {
  const box = await seal({ kem: key.kem, public: key.public }, addressInfo, encode("AddressContext", { kind, ...use }), encode("AddressContent", content))
  return { kind, key_id: addressKeyID(encode("HPKEKey", key)), ...box }
}

export const openAddress = (key, context, a) => open(key, addressInfo, context, a.kem_output, a.ciphertext)

// Messages.
const entryKey = (secret, salt) => hmac(sha256, bytes(secret), concat(utf8("pseudods 1.0 entry"), salt))
export const openEntry = (secret, entry) => {
  const b = bytes(entry)
  return gcm(entryKey(secret, b.subarray(0, 32)), zeroNonce).decrypt(b.subarray(32))
}
export const openWelcomeEntry = (key, entry) => {
  const b = bytes(entry)
  return open(key, "pseudods 1.0 welcome entry", new Uint8Array(), b.subarray(0, 32), b.subarray(32))
}
export const openPayload = (key, payload) => unpad(gcm(bytes(key), zeroNonce).decrypt(bytes(payload)))

// Franking.
export const frankedSender = (credential, signatureKey) => labelled("pseudods 1.0 franked sender",
  encode("FrankedSender", { credential_type: 1, identity: credential, signature_key: signatureKey }))
export const frankKeyID = (key) => labelled("pseudods 1.0 frank key", key).subarray(0, 8)
export const frankingTag = (key, input) => hmac(sha256, bytes(key), encode("FrankingInput", { label: utf8("pseudods 1.0 FrankingTag"), ...input }))
export const frankLabel = "pseudods 1.0 Frank"

// openSenderData returns the leaf that sent a PrivateMessage (RFC 9420, Section
// 6.3.2), in cipher suite 1.
export function openSenderData(secret, m) {
  const sample = m.ciphertext.subarray(0, 32)
  const key = expandWithLabel(secret, "key", sample, 16)
  const nonce = expandWithLabel(secret, "nonce", sample, 12)
  const aad = concat(opaque(m.groupId), uint(m.epoch, 8), Uint8Array.of(1)) // application(1)
  const plain = gcm(key, nonce, aad).decrypt(m.encryptedSenderData)
  return new DataView(plain.buffer, plain.byteOffset).getUint32(0)
}

// KeyPackages of a pool.
export const groupPackageKey = (linkWrap) => hmac(sha256, bytes(linkWrap), utf8("pseudods 1.0 group pool"))
export const connectionPackageKey = (linkWrap) => hmac(sha256, bytes(linkWrap), utf8("pseudods 1.0 connection pool"))
export const sealKeyPackage = (packageKey, pool, keyPackage) => {
  const salt = random(32)
  const key = hmac(sha256, packageKey, concat(utf8("pseudods 1.0 KeyPackage"), salt))
  return concat(salt, gcm(key, zeroNonce, bytes(pool)).encrypt(pad(keyPackage)))
}

export function paddedSize(n) {
  if (n <= 256) return 256
  const e = Math.floor(Math.log2(n))
  const unit = 2 ** (e - (Math.floor(Math.log2(e)) + 1))
  return Math.ceil(n / unit) * unit
}

export function pad(b) {
  const out = new Uint8Array(paddedSize(4 + b.length))
  out.set(uint(b.length, 4))
  out.set(b, 4)
  return out
}

function unpad(b) {
  const n = new DataView(b.buffer, b.byteOffset).getUint32(0)
  if (n > b.length - 4) throw new Error("padding")
  return b.subarray(4, 4 + n)
}

// Segments of a queue.
export async function segmentKey(key, queue, kemOutput) {
  const context = await recipient(exporting(key.kem), key, concat(utf8("pseudods 1.0 queue segment"), queue), kemOutput)
  return new Uint8Array(await context.export(buffer(utf8("segment key")), 32))
}
export const openQueueEntry = (key, counter, ciphertext) => gcm(key, concat(new Uint8Array(8), uint(counter, 4))).decrypt(bytes(ciphertext))

// Boxes.
export const joinInfo = "pseudods 1.0 join info"
export const accessGrant = "pseudods 1.0 access grant"
export const connectionOffer = "pseudods 1.0 connection offer"

export const sealBox = async (key, info, aad, plaintext) => encode("Box", await seal(key, info, aad, plaintext))
export const openBox = (key, info, aad, box) => {
  const { kem_output, ciphertext } = decode("Box", bytes(box))
  return open(key, info, aad, kem_output, ciphertext)
}
export const sealOffer = (key, address, contact) => sealBox(key, connectionOffer, encode("SealedAddress", address), pad(encode("Contact", contact)))
export const openOffer = async (key, address, offer) => unpad(await openBox(key, connectionOffer, address, offer))

// Links and rosters.
export const openNonced = (key, aad, b) => xchacha20poly1305(bytes(key), bytes(b).subarray(0, 24), aad).decrypt(bytes(b).subarray(24))
export const sealNonced = (key, aad, plaintext) => {
  const nonce = random(24)
  return concat(nonce, xchacha20poly1305(bytes(key), nonce, aad).encrypt(plaintext))
}
export const linkLabel = "pseudods 1.0 IdentityLink"
export const wrapLabel = "pseudods 1.0 SealedLinkKey"

// MLS-Exporter of cipher suite 1 (RFC 9420, Section 8.5).
const expandWithLabel = (secret, label, context, n) =>
  expand(sha256, bytes(secret), concat(uint(n, 2), opaque(utf8("MLS 1.0 " + label)), opaque(context)), n)
export const exported = (exporterSecret, label, context) =>
  expandWithLabel(expandWithLabel(exporterSecret, label, new Uint8Array(), 32), "exported", sha256(bytes(context)), 32)
