/** The account: what only somebody may change who has just confirmed the password. */
import { Router, type Request } from 'express';
import type { Site } from './site.ts';
import { typed } from '../forms.ts';
import { accountPage, NAME_LENGTH_MAX } from '../pages/account.ts';
import { durationText } from '../time.ts';

export function accountRoutes(site: Site): Router {
  const router = Router();
  router.get('/account', (request, response) => {
    const user = site.userOf(request);
    const body = accountPage({ token: site.forms.token(request, response), user, confirmedFor: confirmedFor(request) });
    site.show(request, response, { title: 'Your account', current: '/account', body });
  });
  router.post('/account/name', (request, response) => {
    const user = site.userOf(request);
    const holds = confirmedFor(request);
    if (holds === undefined) {
      response.redirect(303, '/confirm?to=/account');
      return;
    }
    const name = typed(request, 'name').trim();
    if (name === '' || name.length > NAME_LENGTH_MAX) {
      const problem = `A name has 1 to ${NAME_LENGTH_MAX} characters. Type one, and save again.`;
      const body = accountPage({ token: site.forms.token(request, response), user, confirmedFor: holds, problem });
      site.show(request, response.status(422), { title: 'Your account', current: '/account', body });
      return;
    }
    user.name = name;
    request.session.notice = 'Your name was saved.';
    response.redirect(303, '/account');
  });
  return router;
}

/**
 * For how long the password is confirmed: for the present id alone, not for one of before the confirmation.
 */
function confirmedFor(request: Request): string | undefined {
  const { confirmed } = request.session;
  const left_ms = confirmed?.id === request.sessionID ? confirmed.until_ms - Date.now() : 0;
  return left_ms > 0 ? durationText(left_ms) : undefined;
}
