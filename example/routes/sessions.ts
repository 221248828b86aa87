/** One's own sessions: see them, end one, end all others. */
import { Router } from 'express';
import type { Site } from './site.ts';
import { typed } from '../forms.ts';
import { sessionsPage } from '../pages/sessions.ts';

export function sessionRoutes(site: Site): Router {
  const router = Router();
  router.get('/sessions', async (request, response) => {
    const { login } = site.userOf(request);
    const list = await site.sessions.list(login, request.sessionID);
    const body = sessionsPage({ ...list, token: site.forms.token(request, response), now: new Date() });
    site.show(request, response, { title: 'Your sessions', current: '/sessions', body });
  });
  router.post('/sessions/end', async (request, response) => {
    const { login } = site.userOf(request);
    const outcome = await site.sessions.end(login, typed(request, 'handle'), request.sessionID);
    request.session.notice = {
      ended: 'The session was ended. Its browser is signed out.',
      own: 'That is this device: use “Sign out”.',
      unknown: 'That session had ended already.',
    }[outcome];
    response.redirect(303, '/sessions');
  });
  router.post('/sessions/end-others', async (request, response) => {
    const { login } = site.userOf(request);
    const count = await site.sessions.endOthers(login, request.sessionID);
    request.session.notice =
      count === 0 ? 'There was no other session.' : `${count} other ${count === 1 ? 'session was' : 'sessions were'} ended.`;
    response.redirect(303, '/sessions');
  });
  return router;
}
