// Loaded into a bridge's process (`node --import`): a DNS that knows one host, segment.test, on this machine, and not even
// that while the file DNS_IS_GONE is there.

import dns from 'node:dns';
import { existsSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const lookup = dns.lookup as (...values: unknown[]) => void;

dns.lookup = ((host: string, options: { all?: boolean }, callback: (...values: unknown[]) => void) => {
  if (host !== 'segment.test') lookup(host, options, callback);
  else if (existsSync(process.env['DNS_IS_GONE'] ?? '')) {
    callback(Object.assign(new Error(`getaddrinfo ENOTFOUND ${host}`), { code: 'ENOTFOUND' }));
  } else if (options.all) callback(null, [{ address: '127.0.0.1', family: 4 }]);
  else callback(null, '127.0.0.1', 4);
}) as typeof dns.lookup;
syncBuiltinESMExports();
