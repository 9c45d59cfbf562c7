// Encoding and decoding by the definitions on docs/protocol.md, in the TLS
// presentation language. The page is the only place where this client has its
// structures from.
//
// A value in JavaScript: numbers, BigInt for uint64, names for enums, booleans
// for Bool, Uint8Array for octets (strings of hex are taken too), arrays for
// vectors, null for what is absent, objects for structs.

import { readFileSync } from "node:fs"

const page = readFileSync(new URL("../../docs/protocol.md", import.meta.url), "utf8")
const uints = { uint8: 1, uint16: 2, uint32: 4, uint64: 8 }

export class Malformed extends Error {}

// types are the page's, by name.
export const types = parse([...page.matchAll(/\n```tls\n([^]*?)\n```\n/g)].map((m) => m[1]).join("\n"))

function parse(text) {
  const tokens = text.replaceAll(/\/\*[^]*?\*\//g, "").match(/[A-Za-z_]\w*|\d+|\.\.|[{}()[\]<>;:,.]/g)
  const out = {}
  let at = 0
  const peek = () => tokens[at]
  const next = () => tokens[at++]
  const accept = (t) => peek() === t && (at++, true)
  const want = (...list) => list.forEach((t) => { if (next() !== t) throw new Error(`definitions: want ${t} before ${tokens.slice(at, at + 5)}`) })

  // A declaration "T name", with what follows the name. Types may be defined later.
  const declaration = () => {
    let of = next()
    if (of === "optional") {
      want("<")
      of = { kind: "optional", of: next() }
      want(">")
    } else if (of === "opaque") of = { kind: "opaque" }
    else of = of in uints ? { kind: "uint", size: uints[of] } : { kind: "named", of }
    const name = next()
    if (accept("<")) {
      want("V", ">")
      of = of.kind === "opaque" ? { kind: "opaque", size: "V" } : { kind: "vector", of }
    } else if (accept("[")) {
      const size = next()
      of = { kind: "opaque", size: size === ".." ? "rest" : Number(size) }
      want("]")
    }
    want(";")
    return { name, of }
  }
  const select = () => {
    want("(")
    const by = [next()]
    while (accept(".")) by.push(next())
    want(")", "{")
    const cases = {}
    while (!accept("}")) {
      const names = []
      if (accept("default")) names.push("default")
      else {
        want("case")
        do names.push(next()); while (accept(","))
      }
      want(":")
      const fields = []
      while (!["case", "default", "}"].includes(peek())) {
        if (accept("struct")) want("{", "}", ";")
        else fields.push(declaration())
      }
      for (const n of names) cases[n] = fields
    }
    want(";")
    return { by, cases }
  }
  while (at < tokens.length) {
    if (accept("struct")) {
      want("{")
      const fields = []
      while (!accept("}")) fields.push(accept("select") ? select() : declaration())
      out[next()] = { kind: "struct", fields }
      want(";")
    } else if (accept("enum")) {
      want("{")
      const numbers = new Map()
      while (!accept("(")) {
        const name = next()
        want("(")
        numbers.set(name, Number(next()))
        want(")", ",")
      }
      const size = Number(next()) > 255 ? 2 : 1
      want(")", "}")
      out[next()] = { kind: "enum", size, numbers, names: new Map([...numbers].map(([k, v]) => [v, k])) }
      want(";")
    } else {
      const { name, of } = declaration()
      out[name] = of
    }
  }
  return out
}

const resolve = (t) => {
  while (t.kind === "named") t = types[t.of] ?? (() => { throw new Error(`no type ${t.of}`) })()
  return t
}

export const bytes = (v) => typeof v === "string" ? Uint8Array.from(Buffer.from(v, "hex")) : v
export const hex = (b) => Buffer.from(b).toString("hex")
export const utf8 = (s) => new TextEncoder().encode(s)
export const concat = (...parts) => Uint8Array.from(Buffer.concat(parts.map((p) => bytes(p))))
export const uint = (n, size) => {
  const b = Buffer.alloc(8)
  b.writeBigUInt64BE(BigInt(n))
  return Uint8Array.from(b.subarray(8 - size))
}

const length = (n) => n < 2 ** 6 ? [n] : n < 2 ** 14 ? [0x40 | n >> 8, n & 255] : uint(n + 0x80000000, 4)
export const opaque = (b) => concat(Uint8Array.from(length(bytes(b).length)), b)

// encode returns the encoding of a value.
export function encode(name, value) {
  return put({ kind: "named", of: name }, value)
}

function put(t, v) {
  t = resolve(t)
  switch (t.kind) {
    case "uint": return uint(v, t.size)
    case "enum":
      if (!t.numbers.has(String(v))) throw new Malformed(`no value ${v}`)
      return uint(t.numbers.get(String(v)), t.size)
    case "opaque": {
      const b = bytes(v)
      if (t.size === "V") return opaque(b)
      if (t.size !== "rest" && b.length !== t.size) throw new Malformed(`${b.length} octets for ${t.size}`)
      return b
    }
    case "vector": return opaque(concat(...v.map((e) => put(t.of, e))))
    case "optional": return v === null ? Uint8Array.of(0) : concat(Uint8Array.of(1), put({ kind: "named", of: t.of }, v))
    case "struct": return concat(...chosen(t.fields, v).map((f) => put(f.of, v[f.name])))
  }
}

// chosen returns the fields that a struct has with what is known of it.
function chosen(fields, v) {
  return fields.flatMap((f) => {
    if (!f.by) return [f]
    const by = String(f.by.reduce((o, name) => o[name], v))
    return f.cases[by] ?? f.cases.default ?? []
  })
}

// decode reads all of the octets as a value, or throws Malformed.
export function decode(name, octets) {
  const r = { b: octets, at: 0 }
  const v = take(r, { kind: "named", of: name })
  if (r.at !== octets.length) throw new Malformed("octets follow")
  return v
}

function octetsOf(r, n) {
  if (n > r.b.length - r.at) throw new Malformed("ends early")
  return r.b.subarray(r.at, r.at += n)
}

const numberOf = (b) => b.reduce((n, o) => n * 256 + o, 0)

function lengthOf(r) {
  const first = octetsOf(r, 1)[0]
  const size = 1 << (first >> 6)
  if (size === 8) throw new Malformed("length of 8 octets")
  const n = numberOf([first & 0x3f, ...octetsOf(r, size - 1)])
  if (length(n).length !== size) throw new Malformed("length is not minimal")
  return n
}

function take(r, t) {
  t = resolve(t)
  switch (t.kind) {
    case "uint": {
      const b = octetsOf(r, t.size)
      return t.size === 8 ? BigInt("0x" + hex(b)) : numberOf(b)
    }
    case "enum": {
      const n = t.names.get(numberOf(octetsOf(r, t.size)))
      if (n === undefined) throw new Malformed("value is not defined")
      return n === "true" ? true : n === "false" ? false : n
    }
    case "opaque": return octetsOf(r, t.size === "V" ? lengthOf(r) : t.size === "rest" ? r.b.length - r.at : t.size)
    case "vector": {
      const inner = { b: octetsOf(r, lengthOf(r)), at: 0 }
      const out = []
      while (inner.at < inner.b.length) out.push(take(inner, t.of))
      return out
    }
    case "optional": {
      const present = octetsOf(r, 1)[0]
      if (present > 1) throw new Malformed("presence")
      return present ? take(r, { kind: "named", of: t.of }) : null
    }
    case "struct": return structOf(r, t.fields, {})
  }
}

function structOf(r, fields, out) {
  for (const f of fields) {
    if (f.by) structOf(r, chosen([f], out), out)
    else out[f.name] = take(r, f.of)
  }
  return out
}
