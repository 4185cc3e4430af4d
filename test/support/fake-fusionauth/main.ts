// `npm run fake-fusionauth`: the stand-in by hand, for who has no FusionAuth and wants to try everything.
//
//   npm run fake-fusionauth                                   the newest version, on port 9011
//   npm run fake-fusionauth -- --version 1.47.0 --port 9012
//   npm run fake-fusionauth -- --kickstart deploy/kickstart/kickstart.json   set up as in deploy/compose.yaml

import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { defaultTenantId, exampleApplicationId, FakeFusionAuth, superKey } from './fake-fusionauth.ts';
import { applyKickstart, readKickstart } from './kickstart.ts';
import { addPage } from './page.ts';

const { values } = parseArgs({
  options: {
    version: { type: 'string', default: '1.69.0' },
    port: { type: 'string', default: '9011' },
    kickstart: { type: 'string' },
  },
});

const fusionAuth = await FakeFusionAuth.start({
  version: values.version,
  port: Number(values.port),
  extend: (server, itself) => addPage(server, itself),
});
if (values.kickstart === undefined) {
  fusionAuth.addUser({
    id: '00000000-0000-0000-0000-111111111111',
    tenantId: defaultTenantId,
    email: 'richard@example.com',
    password: 'password',
    firstName: 'Richard',
    lastName: 'Hendricks',
  });
} else {
  await applyKickstart(fusionAuth, readKickstart(readFileSync(values.kickstart, 'utf8'), process.env));
}

process.stdout
  .write(`A stand-in for FusionAuth ${values.version} runs at ${fusionAuth.url} (its page has the users, and buttons).

  Set it up:   FUSIONAUTH_URL=${fusionAuth.url} FUSIONAUTH_API_KEY=${superKey} npm run -s cli -- setup --yes
  Then:        npm start
  Log in:      curl ${fusionAuth.url}/api/login -H 'content-type: application/json' \\
                 -d '{"loginId":"richard@example.com","password":"password","applicationId":"${exampleApplicationId}"}'

It keeps nothing: what is set up is gone when it ends.
`);

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void fusionAuth[Symbol.asyncDispose]());
}
