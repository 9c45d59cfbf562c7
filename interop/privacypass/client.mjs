// The client of @cloudflare/privacypass-ts against a running ppissuer:
//
//   node client.mjs URL INVITE-CODE DIRECTORY
//
// It leaves tokens in the directory, one to a line in base64url, for ppissuer to
// verify: pss.tokens, psszero.tokens, voprf.tokens, generic.tokens,
// ristretto.tokens. A count that comes out wrong ends it with an error.
import { strict as assert } from 'node:assert';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { genericBatched, MediaType, PRIVATE_TOKEN_ISSUER_DIRECTORY, privateVerif, publicVerif, TokenChallenge } from '@cloudflare/privacypass-ts';
import * as ristretto from './ristretto.mjs';

const [base, code, directory] = process.argv.slice(2);
const AMORTIZED = 'application/private-token-amortized-batch';

const response = await fetch(base + PRIVATE_TOKEN_ISSUER_DIRECTORY);
assert.equal(response.status, 200);
assert.equal(response.headers.get('content-type'), MediaType.PRIVATE_TOKEN_ISSUER_DIRECTORY);
const config = await response.json();
const target = new URL(config['issuer-request-uri'], base);
const keys = new Map(config['token-keys'].map((k) => [k['token-type'], new Uint8Array(Buffer.from(k['token-key'], 'base64url'))]));
const { issuer } = await (await fetch(base + '/issuer.json')).json();
const challenge = (type) => new TokenChallenge(type, issuer, new Uint8Array(), undefined);

// send posts a request and checks that the same request gets the same answer.
async function send(body, contentType, accept, status = 200) {
  const post = () => fetch(target, { method: 'POST', body, headers: { 'Content-Type': contentType, Accept: accept, Authorization: `Invite ${code}` } });
  const first = await post();
  const bytes = new Uint8Array(await first.arrayBuffer());
  assert.equal(first.status, status, Buffer.from(bytes).toString());
  assert.equal(first.headers.get('content-type'), accept);
  assert.deepEqual(new Uint8Array(await (await post()).arrayBuffer()), bytes);
  return bytes;
}

function keep(name, tokens) {
  writeFileSync(join(directory, `${name}.tokens`), tokens.map((t) => Buffer.from(t).toString('base64url') + '='.repeat((3 - (t.length % 3)) % 3) + '\n').join(''));
  console.log(`${name}: ${tokens.length} tokens`);
}

async function single(client, type) {
  const request = await client.createTokenRequest(challenge(type), keys.get(type));
  const reply = await send(request.serialize(), MediaType.PRIVATE_TOKEN_REQUEST, MediaType.PRIVATE_TOKEN_RESPONSE);
  return (await client.finalize(client.deserializeTokenResponse(reply))).serialize();
}

const { PSS, PSSZero } = publicVerif.BlindRSAMode;
keep('pss', [await single(new publicVerif.Client(PSS), 2)]);
keep('psszero', [await single(new publicVerif.Client(PSSZero), 2)]);
keep('voprf', [await single(new privateVerif.Client(), 1)]);

// A generic batch of both types; then one in which an entry cannot be answered.
async function batch(damage) {
  const types = [2, 1, 2, 1, 1];
  const clients = types.map((t) => (t === 1 ? new privateVerif.Client() : new publicVerif.Client(PSS)));
  const requests = [];
  for (const [i, client] of clients.entries()) {
    requests.push(new genericBatched.TokenRequest(await client.createTokenRequest(challenge(types[i]), keys.get(types[i]))));
  }
  if (damage) requests[1].tokenRequest.blindedMsg.fill(0xff);
  const all = new genericBatched.Client();
  const body = all.createTokenRequest(requests).serialize();
  const reply = await send(body, MediaType.GENERIC_BATCHED_TOKEN_REQUEST, MediaType.GENERIC_BATCHED_TOKEN_RESPONSE, damage ? 206 : 200);
  const tokens = [];
  for (const [i, optional] of [...all.deserializeTokenResponse(reply)].entries()) {
    assert.equal(optional.tokenResponse === null, damage && i === 1);
    if (optional.tokenResponse !== null) tokens.push((await clients[i].finalize(optional.tokenResponse)).serialize());
  }
  assert.equal(tokens.length, damage ? 4 : 5);
  return tokens;
}
keep('generic', [...(await batch(false)), ...(await batch(true))]);

// Type 0x0005, single and amortized.
const fields = challenge(ristretto.TYPE).serialize();
const one = await ristretto.request(keys.get(5), fields, 1, false);
const many = await ristretto.request(keys.get(5), fields, 32, true);
keep('ristretto', [
  ...(await one.finalize(await send(one.body, MediaType.PRIVATE_TOKEN_REQUEST, MediaType.PRIVATE_TOKEN_RESPONSE))),
  ...(await many.finalize(await send(many.body, `${AMORTIZED}-request`, `${AMORTIZED}-response`))),
]);
