// Signs a body as FusionAuth does with an HMAC key: for `send`, which plays FusionAuth's part.

import { createHmac, hash } from 'node:crypto';

/** The value of `X-FusionAuth-Signature-JWT` for a body, by HS256. */
export function signBody(body: string, secret: string): string {
  const header = encode({ alg: 'HS256', typ: 'JWT' });
  const payload = encode({ request_body_sha256: hash('sha256', body, 'base64') });
  const signature = createHmac('sha256', secret).update(`${header}.${payload}`).digest('base64url');
  return `${header}.${payload}.${signature}`;
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
