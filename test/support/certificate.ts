// Self-made TLS certificates of any term, and a small authority that signs them. Node can sign but not make one, so the few DER structures of
// RFC 5280 that it takes are written here.

import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { isIPv4 } from 'node:net';

export interface Certificate {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
}

export interface Term {
  readonly from: Date;
  readonly until: Date;
}

/** An authority of a test's own, which nobody trusts unless told to. */
export interface Authority {
  /** PEM, of the authority itself. */
  readonly cert: string;
  /** `name` is the subject's; `hosts` are names and IPv4 addresses. A day around now where no term is given. */
  issue(certificate: {
    readonly name?: string;
    readonly hosts?: readonly string[];
    readonly term?: Term;
  }): Certificate;
}

const dayMs = 86_400_000;

/** Signed by itself: who trusts it has it among its authorities (NODE_EXTRA_CA_CERTS). */
export function makeCertificate(term: Term): Certificate {
  const keys = newKeys();
  const name = nameOf('loopback');
  return signed(keys, {
    subject: name,
    issuer: name,
    issuerKey: keys.privateKey,
    term,
    extensions: [altNames(['127.0.0.1'])],
  });
}

export function makeAuthority(name = 'Authority of a test'): Authority {
  const keys = newKeys();
  const issuer = nameOf(name);
  const issuerKey = keys.privateKey;
  const isAuthority = sequence(
    id('551d13'), // basicConstraints, critical
    der(0x01, Buffer.from([0xff])),
    der(0x04, sequence(der(0x01, Buffer.from([0xff])))),
  );
  const { cert } = signed(keys, {
    subject: issuer,
    issuer,
    issuerKey,
    term: aroundNow(),
    extensions: [isAuthority],
  });
  return {
    cert,
    issue: ({ name: subject = 'server', hosts = [], term = aroundNow() }) =>
      signed(newKeys(), {
        subject: nameOf(subject),
        issuer,
        issuerKey,
        term,
        extensions: hosts.length === 0 ? [] : [altNames(hosts)],
      }),
  };
}

function aroundNow(): Term {
  return { from: new Date(Date.now() - dayMs), until: new Date(Date.now() + dayMs) };
}

type Keys = ReturnType<typeof newKeys>;

function newKeys() {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

interface Content {
  readonly subject: Buffer;
  readonly issuer: Buffer;
  readonly issuerKey: KeyObject;
  readonly term: Term;
  readonly extensions: readonly Buffer[];
}

function signed(
  { publicKey, privateKey }: Keys,
  { subject, issuer, issuerKey, term: { from, until }, extensions }: Content,
): Certificate {
  const ecdsaWithSha256 = sequence(id('2a8648ce3d040302'));
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))), // version 3
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    ecdsaWithSha256,
    issuer,
    sequence(time(from), time(until)),
    subject,
    publicKey.export({ type: 'spki', format: 'der' }),
    ...(extensions.length === 0 ? [] : [der(0xa3, sequence(...extensions))]),
  );
  const signature = der(0x03, Buffer.from([0]), sign('sha256', body, issuerKey));
  const whole = sequence(body, ecdsaWithSha256, signature);
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${whole.toString('base64').replaceAll(/.{64}/g, '$&\n').trimEnd()}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

function nameOf(commonName: string): Buffer {
  return sequence(der(0x31, sequence(id('550403'), der(0x0c, Buffer.from(commonName)))));
}

/** subjectAltName: names and IPv4 addresses. */
function altNames(hosts: readonly string[]): Buffer {
  const names = hosts.map((host) =>
    isIPv4(host) ? der(0x87, Buffer.from(host.split('.').map(Number))) : der(0x82, Buffer.from(host)),
  );
  return sequence(id('551d11'), der(0x04, sequence(...names)));
}

/** Tag, length, content. */
function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, ...parts);
}

/** An object identifier, by its bytes. */
function id(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, 'hex'));
}

function time(date: Date): Buffer {
  const digits = date.toISOString().replaceAll(/[-:T]|\.\d+/g, '');
  return der(0x18, Buffer.from(digits));
}
