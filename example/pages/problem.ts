/** The page for what went wrong. */
import { html, type Html } from '../html.ts';
import type { PageProblem } from '../problems.ts';

export function problemPage({ message, next }: PageProblem): Html {
  return html`<section class="card">
    <p>${message}</p>
    <p><a class="button primary" href="${next.href}">${next.label}</a></p>
  </section>`;
}
