/** A person's own sessions, and what can be done with them. */
import { html, type Html } from '../html.ts';
import type { ListedSession } from '../sessions.ts';
import type { Device } from '../device.ts';
import { agoText, durationText, momentText } from '../time.ts';
import { form } from './layout.ts';

export interface SessionList {
  token: string;
  sessions: ListedSession[];
  /** How many are not shown. */
  more: number;
  now: Date;
}

export function sessionsPage({ token, sessions, more, now }: SessionList): Html {
  const others = sessions.filter((session) => !session.isThis).length + more;
  // This one first; the others as they came, newest first.
  const ordered = [...sessions.filter((session) => session.isThis), ...sessions.filter((session) => !session.isThis)];
  return html`<p class="lead">
      ${others === 0 ? 'You are signed in here, and nowhere else.' : `You are signed in here, and in ${others} other ${others === 1 ? 'place' : 'places'}.`}
      If you do not recognise one, end it.
    </p>
    <ul class="sessions">
      ${ordered.map((session, index) => item(session, index, token, now))}
    </ul>
    ${more > 0 && html`<p>And ${more} more, which are not shown.</p>`}
    ${others > 0 && form('/sessions/end-others', token, html`<button class="danger">Sign out everywhere else</button>`)}
    <p class="small">Devices are what browsers say of themselves. Times are those of this site.</p>`;
}

function item(session: ListedSession, index: number, token: string, now: Date): Html {
  const { device, isThis, handle, createdAt, lastAccessed } = session;
  return html`<li class="card session ${isThis && 'this'}">
    ${icon(device.kind)}
    <div class="what">
      <h2 id="session-${index}">${device.title} ${isThis && html`<span class="badge good">this device</span>`}</h2>
      <dl>
        <div>
          <dt>Last access</dt>
          <dd><time datetime="${lastAccessed.toISOString()}">${agoText(lastAccessed, now)}</time></dd>
        </div>
        <div>
          <dt>Signed in</dt>
          <dd><time datetime="${createdAt.toISOString()}">${momentText(createdAt)}</time></dd>
        </div>
        ${ends(session, now)}
      </dl>
    </div>
    ${
      !isThis &&
      form(
        '/sessions/end',
        token,
        html`<input type="hidden" name="handle" value="${handle}" /> <button aria-describedby="session-${index}">End</button>`,
      )
    }
  </li>`;
}

/** Its two ends: by the time without use, and in any case. */
function ends({ idleEnd, end }: ListedSession, now: Date): Html {
  const left = (moment: Date) => html`<time datetime="${moment.toISOString()}">in ${durationText(moment.getTime() - now.getTime())}</time>`;
  return html`${
    idleEnd !== null &&
    html`<div>
      <dt>Ends if unused</dt>
      <dd>${left(idleEnd)}</dd>
    </div>`
  }
  ${
    end !== null &&
    html`<div>
      <dt>Ends in any case</dt>
      <dd>${left(end)}</dd>
    </div>`
  }`;
}

const SHAPES: Readonly<Record<Device['kind'], Html>> = {
  phone: html`<rect x="7" y="2" width="10" height="20" rx="2" /><path d="M11 18.5h2" />`,
  tablet: html`<rect x="4" y="3" width="16" height="18" rx="2" /><path d="M11 18h2" />`,
  computer: html`<rect x="3" y="4" width="18" height="12" rx="1.5" /><path d="M9 20h6M12 16v4" />`,
  unknown: html`<circle cx="12" cy="12" r="9" /><path d="M9.5 9.5a2.5 2.5 0 1 1 2.5 3v1.5M12 17v.1" />`,
};

function icon(kind: Device['kind']): Html {
  return html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">${SHAPES[kind]}</svg>`;
}
