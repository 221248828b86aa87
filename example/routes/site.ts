/** What the site's routes share. */
import type { Request, Response } from 'express';
import type { Attempts } from '../attempts.ts';
import type { Forms } from '../forms.ts';
import type { Sampler } from '../operator/sampler.ts';
import type { Frame } from '../pages/layout.ts';
import type { Redis } from '../redis.ts';
import type { Sessions } from '../sessions.ts';
import type { User, Users } from '../users.ts';

/** What the routes share. */
export interface Site {
  redis: Redis;
  users: Users;
  sessions: Sessions;
  forms: Forms;
  /** Of one person from one address. */
  attempts: Attempts;
  /** Of anybody from one address. */
  addresses: Attempts;
  sampler: Sampler;
  confirmed_ms: number;
  grace_ms: number;
  /** Sends a page. Tells the session's notice, and forgets it. */
  show: (request: Request, response: Response, frame: Omit<Frame, 'user' | 'token'>) => void;
  /** Who is signed in. Throws the problem that sends people to the sign-in page. */
  userOf: (request: Request) => User;
}
