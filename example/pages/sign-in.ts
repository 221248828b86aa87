/** Where people sign in, and where they say again who they are. */
import { html, type Html } from '../html.ts';
import { DEMO_ACCOUNTS, PASSWORD_LENGTH_MAX } from '../users.ts';
import { form } from './layout.ts';

export interface SignIn {
  token: string;
  /** What was typed before. */
  login?: string;
  problem?: string | undefined;
  /** The page to go to afterwards. */
  to: string;
}

export function signInPage({ token, login = '', problem, to }: SignIn): Html {
  return html`<div class="sides">
    <section class="card">
      ${problem !== undefined && html`<p class="problem" role="alert" id="problem">${problem}</p>`}
      ${form(
        '/sign-in',
        token,
        html`<input type="hidden" name="to" value="${to}" />
          <label for="login">User name</label>
          <input
            id="login"
            name="login"
            value="${login}"
            autocomplete="username"
            autocapitalize="none"
            spellcheck="false"
            maxlength="64"
            required
            ${login === '' && html`autofocus`}
          />
          ${passwordField(problem, login !== '')}
          <button class="primary wide">Sign in</button>`,
        'stack',
      )}
    </section>
    <section class="card hint" aria-labelledby="accounts">
      <h2 id="accounts">Accounts to try</h2>
      <p>Sign in from several browsers or private windows, and watch the sessions on each.</p>
      <table>
        <thead>
          <tr>
            <th scope="col">User name</th>
            <th scope="col">Password</th>
            <th scope="col"><span class="hidden">Role</span></th>
          </tr>
        </thead>
        <tbody>
          ${DEMO_ACCOUNTS.map(
            ({ user, password }) =>
              html`<tr>
                <td><code>${user.login}</code></td>
                <td><code>${password}</code></td>
                <td>${user.isOperator && html`<span class="badge">operator</span>`}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </section>
  </div>`;
}

function passwordField(problem: string | undefined, hasFocus: boolean): Html {
  return html`<label for="password">Password</label>
    <input
      id="password"
      name="password"
      type="password"
      autocomplete="current-password"
      maxlength="${PASSWORD_LENGTH_MAX}"
      required
      ${problem !== undefined && html`aria-invalid="true" aria-describedby="problem"`}
      ${hasFocus && html`autofocus`}
    />`;
}

export interface Confirm {
  token: string;
  login: string;
  problem?: string | undefined;
  to: string;
  /** How long the confirmation holds. */
  holds: string;
}

export function confirmPage({ token, login, problem, to, holds }: Confirm): Html {
  return html`<div class="narrow">
    <section class="card">
      <p>
        What comes next is for you alone. Type your password once more; it holds for ${holds}, in this browser. Your session gets a new id,
        and what you have in it stays.
      </p>
      ${problem !== undefined && html`<p class="problem" role="alert" id="problem">${problem}</p>`}
      ${form(
        '/confirm',
        token,
        html`<input type="hidden" name="to" value="${to}" />
          <input class="hidden" name="login" value="${login}" autocomplete="username" tabindex="-1" aria-hidden="true" readonly />
          ${passwordField(problem, true)}
          <div class="row">
            <button class="primary">Confirm</button>
            <a class="button" href="${to}">Cancel</a>
          </div>`,
        'stack',
      )}
    </section>
  </div>`;
}
