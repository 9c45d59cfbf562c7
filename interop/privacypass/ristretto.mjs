// Token type 0x0005, which privacypass-ts does not have: the mathematics of
// @cloudflare/voprf-ts on @noble/curves, in the framing of
// draft-ietf-privacypass-batched-tokens-07.
import { createHash, randomBytes } from 'node:crypto';
import { DLEQProof, Evaluation, EvaluationRequest, Oprf, VOPRFClient, VOPRFServer, derivePrivateKey, generatePublicKey } from '@cloudflare/voprf-ts';
import { CryptoNoble } from '@cloudflare/voprf-ts/crypto-noble';
import * as varint from 'quicvarint';

export const TYPE = 0x0005;
const suite = Oprf.Suite.RISTRETTO255_SHA512;
const group = Oprf.getGroup(suite, CryptoNoble);
const elementSize = 32;
const proofSize = 64;

export const sha256 = (bytes) => createHash('sha256').update(bytes).digest();
const concat = (...parts) => new Uint8Array(Buffer.concat(parts.map((p) => Buffer.from(p))));

// vector<V>: a QUIC varint of the length in octets, then the elements.
const vector = (elements) => {
  const body = concat(...elements);
  return concat(new Uint8Array(varint.encode(body.length)), body);
};

const readVector = (bytes) => {
  const { value, usize } = varint.read(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0);
  const end = usize + value;
  if (end > bytes.length || value % elementSize !== 0) throw new Error('malformed vector');
  const elements = [];
  for (let i = usize; i < end; i += elementSize) elements.push(group.desElt(bytes.slice(i, i + elementSize)));
  return { elements, rest: bytes.slice(end) };
};

// request makes a request for n tokens: a single one, or an amortized batch.
export async function request(publicKey, challenge, n, amortized) {
  const keyID = sha256(publicKey);
  const inputs = Array.from({ length: n }, () => concat([0, TYPE], randomBytes(32), sha256(challenge), keyID));
  const voprf = new VOPRFClient(suite, publicKey, CryptoNoble);
  const [data, evaluation] = await voprf.blind(inputs);
  const blinded = evaluation.blinded.map((b) => b.serialize());
  const head = [0, TYPE, keyID[31]];
  return {
    body: amortized ? concat(head, vector(blinded)) : concat(head, blinded[0]),
    async finalize(response) {
      const { elements, rest } = amortized
        ? readVector(response)
        : { elements: [group.desElt(response.slice(0, elementSize))], rest: response.slice(elementSize) };
      if (rest.length !== proofSize || elements.length !== n) throw new Error('malformed response');
      const proof = DLEQProof.deserialize(group.id, rest, CryptoNoble);
      const outputs = await voprf.finalize(data, new Evaluation(Oprf.Mode.VOPRF, elements, proof));
      return outputs.map((authenticator, i) => concat(inputs[i], authenticator));
    },
  };
}

// Issuer answers such requests with a key of its own.
export class Issuer {
  static async generate() {
    const issuer = new Issuer();
    const privateKey = await derivePrivateKey(Oprf.Mode.VOPRF, suite, randomBytes(32), Buffer.from('PrivacyPass'), CryptoNoble);
    issuer.publicKey = generatePublicKey(suite, privateKey, CryptoNoble);
    issuer.server = new VOPRFServer(suite, privateKey, CryptoNoble);
    return issuer;
  }

  async issue(body, amortized) {
    if (body[0] !== 0 || body[1] !== TYPE || body[2] !== sha256(this.publicKey)[31]) throw new Error('wrong type or key');
    const { elements, rest } = amortized ? readVector(body.slice(3)) : { elements: [group.desElt(body.slice(3))], rest: [] };
    if (rest.length > 0) throw new Error('trailing octets');
    const evaluation = await this.server.blindEvaluate(new EvaluationRequest(elements));
    const evaluated = evaluation.evaluated.map((e) => e.serialize());
    return concat(amortized ? vector(evaluated) : evaluated[0], evaluation.proof.serialize());
  }

  async verify(token) {
    return this.server.verifyFinalize(token.slice(0, 98), token.slice(98));
  }
}
