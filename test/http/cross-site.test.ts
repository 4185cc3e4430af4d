import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isCrossSite } from '../../src/http/cross-site.ts';

type Headers = Readonly<Record<string, string>>;

const host = 'bridge.example.com';

describe('a change', () => {
  const cases: [name: string, headers: Headers, isForeign: boolean][] = [
    ['by a program, which says nothing', {}, false],
    ['by the bridge’s own page', { origin: 'http://bridge.example.com' }, false],
    ['by the bridge’s own page behind TLS', { origin: 'https://bridge.example.com' }, false],
    ['by the own page, in other letters', { origin: 'http://BRIDGE.example.com' }, false],
    ['by the own page, with TLS’s own port', { origin: 'https://bridge.example.com:443' }, false],
    ['by the own page, as the browser says', { 'sec-fetch-site': 'same-origin', origin: 'null' }, false],
    [
      'by the own page, through a proxy that changes the host',
      { 'sec-fetch-site': 'same-origin', origin: 'https://elsewhere.example.com' },
      false,
    ],
    ['by a page elsewhere', { origin: 'https://evil.example.com' }, true],
    ['by a page at another port', { origin: 'http://bridge.example.com:8080' }, true],
    ['by a page whose name begins as the bridge’s', { origin: 'https://bridge.example.com.evil.org' }, true],
    ['by a page whose name ends as the bridge’s', { origin: 'https://x.bridge.example.com' }, true],
    ['by a page without an origin', { origin: 'null' }, true],
    ['by what is no origin', { origin: 'bridge.example.com' }, true],
    ['by an empty origin', { origin: '' }, true],
    ['by a page elsewhere, as the browser says', { 'sec-fetch-site': 'cross-site' }, true],
    [
      'by a page elsewhere that claims our origin',
      { 'sec-fetch-site': 'cross-site', origin: `https://${host}` },
      true,
    ],
    ['by a neighbour', { 'sec-fetch-site': 'same-site', origin: 'https://other.example.com' }, true],
    ['by a form elsewhere', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }, true],
  ];
  for (const [name, headers, isForeign] of cases) {
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      test(`${name} is ${isForeign ? '' : 'not '}cross-site: ${method}`, () => {
        assert.equal(isCrossSite({ method, headers: { host, ...headers } }), isForeign);
      });
    }
  }
});

describe('looking', () => {
  const link = {
    'sec-fetch-site': 'cross-site',
    'sec-fetch-mode': 'navigate',
    'sec-fetch-dest': 'document',
  };
  const cases: [name: string, headers: Headers, isForeign: boolean][] = [
    ['by a program', {}, false],
    ['by a link elsewhere', link, false],
    ['by an address that was typed', { ...link, 'sec-fetch-site': 'none' }, false],
    ['by a frame of a page elsewhere', { ...link, 'sec-fetch-dest': 'iframe' }, true],
    [
      'by a script of a page elsewhere, which could time the answer',
      { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'empty' },
      true,
    ],
    ['by an old browser', { origin: 'https://evil.example.com' }, false],
  ];
  for (const [name, headers, isForeign] of cases) {
    test(`${name} is ${isForeign ? '' : 'not '}cross-site`, () => {
      assert.equal(isCrossSite({ method: 'GET', headers: { host, ...headers } }), isForeign);
      assert.equal(isCrossSite({ method: 'HEAD', headers: { host, ...headers } }), isForeign);
    });
  }
});

test('a request that names no host is cross-site where it has an origin', () => {
  assert.equal(isCrossSite({ method: 'POST', headers: { origin: 'http://undefined' } }), true);
});
