// The stand-in's page: its users, and buttons for what users do. Each button is a call of the API.

import type { FastifyInstance } from 'fastify';
import { superKey } from './fake-fusionauth.ts';
import type { FakeFusionAuth } from './fake-fusionauth.ts';

export function addPage(server: FastifyInstance, fusionAuth: FakeFusionAuth): void {
  server.get('/', (_request, reply) => reply.type('text/html; charset=utf-8').send(page(fusionAuth)));
}

function page({ version, users, webhooks, eventLog }: FakeFusionAuth): string {
  const rows = [...users.values()].map(
    ({
      id,
      email = '',
      lastName = '',
    }) => `<tr><td>${escape(email)}</td><td>${escape(String(lastName))}</td><td>
      ${button('Log in', 'POST', '/api/login', { loginId: email, password: 'password' })}
      ${button('Wrong password', 'POST', '/api/login', { loginId: email, password: 'wrong' })}
      ${button('Change the name', 'PATCH', `/api/user/${id}`, { user: { lastName: `Name ${Date.now() % 1000}` } })}
      ${button('Delete', 'DELETE', `/api/user/${id}`)}</td></tr>`,
  );
  const number = users.size + 1;
  const newUser = {
    user: { email: `user-${number}@example.com`, password: 'password', firstName: `User ${number}` },
  };
  const sent = eventLog
    .slice(-20)
    .toReversed()
    .map(
      ({ eventType, attempts }) =>
        `<li>${escape(eventType)}: ${attempts.map(({ attemptResult }) => attemptResult).join(', ') || 'under way'}</li>`,
    );
  return `<!doctype html><meta charset="utf-8"><title>A stand-in for FusionAuth</title>
<style>body{font:16px/1.5 system-ui;max-width:60rem;margin:2rem auto;padding:0 1rem}td{padding:.2rem 1rem .2rem 0}</style>
<h1>A stand-in for FusionAuth ${escape(version)}</h1>
<p>Webhooks: ${[...webhooks.values()].map(({ url }) => escape(url)).join(', ') || 'none; run setup'}</p>
<table>${rows.join('')}</table>
<p>${button('New user', 'POST', '/api/user', newUser)}</p>
<h2>Sent</h2><ul>${sent.join('')}</ul><p>The list is that of the webhook event log, which setup switches on.</p>
<script>
document.addEventListener('click', async ({ target }) => {
  const { method, path, body } = target.dataset;
  if (!path) return;
  await fetch(path, { method, headers: { authorization: '${superKey}', ...(body && { 'content-type': 'application/json' }) }, body });
  location.reload();
});
</script>`;
}

function button(label: string, method: string, path: string, body?: object): string {
  const data = body === undefined ? '' : ` data-body="${escape(JSON.stringify(body))}"`;
  return `<button data-method="${method}" data-path="${path}"${data}>${label}</button>`;
}

function escape(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
