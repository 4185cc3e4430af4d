// A connection string as the settings of a warehouse that Segment itself loads, from its own network.

import { BlockList, isIP } from 'node:net';
import { isOnThisMachine, parseConnection } from '../../destinations/warehouse/connection.ts';
import type { PostgresSettings } from '../../segment/public-api.ts';
import { CommandError } from '../report.ts';

/** From where Segment connects (its documentation, "Warehouses FAQ": which IPs to allowlist). */
const segmentNetworks = '52.25.130.38/32 and 34.223.203.0/28 in the US, 3.251.148.96/29 in the EU';

export const allowSegmentHint = `Let it be reached over TLS from Segment’s networks (${segmentNetworks}), and let its user create schemas in the database (GRANT CREATE ON DATABASE); Segment tells no more than that it failed`;

/** RFC 1918, 6598, 3927 and 4193: nobody outside reaches these. */
const privateNetworks = new BlockList();
for (const [network, prefix] of [
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['100.64.0.0', 10],
  ['169.254.0.0', 16],
] as const) {
  privateNetworks.addSubnet(network, prefix, 'ipv4');
}
privateNetworks.addSubnet('fc00::', 7, 'ipv6');
privateNetworks.addSubnet('fe80::', 10, 'ipv6');

/** Throws ConnectionError, and CommandError for what Segment cannot use; no fault quotes a password. */
export function warehouseSettings(connectionString: string): PostgresSettings {
  const { hosts, user, password, database, clientCertificate } = parseConnection(connectionString);
  const [first, ...others] = hosts;
  if (first === undefined || others.length > 0) {
    throw new CommandError('Segment loads a warehouse at one host, and the connection string names several', {
      hint: 'Name the primary alone, or an address that always leads to it',
    });
  }
  const { host, port } = first;
  if (isOnThisMachine(host) || isPrivate(host)) {
    throw new CommandError(`Segment cannot reach ${host}: that address is known on your own network only`, {
      hint: 'Name a host that the internet reaches; or leave it to the bridge, which loads any PostgreSQL that it reaches itself (WAREHOUSE_URL)',
    });
  }
  if (clientCertificate !== undefined) {
    throw new CommandError('Segment logs in by user and password, not by a client certificate', {
      hint: 'Make a user with a password for Segment, and leave out sslcert and sslkey',
    });
  }
  if (password === undefined) {
    throw new CommandError(`The connection string has no password for “${user}” at ${host}`, {
      hint: 'Write it there: Segment keeps it, and reads no password file',
    });
  }
  return { hostname: host, port: String(port), database, username: user, password };
}

function isPrivate(host: string): boolean {
  const version = isIP(host);
  return version !== 0 && privateNetworks.check(host, version === 4 ? 'ipv4' : 'ipv6');
}
