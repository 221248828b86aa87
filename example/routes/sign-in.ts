/** Signing in and out, and saying again who one is. */
import { Router, type Request } from 'express';
import type { Site } from './site.ts';
import { called } from '../called.ts';
import { USER_AGENT_LENGTH_MAX } from '../device.ts';
import { newToken, typed } from '../forms.ts';
import { confirmPage, signInPage } from '../pages/sign-in.ts';
import { durationText } from '../time.ts';

/** The pages that one may be sent to after signing in. */
const PAGES = ['/sessions', '/account', '/operator'];
const LOGIN_LENGTH_MAX = 64;

/** Told on the sign-in page. */
const REASONS: Readonly<Record<string, { notice: string; isWarning?: boolean }>> = {
  'signed-out': { notice: 'You are signed out.' },
  needed: { notice: 'That page is for people who are signed in. Sign in to go on.', isWarning: true },
  ended: { notice: 'Your session has ended: it was ended elsewhere, or it was not used for too long. Sign in to go on.', isWarning: true },
};

function pageOf(wanted: unknown): string {
  return PAGES.find((page) => page === wanted) ?? '/sessions';
}

export function signInRoutes(site: Site): Router {
  const router = Router();
  router.get('/sign-in', (request, response) => {
    if (site.users.find(request.session.user) !== undefined) {
      response.redirect(pageOf(request.query.to));
      return;
    }
    const { because } = request.query;
    const reason = typeof because === 'string' && Object.hasOwn(REASONS, because) ? REASONS[because] : undefined;
    const token = site.forms.token(request, response);
    site.show(request, response, { title: 'Sign in', ...reason, body: signInPage({ token, to: pageOf(request.query.to) }) });
  });
  router.post('/sign-in', async (request, response) => {
    const login = typed(request, 'login').trim().slice(0, LOGIN_LENGTH_MAX);
    const to = pageOf(typed(request, 'to'));
    const checked = await check(site, request, login);
    if ('problem' in checked) {
      const body = signInPage({ token: site.forms.token(request, response), login, problem: checked.problem, to });
      site.show(request, response.status(checked.status), { title: 'Sign in', body });
      return;
    }
    // A new id: whoever knew the one of before knows nothing now.
    await called((done) => request.session.regenerate(done));
    const { session } = request;
    session.user = login;
    session.csrf = newToken();
    session.agent = (request.headers['user-agent'] ?? '').slice(0, USER_AGENT_LENGTH_MAX);
    await called((done) => session.save(done));
    response.redirect(303, to);
  });
  router.post('/sign-out', async (request, response) => {
    await called((done) => request.session.destroy(done));
    response.clearCookie('sid').redirect(303, '/sign-in?because=signed-out');
  });
  confirmRoutes(site, router);
  return router;
}

function confirmRoutes(site: Site, router: Router): void {
  const holds = durationText(site.confirmed_ms);
  router.get('/confirm', (request, response) => {
    const { login } = site.userOf(request);
    const body = confirmPage({ token: site.forms.token(request, response), login, to: pageOf(request.query.to), holds });
    site.show(request, response, { title: 'Confirm your password', body });
  });
  router.post('/confirm', async (request, response) => {
    const { login } = site.userOf(request);
    const to = pageOf(typed(request, 'to'));
    const checked = await check(site, request, login);
    if ('problem' in checked) {
      const body = confirmPage({ token: site.forms.token(request, response), login, problem: checked.problem, to, holds });
      site.show(request, response.status(checked.status), { title: 'Confirm your password', body });
      return;
    }
    // More rights, so a new id. They are bound to it: the old one, which works on for a moment, does not get
    // them.
    await site.sessions.rotate(request, site.grace_ms);
    request.session.confirmed = { id: request.sessionID, until_ms: Date.now() + site.confirmed_ms };
    await called((done) => request.session.save(done));
    response.redirect(303, to);
  });
}

/** Whether the form's password is that of this person; else what to tell. */
async function check(site: Site, request: Request, login: string): Promise<{ ok: true } | { status: number; problem: string }> {
  const address = request.ip ?? '';
  const who = `${address} ${login}`;
  const wait_s = Math.max(site.attempts.wait_s(who), site.addresses.wait_s(address));
  if (wait_s > 0) return { status: 429, problem: `Too many attempts. Wait ${durationText(wait_s * 1000)}, then try again.` };
  site.attempts.begin(who);
  site.addresses.begin(address);
  if ((await site.users.authenticate(login, typed(request, 'password'))) === undefined) {
    return { status: 401, problem: 'User name and password do not belong together. Check both, and try again.' };
  }
  site.attempts.succeeded(who);
  site.addresses.takeBack(address);
  return { ok: true };
}
