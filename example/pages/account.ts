/** A person's account: the name, which only somebody who has just confirmed the password may change. */
import { html, type Html } from '../html.ts';
import type { User } from '../users.ts';
import { form } from './layout.ts';

export const NAME_LENGTH_MAX = 80;

export interface Account {
  token: string;
  user: User;
  /** How long the confirmation of the password holds on; undefined: it is needed. */
  confirmedFor?: string | undefined;
  problem?: string | undefined;
}

export function accountPage({ token, user, confirmedFor, problem }: Account): Html {
  const isConfirmed = confirmedFor !== undefined;
  return html`<section class="card" aria-labelledby="name-title">
    <h2 id="name-title">Name</h2>
    <p>What others see. You sign in as <code>${user.login}</code>, which stays.</p>
    ${problem !== undefined && html`<p class="problem" role="alert" id="problem">${problem}</p>`}
    ${
      isConfirmed
        ? form(
            '/account/name',
            token,
            html`<label for="name">Your name</label>
              <input
                id="name"
                name="name"
                value="${user.name}"
                autocomplete="name"
                maxlength="${NAME_LENGTH_MAX}"
                required
                ${problem !== undefined && html`aria-invalid="true" aria-describedby="problem"`}
              />
              <button class="primary">Save</button>
              <p class="small">Your password is confirmed for another ${confirmedFor}.</p>`,
            'stack',
          )
        : html`<p><b class="value">${user.name}</b></p>
            <p><a class="button primary" href="/confirm?to=/account">Confirm your password to change it</a></p>`
    }
  </section>`;
}
