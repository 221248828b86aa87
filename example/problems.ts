/** What went wrong, in words for the person in front of the page: what it is, and what to do next. */
import { ErrorReply } from 'redis';
import { NotLoadedError, OutOfMemoryError, SessionNotFoundError, typedError } from '../client/index.ts';
import { SessionGoneError } from '../client/express.ts';

export class PageProblem extends Error {
  readonly status: number;
  readonly title: string;
  /** Where to go next. */
  readonly next: { href: string; label: string };

  constructor(status: number, title: string, message: string, next = { href: '/', label: 'Go to the start page' }) {
    super(message);
    this.status = status;
    this.title = title;
    this.next = next;
  }
}

const TRY_AGAIN = { href: '', label: 'Try again' };

export const SERVER_GONE = new PageProblem(
  503,
  'The session server does not answer',
  'Nothing is lost that it has confirmed. Whoever runs this site: look at the terminal or the log of redis-server, and start it again. This page works again as soon as it answers.',
  TRY_AGAIN,
);

export const SIGNED_OUT = new PageProblem(401, 'Your session has ended', 'Sign in again to go on.', { href: '/sign-in', label: 'Sign in' });

export const FORM_OUTDATED = new PageProblem(
  403,
  'This form is out of date',
  'It was opened before you signed in or out, or it does not come from this site. Nothing was changed. Open the page again and send the form once more.',
);

export const NOT_FOUND = new PageProblem(404, 'There is no such page', 'The address may be mistyped, or the page has moved.');

export const OPERATORS_ONLY = new PageProblem(
  403,
  'This page is for operators',
  'You are signed in as somebody who is none. Sign out, and in again with an operator’s account.',
);

/**
 * The problem that an error stands for. `isConnected`: whether the session server answered the moment before.
 */
export function problemOf(error: unknown, isConnected: boolean): PageProblem {
  const typed = typedError(error);
  if (typed instanceof PageProblem) return typed;
  if (typed instanceof SessionGoneError || typed instanceof SessionNotFoundError) return SIGNED_OUT;
  if (typed instanceof NotLoadedError) {
    return new PageProblem(503, 'The session server lacks the session module', `${typed.message}.`, TRY_AGAIN);
  }
  if (typed instanceof OutOfMemoryError) {
    return new PageProblem(
      503,
      'The session server is full',
      'Nothing was stored. Ending sessions makes room; or raise wasm.max-memory, or maxmemory, on the server. Then try again.',
      TRY_AGAIN,
    );
  }
  if (typed instanceof ErrorReply && /^(?:LOADING|BUSY|MASTERDOWN|READONLY|MISCONF)\b/.test(typed.message)) {
    return new PageProblem(503, 'The session server is not ready', `It says: ${typed.message}. Try again in a moment.`, TRY_AGAIN);
  }
  const { status } = typed as { status?: unknown };
  if (status === 413) return new PageProblem(413, 'That is too long', 'Go back, and send a shorter text.');
  if (typeof status === 'number' && status >= 400 && status < 500) {
    return new PageProblem(status, 'The site does not understand this request', 'Go back, reload the page and try again.');
  }
  if (!isConnected || (typed instanceof Error && /Socket|Client(?:Closed|Offline)|Connection/.test(typed.constructor.name)))
    return SERVER_GONE;
  return new PageProblem(
    500,
    'Something went wrong here',
    'It was not your doing. Try again; if it stays so, the terminal of the site says more.',
    TRY_AGAIN,
  );
}
