// The page that asks for the token. It runs no script and loads nothing, so that it works under the strictest policy.

import { escapeHtml } from './html.ts';
import { sessionSeconds } from './sessions.ts';

export interface SignInPageData {
  /** The path that was asked for, and that is shown once the token is right. */
  readonly next: string;
  /**
   * Whether a link elsewhere led here. With that a browser sends no cookie (`SameSite=Strict`), not even when the page is
   * loaded again; but it does when a page of our own asks. Without TLS browsers do not say.
   */
  readonly isFromElsewhere: boolean | 'unknown';
  /** Why the last try was in vain. */
  readonly fault?: string;
  /** Whether there is a token that may only read. */
  readonly hasViewers: boolean;
}

/** For the header Content-Security-Policy. */
export const signInPolicy =
  "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

export function renderSignInPage({ next, isFromElsewhere, fault, hasViewers }: SignInPageData): string {
  const settings = `<code>ADMIN_TOKEN</code>${hasViewers ? ', or <code>VIEWER_TOKEN</code> to read only' : ''}`;
  const again = escapeHtml(`/sign-in?${new URLSearchParams({ next }).toString()}`);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
${isFromElsewhere === true ? `<meta http-equiv="refresh" content="0; url=${again}">` : ''}
<title>Sign in – fusionauth-segment</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>fusionauth-segment</h1>
<form method="post" action="/sign-in">
${fault === undefined ? '' : `<p class="fault" id="fault" role="alert">${escapeHtml(fault)}</p>`}
<input type="hidden" name="next" value="${escapeHtml(next)}">
<label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" autocapitalize="none" spellcheck="false" required autofocus${
    fault === undefined ? ' aria-describedby="what"' : ' aria-invalid="true" aria-describedby="fault what"'
  }>
<button type="submit">Sign in</button>
</form>
<p id="what">The token is the one that this bridge was started with: ${settings}.</p>
<p>It stands where the bridge has its settings: in its environment, in <code>.env</code>, or in the file that
<code>ADMIN_TOKEN_FILE</code> names. The Compose file of <code>deploy/</code> keeps it here:</p>
<pre tabindex="0">docker compose -f deploy/compose.yaml exec bridge cat /data/admin-token</pre>
<p>You stay signed in for ${sessionSeconds / 3_600} hours.${isFromElsewhere === 'unknown' ? ` <a href="${again}">I am signed in already.</a>` : ''}</p>
</main>
</body>
</html>
`;
}

const style = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0; background: light-dark(#fff, #121212); color: light-dark(#1a1a1a, #f0f0f0); }
a { color: light-dark(#1858a8, #8ab8f5); }
main { max-width: 30rem; margin: 0 auto; padding: 2rem 1rem; }
form { display: grid; gap: 0.5rem; margin: 1.5rem 0; }
label { font-weight: 600; }
input, button { font: inherit; padding: 0.5rem 0.75rem; border-radius: 0.375rem; }
input { border: 1px solid light-dark(#767676, #8f8f8f); min-width: 0; }
input[aria-invalid] { border-color: light-dark(#a40000, #ff8a80); }
button { border: 0; background: light-dark(#1858a8, #8ab8f5); color: light-dark(#fff, #000); cursor: pointer; margin-top: 0.5rem; }
:focus-visible { outline: 3px solid light-dark(#1858a8, #8ab8f5); outline-offset: 2px; }
.fault { margin: 0; color: light-dark(#a40000, #ff8a80); }
code, pre { font-size: 0.9em; }
pre { padding: 0.75rem; background: light-dark(#f0f0f0, #242424); overflow-x: auto; }
`;
