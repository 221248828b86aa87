/** The operator's page and the figures that it asks for. */
import { Router, type Request } from 'express';
import type { Site } from './site.ts';
import { viewOf } from '../operator/view.ts';
import { operatorHead, operatorPage } from '../pages/operator.ts';
import { OPERATORS_ONLY } from '../problems.ts';

export function operatorRoutes(site: Site): Router {
  const router = Router();
  const onlyOperators = (request: Request) => {
    if (!site.userOf(request).isOperator) throw OPERATORS_ONLY;
  };
  router.get('/operator', async (request, response) => {
    onlyOperators(request);
    if (site.sampler.figures === undefined) await site.sampler.sample();
    const body = operatorPage(viewOf(site.sampler));
    site.show(request, response, { title: 'Operator', current: '/operator', head: operatorHead, body });
  });
  router.get('/operator/figures', (request, response) => {
    onlyOperators(request);
    const after = Number(request.query.after);
    response.json(viewOf(site.sampler, Number.isSafeInteger(after) ? after : 0));
  });
  return router;
}
