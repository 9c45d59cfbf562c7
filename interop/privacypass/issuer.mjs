// The issuer code of @cloudflare/privacypass-ts behind HTTP on loopback, for
// ppissuer's client:
//
//   node issuer.mjs ADDRESS-FILE
//
// It believes every attestation. POST /verify?zero-salt=0 counts the valid tokens
// among the lines of the body.
import { renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { genericBatched, MediaType, PRIVATE_TOKEN_ISSUER_DIRECTORY, privateVerif, publicVerif, Token, TOKEN_TYPES } from '@cloudflare/privacypass-ts';
import * as ristretto from './ristretto.mjs';

const NAME = 'issuer.example';
const AMORTIZED = 'application/private-token-amortized-batch';
const { PSS, PSSZero } = publicVerif.BlindRSAMode;

const rsa = await publicVerif.Issuer.generateKey(PSS, { modulusLength: 2048, publicExponent: Uint8Array.from([1, 0, 1]) });
const voprf = await privateVerif.keyGen();
const five = await ristretto.Issuer.generate();
const two = new publicVerif.Issuer(PSS, NAME, rsa.privateKey, rsa.publicKey);
const twoZero = new publicVerif.Issuer(PSSZero, NAME, rsa.privateKey, rsa.publicKey);
const one = new privateVerif.Issuer(NAME, voprf.privateKey, voprf.publicKey);
const mixed = new genericBatched.Issuer(one, two);

const encode = (bytes) => Buffer.from(bytes).toString('base64url') + '='.repeat((3 - (bytes.length % 3)) % 3);
const directory = {
  'issuer-request-uri': '/request',
  'token-keys': [
    { 'token-type': 5, 'token-key': encode(five.publicKey) },
    { 'token-type': 2, 'token-key': encode(await publicVerif.getPublicKeyBytes(rsa.publicKey)) },
    { 'token-type': 1, 'token-key': encode(voprf.publicKey) },
  ],
};
const description = {
  issuer: NAME,
  period_seconds: 86400,
  classes: [{ name: 'default', directory: PRIVATE_TOKEN_ISSUER_DIRECTORY, batch_sizes: [1, 8], tokens_per_epoch: 1000 }],
  attesters: [{ scheme: 'Invite' }],
};

async function issue(contentType, body) {
  switch (contentType) {
    case MediaType.PRIVATE_TOKEN_REQUEST:
      if (body[1] === 5) return [await five.issue(body, false), MediaType.PRIVATE_TOKEN_RESPONSE];
      if (body[1] === 2) {
        return [(await two.issue(publicVerif.TokenRequest.deserialize(TOKEN_TYPES.BLIND_RSA, body))).serialize(), MediaType.PRIVATE_TOKEN_RESPONSE];
      }
      return [(await one.issue(privateVerif.TokenRequest.deserialize(body))).serialize(), MediaType.PRIVATE_TOKEN_RESPONSE];
    case MediaType.GENERIC_BATCHED_TOKEN_REQUEST:
      return [(await mixed.issue(genericBatched.BatchedTokenRequest.deserialize(body))).serialize(), MediaType.GENERIC_BATCHED_TOKEN_RESPONSE];
    case `${AMORTIZED}-request`:
      return [await five.issue(body, true), `${AMORTIZED}-response`];
  }
  throw new Error(`content type ${contentType}`);
}

async function valid(line, zeroSalt) {
  const bytes = new Uint8Array(Buffer.from(line, 'base64url'));
  if (bytes[1] === 5) return five.verify(bytes);
  if (bytes[1] === 2) return (zeroSalt ? twoZero : two).verify(Token.deserialize(TOKEN_TYPES.BLIND_RSA, bytes));
  return one.verify(Token.deserialize(TOKEN_TYPES.VOPRF, bytes));
}

async function answer(request, body) {
  const url = new URL(request.url, 'http://localhost');
  if (url.pathname === PRIVATE_TOKEN_ISSUER_DIRECTORY) return [JSON.stringify(directory), MediaType.PRIVATE_TOKEN_ISSUER_DIRECTORY];
  if (url.pathname === '/issuer.json') return [JSON.stringify(description), 'application/json'];
  if (url.pathname === '/request') return issue(request.headers['content-type'], body);
  if (url.pathname !== '/verify') throw new Error(`path ${url.pathname}`);
  let count = 0;
  for (const line of Buffer.from(body).toString().split('\n').filter((l) => l !== '')) {
    if (await valid(line, url.searchParams.get('zero-salt') === '1')) count += 1;
  }
  return [String(count), 'text/plain'];
}

const server = createServer(async (request, response) => {
  try {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const [body, contentType] = await answer(request, new Uint8Array(Buffer.concat(chunks)));
    response.writeHead(200, { 'Content-Type': contentType }).end(body);
  } catch (error) {
    console.error(error);
    response.writeHead(422).end(String(error));
  }
});
server.listen(0, '127.0.0.1', () => {
  const file = process.argv[2];
  writeFileSync(`${file}.new`, `http://127.0.0.1:${server.address().port}`);
  renameSync(`${file}.new`, file);
});
