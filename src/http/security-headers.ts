// What a browser is told of every page and every answer of the API.

export const securityHeaders = {
  // Pages have a policy of their own in its place. An answer of the API that is opened as a page does nothing.
  'content-security-policy':
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'x-content-type-options': 'nosniff',
  // Not no-referrer: under that a browser sends `Origin: null` with a form, as a foreign page's sandbox does, and where
  // there is no TLS the origin is all that tells them apart (Fetch standard, "append a request `Origin` header").
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
} as const;
