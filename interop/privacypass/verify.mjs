// node verify.mjs URL FILE COUNT [ZERO-SALT]: has the issuer of issuer.mjs verify
// the tokens in a file, and fails unless it finds so many valid ones.
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';

const [url, file, count, zeroSalt = '0'] = process.argv.slice(2);
const response = await fetch(`${url}/verify?zero-salt=${zeroSalt}`, { method: 'POST', body: readFileSync(file) });
assert.equal(`${response.status} ${await response.text()}`, `200 ${count}`);
