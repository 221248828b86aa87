/**
 * How a session is known again that a framework has copied: by a property, which goes along. A copy of the
 * object has the same Mark, and with it all that is known of the session. A copy of its JSON, as another
 * process may have it, has the Mark's text.
 */
import { createHash } from 'node:crypto';

/** The property's name. It is no field on the server. */
export const MARK = '$stored';

export class Mark {
  /** Names the session. Not its id, which would be a secret in what an application may show. */
  declare readonly of: string;

  constructor(id: string) {
    // Worked out when it is read. A property of its own, so that it goes along however an object is copied.
    const of = (): string => createHash('sha256').update(id).digest('base64url').slice(0, 16);
    Object.defineProperty(this, 'of', { get: of, enumerable: true });
  }
}

/** The object's mark, or what has become of it. */
export function markOf(session: object): { of?: unknown } | undefined {
  const mark = (session as Record<string, unknown>)[MARK];
  return typeof mark === 'object' && mark !== null ? mark : undefined;
}

/** Gives a session a mark that an application does not see of it. */
export function hideMark(session: object, mark: object | undefined): void {
  if (mark !== undefined) Object.defineProperty(session, MARK, { value: mark, enumerable: false, configurable: true, writable: true });
}
