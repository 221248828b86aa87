/** What all pages share. */
import { html, type Child, type Html } from '../html.ts';
import type { User } from '../users.ts';

export interface Frame {
  title: string;
  /** Who is signed in. */
  user?: User;
  /** The token of this page's forms. */
  token?: string;
  /** Which entry of the navigation this is. */
  current?: string;
  /** Told once, above the page: what the last form has done. */
  notice?: string | undefined;
  /** Whether that is something to think of, and no success. */
  isWarning?: boolean;
  head?: Html;
  body: Child;
}

const ENTRIES = [
  { href: '/sessions', label: 'Sessions' },
  { href: '/account', label: 'Account' },
  { href: '/operator', label: 'Operator', forOperators: true },
];

/** The whole document. */
export function page({ title, user, token, current, notice, isWarning = false, head, body }: Frame): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${title} · Wasm sessions</title>
        <link rel="icon" href="/assets/icon.svg" type="image/svg+xml" />
        <link rel="stylesheet" href="/assets/style.css" />
        ${head}
      </head>
      <body>
        <a class="skip" href="#content">Skip to the content</a>
        ${header(user, token, current)}
        <main id="content" tabindex="-1">
          ${notice !== undefined && html`<p class="notice ${isWarning && 'fair'}" role="status">${notice}</p>`}
          <h1>${title}</h1>
          ${body}
        </main>
        <footer>
          <p>An example of redis-wasm. Its sessions live in redis-server, in TypeScript compiled to WebAssembly.</p>
        </footer>
      </body>
    </html>`.text;
}

function header(user: User | undefined, token: string | undefined, current: string | undefined): Html {
  const entries = ENTRIES.filter((entry) => user !== undefined && (user.isOperator || !entry.forOperators));
  return html`<header>
    <div class="bar">
      <a class="brand" href="/">
        <svg viewBox="0 0 24 24" aria-hidden="true"><path d="M5 10V7a7 7 0 0 1 14 0v3h1v12H4V10zm3 0h8V7a4 4 0 0 0-8 0z" /></svg>
        <span>Wasm sessions</span>
      </a>
      ${
        user !== undefined &&
        html`<nav aria-label="Main">
            <ul>
              ${entries.map(
                ({ href, label }) => html`<li><a href="${href}" ${current === href && html`aria-current="page"`}>${label}</a></li>`,
              )}
            </ul>
          </nav>
          <div class="who">
            <span class="name" title="${user.name}">${user.name}</span>
            ${form('/sign-out', token, html`<button class="quiet">Sign out</button>`)}
          </div>`
      }
    </div>
  </header>`;
}

/** A form that sends its fields to `action`, with the token. */
export function form(action: string, token: string | undefined, content: Child, className = ''): Html {
  return html`<form method="post" action="${action}" ${className !== '' && html`class="${className}"`}>
    <input type="hidden" name="token" value="${token}" />
    ${content}
  </form>`;
}
