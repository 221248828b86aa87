/**
 * The site: an application of Express whose sessions are kept by SESSION.*, through the store of the client
 * package.
 */
import { createRequire } from 'node:module';
import path from 'node:path';
import express, { type ErrorRequestHandler, type Express, type Request, type RequestHandler, type Response } from 'express';
import expressSession from 'express-session';
import { SessionStore } from '../client/express.ts';
import { Attempts, FAILURES_OF_ADDRESS_MAX } from './attempts.ts';
import { cookieOf, Forms } from './forms.ts';
import { securityHeaders } from './headers.ts';
import { Sampler } from './operator/sampler.ts';
import { page, type Frame } from './pages/layout.ts';
import { problemPage } from './pages/problem.ts';
import { FORM_OUTDATED, NOT_FOUND, PageProblem, problemOf, SERVER_GONE, SIGNED_OUT } from './problems.ts';
import type { Redis } from './redis.ts';
import { accountRoutes } from './routes/account.ts';
import { operatorRoutes } from './routes/operator.ts';
import { sessionRoutes } from './routes/sessions.ts';
import type { Site } from './routes/site.ts';
import { signInRoutes } from './routes/sign-in.ts';
import { Sessions } from './sessions.ts';
import type { Users } from './users.ts';

declare module 'express-session' {
  interface SessionData {
    /** The login of who is signed in. */
    user?: string;
    /** The token of its forms. */
    csrf?: string;
    /** What the browser said of itself at sign-in. */
    agent?: string;
    /** The id of the session whose browser has confirmed the password, and until when that holds, Unix ms. */
    confirmed?: { id: string; until_ms: number };
    /** Told on the next page, once. */
    notice?: string;
  }
}

export interface SiteOptions {
  /** Connected, or connecting. */
  redis: Redis;
  users: Users;
  /** Signs cookies and tokens; the same for all processes of the site, and after a restart. */
  secret: string;
  /** Seconds without a request after which a session ends. */
  idle_s?: number;
  /** Seconds after which every session ends. */
  lifetime_s?: number;
  /** How long a confirmed password holds. */
  confirmed_ms?: number;
  /** How long an id works on after its session has got another one, for requests that are under way. */
  grace_ms?: number;
  /** How often the server is asked for the operator's figures, ms. */
  sample_ms?: number;
  /** Whether the site is served by HTTPS: cookies are then sent by it alone. */
  secure?: boolean;
}

const PUBLIC_FOLDER = path.join(import.meta.dirname, 'public');
const PLOT_FOLDER = path.dirname(createRequire(import.meta.url).resolve('uplot'));
const SESSION_COOKIE = 'sid';
const FORM_BYTES_MAX = '8kb';

/** The application, and what ends the work that it does by itself. */
export function createSite(options: SiteOptions): { app: Express; close: () => void } {
  const { redis, users, secret, secure = false } = options;
  const store = new SessionStore({
    client: redis,
    userOf: (session) => session.user,
    idle: options.idle_s ?? 30 * 60,
    lifetime: options.lifetime_s ?? 12 * 3600,
  });
  const site: Site = {
    redis,
    users,
    sessions: new Sessions(redis, store, secret),
    forms: new Forms(secret, secure),
    attempts: new Attempts(),
    addresses: new Attempts(Date.now, FAILURES_OF_ADDRESS_MAX),
    sampler: new Sampler(redis, options.sample_ms),
    confirmed_ms: options.confirmed_ms ?? 10 * 60_000,
    grace_ms: options.grace_ms ?? 10_000,
    show: (request, response, frame) => {
      show(site, request, response, frame);
    },
    userOf: (request) => {
      const user = users.find(request.session.user);
      if (user === undefined) throw SIGNED_OUT;
      return user;
    },
  };
  const app = express();
  app.disable('x-powered-by');
  app.use(securityHeaders, assets());
  // Without maxAge, so that the cookie is sent once for each id: the answer to a request that was under way
  // when the id changed cannot bring the old one back. The server keeps the time.
  const cookie = { httpOnly: true, sameSite: 'lax' as const, secure };
  app.use(expressSession({ store, secret, name: SESSION_COOKIE, resave: false, saveUninitialized: false, cookie }));
  app.use(whileConnected, express.urlencoded({ extended: false, limit: FORM_BYTES_MAX }), onlyOurForms(site.forms));
  app.get('/', (request, response) => {
    response.redirect(request.session.user === undefined ? '/sign-in' : '/sessions');
  });
  for (const routes of [signInRoutes, sessionRoutes, accountRoutes, operatorRoutes]) app.use(routes(site));
  app.use(() => {
    throw NOT_FOUND;
  });
  app.use(showProblem(site));
  return {
    app,
    close: () => {
      site.sampler.close();
    },
  };
}

function assets(): RequestHandler {
  const router = express.Router();
  const files = { index: false, cacheControl: false, setHeaders: (response: Response) => response.set('Cache-Control', 'no-cache') };
  router.use('/assets', express.static(PUBLIC_FOLDER, files));
  for (const [name, file] of Object.entries({ 'uplot.js': 'uPlot.iife.min.js', 'uplot.css': 'uPlot.min.css' })) {
    router.get(`/assets/${name}`, (_request, response) => {
      response.set('Cache-Control', 'no-cache').sendFile(file, { root: PLOT_FOLDER, cacheControl: false });
    });
  }
  return router;
}

/**
 * express-session goes on without a session while its store is not connected; and for `GET *`, whose path is
 * none of the cookie's.
 */
const whileConnected: RequestHandler = (request, _response, next) => {
  const isPage = request.path.startsWith('/');
  next((request as { session?: unknown }).session === undefined ? (isPage ? SERVER_GONE : NOT_FOUND) : undefined);
};

function onlyOurForms(forms: Forms): RequestHandler {
  return (request, _response, next) => {
    const changesNothing = request.method === 'GET' || request.method === 'HEAD';
    next(changesNothing || forms.isOurs(request) ? undefined : FORM_OUTDATED);
  };
}

function show(site: Site, request: Request, response: Response, frame: Omit<Frame, 'user' | 'token'>): void {
  const { session } = request;
  const user = site.users.find(session.user);
  const notice = frame.notice ?? session.notice;
  if (session.notice !== undefined) delete session.notice;
  response
    .type('html')
    .send(page({ ...frame, notice, ...(user === undefined ? {} : { user, token: site.forms.token(request, response) }) }));
}

/** Whether the browser was signed in before: it still has the cookie of a session, though that names none. */
function hasSessionCookie(request: Request): boolean {
  return cookieOf(request, SESSION_COOKIE) !== undefined;
}

/** Sends what went wrong: as a page, or to the script of one as JSON. */
function showProblem(site: Site): ErrorRequestHandler {
  return (error: unknown, request, response, next) => {
    if (response.headersSent) {
      next(error);
      return;
    }
    const problem = problemOf(error, site.redis.isReady);
    if (problem.status === 500) console.error(error);
    response.status(problem.status);
    if (request.accepts(['html', 'json']) === 'json') {
      response.json({ title: problem.title, text: problem.message, next: problem.next });
      return;
    }
    if (problem === SIGNED_OUT && request.method === 'GET') {
      const because = hasSessionCookie(request) ? 'ended' : 'needed';
      response.redirect(`/sign-in?${new URLSearchParams({ to: request.path, because }).toString()}`);
      return;
    }
    const hasSession = (request as { session?: unknown }).session !== undefined;
    const user = hasSession && problem.status !== 503 ? site.users.find(request.session.user) : undefined;
    const signedIn = user === undefined ? {} : { user, token: site.forms.token(request, response) };
    const shown =
      problem.next.href === '' && request.method !== 'GET' ? new PageProblem(problem.status, problem.title, problem.message) : problem;
    response.type('html').send(page({ title: problem.title, ...signedIn, body: problemPage(shown) }));
  };
}
