/**
 * The example site as it is seen without scripts: forms, cookies, headers, rights, and what is told when
 * something fails.
 */
import { get } from 'node:http';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Sampler } from '../../example/operator/sampler.ts';
import { viewOf } from '../../example/operator/view.ts';
import { createRedis } from '../../example/redis.ts';
import { eventually, startServer, useServer } from '../support/server.ts';
import { ALICE, BOB, OLGA, startSite, Visitor } from '../support/site.ts';

const server = useServer();

/** The status of an answer to `GET <path>`, which goes out as it is. */
const statusOf = (address: string, path: string) =>
  new Promise<number | undefined>((resolve, reject) => {
    const sent = get(address, { path }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    sent.on('error', reject);
  });

describe('signing in', () => {
  it('makes a session of the user, with limits of time', async () => {
    const visitor = new Visitor(await startSite(server, { idle_s: 600, lifetime_s: 3600 }));
    expect((await visitor.signIn(...ALICE)).text).toContain('Your sessions');
    const info = await server.send('SESSION.INFO', visitor.sid!);
    expect(info).toContain('alice');
    expect(info).toMatch(/\r\n:600000\r\n/);
    expect(await server.send('SESSION.TTL', visitor.sid!)).toMatch(/^:\d{6}\r\n$/);
    expect(visitor.page.text).toMatch(/Ends if unused[^]*in 10 minutes/);
    expect(visitor.page.text).toMatch(/Ends in any case[^]*in 1 hour/);
  });

  it('stores nothing for who does not sign in', async () => {
    const visitor = new Visitor(await startSite(server));
    for (const path of ['/', '/sign-in', '/sessions', '/nowhere']) await visitor.open(path);
    await visitor.signIn('alice', 'wrong');
    expect(visitor.sid).toBeUndefined();
    expect(await server.send('SESSION.COUNT')).toBe(':0\r\n');
  });

  it('tells who was never signed in from whose session has ended', async () => {
    const visitor = new Visitor(await startSite(server));
    const warning = /<p class="notice fair" role="status">([^<]*)</;
    expect(warning.exec((await visitor.open('/sessions')).text)?.[1]).toBe('That page is for people who are signed in. Sign in to go on.');
    await visitor.signIn(...ALICE);
    await server.send('SESSION.DELUSER', 'alice');
    const ended = 'Your session has ended: it was ended elsewhere, or it was not used for too long. Sign in to go on.';
    expect(warning.exec((await visitor.open('/sessions')).text)?.[1]).toBe(ended);
  });

  it('does not tell which of the two is wrong, and keeps the user name', async () => {
    const visitor = new Visitor(await startSite(server));
    const texts = [];
    for (const login of ['alice', 'nobody']) {
      const { status, text } = await visitor.signIn(login, 'wrong');
      expect(status).toBe(401);
      expect(text).toContain(`value="${login}"`);
      texts.push(/role="alert"[^>]*>([^<]*)</.exec(text)?.[1]);
    }
    expect(texts).toEqual(Array(2).fill('User name and password do not belong together. Check both, and try again.'));
  });

  it('waits after too many attempts, whatever the password is then', async () => {
    const visitor = new Visitor(await startSite(server));
    for (let n = 0; n < 8; n++) expect((await visitor.signIn('alice', 'wrong')).status).toBe(401);
    const { status, text } = await visitor.signIn(...ALICE);
    expect(status).toBe(429);
    expect(text).toContain('Too many attempts. Wait 5 minutes, then try again.');
    expect((await visitor.signIn(...BOB)).status).toBe(200);
  });

  it('waits after too many attempts from one address, whoever signs in', async () => {
    const visitor = new Visitor(await startSite(server));
    for (let n = 0; n < 20; n++) expect((await visitor.signIn(...BOB)).status).toBe(200);
    for (let n = 0; n < 40; n++) expect((await visitor.signIn(`nobody-${n}`, 'wrong')).status).toBe(401);
    const { status, text } = await visitor.signIn(...ALICE);
    expect(status).toBe(429);
    expect(text).toContain('Too many attempts. Wait 5 minutes, then try again.');
  });

  it('gives a new id to who had one: the cookie of before names nothing', async () => {
    const visitor = new Visitor(await startSite(server));
    await visitor.signIn(...ALICE);
    const before = visitor.twin();
    await visitor.send('/sign-out', {});
    await visitor.signIn(...BOB);
    expect(visitor.sid).not.toBe(before.sid);
    expect((await before.open('/sessions')).text).toContain('Sign in to go on');
  });

  it('gives a new id to who signs in as somebody else: the session of before has ended', async () => {
    const visitor = new Visitor(await startSite(server));
    await visitor.signIn(...ALICE);
    const before = visitor.twin();
    expect((await visitor.send('/sign-in', { login: 'bob', password: 'builder' })).text).toContain('Bob Example');
    expect(visitor.sid).not.toBe(before.sid);
    expect((await before.open('/sessions')).text).toContain('Sign in to go on');
    expect(await server.send('SESSION.COUNT')).toBe(':1\r\n');
  });

  it('leads to the page that was asked for, and to no other site', async () => {
    const address = await startSite(server);
    const visitor = new Visitor(address);
    await visitor.open('/account');
    expect((await visitor.send('/sign-in', { login: 'alice', password: 'wonderland', to: '/account' })).text).toContain('Your account');
    const other = new Visitor(address);
    await other.open('/sign-in?to=https://example.com/');
    expect((await other.send('/sign-in', { login: 'alice', password: 'wonderland', to: '//example.com' })).text).toContain('Your sessions');
  });
});

describe('protection', () => {
  it('the session’s cookie is for this site, and not for scripts; https alone where it is secure', async () => {
    const address = await startSite(server);
    const visitor = new Visitor(address);
    await visitor.open('/sign-in');
    const body = new URLSearchParams({
      token: /name="token" value="([^"]*)"/.exec(visitor.page.text)![1]!,
      login: 'alice',
      password: 'wonderland',
    });
    const cookie = `visitor=${visitor.cookies.get('visitor')}`;
    const response = await fetch(`${address}/sign-in`, { method: 'POST', body, headers: { cookie }, redirect: 'manual' });
    expect(response.headers.getSetCookie()).toEqual([expect.stringMatching(/^sid=s%3A[^;]+; Path=\/; HttpOnly; SameSite=Lax$/)]);
    const secure = await fetch(`${await startSite(server, { secure: true })}/sign-in`);
    expect(secure.headers.getSetCookie()).toEqual([expect.stringMatching(/^visitor=[^;]+; Path=\/; HttpOnly; Secure; SameSite=Lax$/)]);
  });

  it('pages allow only what they need, and are not stored', async () => {
    const { headers } = await new Visitor(await startSite(server)).open('/sign-in');
    expect(headers.get('content-security-policy')).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self';/);
    expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('x-powered-by')).toBeNull();
  });

  it('forms without the page’s token change nothing', async () => {
    const address = await startSite(server);
    const visitor = new Visitor(address);
    await visitor.signIn(...ALICE);
    const other = new Visitor(address);
    await other.signIn(...ALICE);
    const stolen = new Visitor(address);
    await stolen.signIn(...BOB);
    const foreign = /name="token" value="([^"]*)"/.exec(stolen.page.text)![1]!;
    for (const token of ['', 'x', foreign]) {
      const { status, text } = await visitor.send('/sessions/end-others', { token });
      expect([status, text]).toEqual([403, expect.stringContaining('This form is out of date')]);
      await visitor.open('/sessions');
    }
    const withOrigin = await visitor.send('/sessions/end-others', {}, { origin: 'https://example.com' });
    expect(withOrigin.status).toBe(403);
    expect(await server.send('SESSION.COUNT', 'alice')).toBe(':2\r\n');
    const anonymous = new Visitor(address);
    expect((await anonymous.send('/sign-in', { login: 'alice', password: 'wonderland' })).status).toBe(403);
    await visitor.open('/sessions');
    expect((await visitor.send('/sessions/end-others', {}, { origin: address })).text).toContain('1 other session was ended');
  });

  it('names and user agents are text, whatever stands in them', async () => {
    const evil = '"><script>alert(1)</script>';
    const address = await startSite(server);
    const visitor = new Visitor(address, { 'user-agent': evil });
    await visitor.signIn(...ALICE);
    await visitor.open('/confirm');
    await visitor.send('/confirm', { password: 'wonderland', to: '/account' });
    await visitor.send('/account/name', { name: evil });
    for (const path of ['/account', '/sessions', '/nowhere']) {
      const { text } = await visitor.open(path);
      expect(text).not.toContain('<script>alert');
      expect(text).toContain('&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;');
    }
    const { text } = await new Visitor(address).signIn(evil, evil);
    expect(text).not.toContain('<script>alert');
    expect((await new Visitor(address).open(`/sign-in?to=${evil}&because=${evil}&because=x`)).text).not.toContain('<script>alert');
  });

  it('a session cannot be ended by its id, nor by somebody else', async () => {
    const address = await startSite(server);
    const [alice, other, bob] = [new Visitor(address), new Visitor(address), new Visitor(address)];
    await alice.signIn(...ALICE);
    await other.signIn(...ALICE);
    const { text } = await alice.open('/sessions');
    expect(text).not.toContain(other.sid!);
    const handle = /name="handle" value="([^"]*)"/.exec(text)![1]!;
    await bob.signIn(...BOB);
    for (const given of [handle, other.sid!, '', '__proto__']) {
      expect((await bob.send('/sessions/end', { handle: given })).text).toContain('That session had ended already.');
    }
    expect((await alice.send('/sessions/end', { handle: other.sid! })).text).toContain('That session had ended already.');
    expect((await alice.send('/sessions/end', { handle })).text).toContain('The session was ended.');
    expect(await server.send('SESSION.USER', 'alice')).toBe(`*1\r\n$${alice.sid!.length}\r\n${alice.sid}\r\n`);
  });

  it('the operator’s page is for operators', async () => {
    const visitor = new Visitor(await startSite(server));
    expect((await visitor.open('/operator/figures', { accept: 'application/json' })).status).toBe(401);
    expect(JSON.parse(visitor.page.text)).toMatchObject({ title: 'Your session has ended', next: { href: '/sign-in' } });
    await visitor.signIn(...ALICE);
    expect(visitor.page.text).not.toContain('/operator');
    for (const path of ['/operator', '/operator/figures']) expect((await visitor.open(path)).status).toBe(403);
  });
});

describe('confirming the password', () => {
  const confirm = async (visitor: Visitor, password = 'wonderland') => {
    await visitor.open('/confirm?to=/account');
    return visitor.send('/confirm', { password, to: '/account' });
  };

  it('is asked for before the name is changed', async () => {
    const visitor = new Visitor(await startSite(server));
    await visitor.signIn(...ALICE);
    expect((await visitor.open('/account')).text).not.toContain('name="name"');
    expect((await visitor.send('/account/name', { name: 'Eve' })).text).toContain('Confirm your password');
    expect((await confirm(visitor, 'wrong')).status).toBe(401);
    expect((await confirm(visitor)).text).toContain('name="name"');
    expect((await visitor.send('/account/name', { name: '' })).status).toBe(422);
    expect((await visitor.send('/account/name', { name: 'Eve' })).text).toMatch(/Your name was saved[^]*value="Eve"/);
  });

  it('rotates the id: the data stays, and the old cookie works on for the grace time without the new right', async () => {
    const visitor = new Visitor(await startSite(server, { grace_ms: 100_000 }));
    await visitor.signIn(...ALICE);
    const before = visitor.twin();
    await confirm(visitor);
    expect(visitor.sid).not.toBe(before.sid);
    expect(visitor.page.text).toContain('name="name"');
    expect(visitor.page.text).toContain('Alice Example');

    const old = await before.open('/account');
    expect(old.text).toContain('Alice Example');
    expect(old.text).not.toContain('name="name"');
    expect((await before.send('/account/name', { name: 'Eve' })).text).toContain('Confirm your password');
    expect(before.cookies.get('sid')).not.toBe(visitor.cookies.get('sid'));
    expect((await visitor.open('/sessions')).text).toContain('nowhere else');
    expect(await server.send('SESSION.CHECK')).toBe('+OK\r\n');
  });

  it('the old cookie ends with the grace time, and the new one does not', async () => {
    const visitor = new Visitor(await startSite(server, { grace_ms: 300 }));
    await visitor.signIn(...ALICE);
    const before = visitor.twin();
    await confirm(visitor);
    const ended = await eventually(
      () => before.open('/account'),
      ({ text }) => text.includes('Sign in to go on'),
    );
    expect(ended.text).toContain('Sign in to go on');
    expect((await visitor.open('/sessions')).text).toContain('nowhere else');
    expect(await server.send('SESSION.CHECK')).toBe('+OK\r\n');
  });

  it('an old cookie in its grace time ends the others, and not its own session', async () => {
    const address = await startSite(server, { grace_ms: 100_000 });
    const [visitor, other] = [new Visitor(address), new Visitor(address)];
    await visitor.signIn(...ALICE);
    await other.signIn(...ALICE);
    const before = visitor.twin();
    await confirm(visitor);
    expect((await before.open('/sessions')).text).toContain('this device');
    expect((await before.send('/sessions/end-others', {})).text).toContain('1 other session was ended');
    expect((await visitor.open('/sessions')).text).toContain('nowhere else');
    expect((await other.open('/sessions')).text).toContain('Sign in to go on');
  });

  it('holds for a time', async () => {
    const visitor = new Visitor(await startSite(server, { confirmed_ms: 300 }));
    await visitor.signIn(...ALICE);
    await confirm(visitor);
    const { text } = await eventually(
      () => visitor.open('/account'),
      (page) => !page.text.includes('name="name"'),
    );
    expect(text).toContain('Confirm your password to change it');
  });

  it('without grace the old cookie is worth nothing at once', async () => {
    const visitor = new Visitor(await startSite(server, { grace_ms: 0 }));
    await visitor.signIn(...ALICE);
    const before = visitor.twin();
    await confirm(visitor);
    expect((await before.open('/sessions')).text).toContain('Sign in to go on');
    expect(visitor.page.text).toContain('name="name"');
  });
});

describe('ends', () => {
  it('signing out ends the session on the server', async () => {
    const visitor = new Visitor(await startSite(server));
    await visitor.signIn(...ALICE);
    const twin = visitor.twin();
    expect((await visitor.send('/sign-out', {})).text).toContain('You are signed out.');
    expect(visitor.sid).toBeUndefined();
    expect((await twin.open('/sessions')).text).toContain('Sign in to go on');
    expect(await server.send('SESSION.COUNT')).toBe(':0\r\n');
  });

  it('a session that nobody uses ends', async () => {
    const visitor = new Visitor(await startSite(server, { idle_s: 1 }));
    await visitor.signIn(...ALICE);
    await eventually(
      () => server.send('SESSION.COUNT'),
      (reply) => reply === ':0\r\n',
    );
    expect((await visitor.open('/sessions')).text).toContain('Sign in to go on');
  });

  it('signs in again after a restart of the site with the same secret', async () => {
    const visitor = new Visitor(await startSite(server));
    await visitor.signIn(...ALICE);
    const later = new Visitor(await startSite(server));
    for (const [name, value] of visitor.cookies) later.cookies.set(name, value);
    expect((await later.open('/sessions')).text).toContain('this device');
    const elsewhere = new Visitor(await startSite(server, { secret: 'another secret' }));
    for (const [name, value] of visitor.cookies) elsewhere.cookies.set(name, value);
    expect((await elsewhere.open('/sessions')).text).toContain('Sign in to go on');
  });
});

describe('what fails', () => {
  it('the server is gone: pages and figures say so, and go on by themselves when it is back', async () => {
    const own = await startServer();
    const visitor = new Visitor(await startSite(own));
    await visitor.signIn(...OLGA);
    await own.kill();
    const page = await eventually(
      () => visitor.open('/sessions'),
      ({ status }) => status === 503,
    );
    expect([page.status, page.text]).toEqual([503, expect.stringContaining('The session server does not answer')]);
    expect(page.text).toContain('start it again');
    const figures = await visitor.open('/operator/figures', { accept: 'application/json' });
    expect([figures.status, JSON.parse(figures.text)]).toMatchObject([503, { title: 'The session server does not answer' }]);
    await own.start();
    await eventually(
      () => visitor.open('/sign-in'),
      ({ status }) => status === 200,
    );
    expect((await visitor.signIn(...OLGA)).text).toContain('Your sessions');
  });

  it('figures of a time when the server was gone are not known, nor are rates across a restart', async () => {
    const own = await startServer();
    const redis = createRedis({ path: own.socket });
    await redis.connect();
    const sampler = new Sampler(redis, 100);
    onTestFinished(() => {
      sampler.close();
      redis.destroy();
    });
    const last = () => sampler.samples.at(-1);
    const isWell = () => eventually(last, (sample) => sample.created === 0);
    const isGone = (text: RegExp) =>
      eventually(
        () => sampler.trouble?.text ?? '',
        (told) => text.test(told),
      );
    await sampler.sample();
    expect(await isWell()).toMatchObject({ sessions: 0, created: 0, expired: 0, evicted: 0 });
    process.kill(own.pid, 'SIGSTOP');
    expect(await isGone(/hangs/)).toContain('it is busy, or it hangs');
    expect(last()).toMatchObject({ sessions: null, created: null, memories: null });
    process.kill(own.pid, 'SIGCONT');
    expect(await isWell()).toMatchObject({ sessions: 0 });
    await own.kill();
    expect(await isGone(/start it again/)).toContain('look at the terminal');
    expect(viewOf(sampler)).toMatchObject({ trouble: { text: expect.stringMatching(/ Since \d\d:\d\d:\d\d\.$/) as string }, states: [] });
    await own.start();
    expect(await isWell()).toMatchObject({ sessions: 0 });
    // The first one after it: how many there are is known, how many have come is not.
    const back = sampler.samples.findLast(({ sessions }) => sessions === null)!;
    expect(sampler.after(back.n)[0]).toMatchObject({ n: back.n + 1, sessions: 0, created: null });
    expect(viewOf(sampler).trouble).toBeUndefined();
  });

  it('the server has no module: says which to load', async () => {
    const own = await startServer({ module: false });
    const visitor = new Visitor(await startSite(own));
    const { status, text } = await visitor.signIn(...OLGA);
    expect([status, text]).toEqual([503, expect.stringContaining('--loadmodule')]);
  });

  it('a page that is not there, a form that is too long, and one that is none', async () => {
    const address = await startSite(server);
    const visitor = new Visitor(address);
    expect((await visitor.open('/nowhere')).status).toBe(404);
    await visitor.open('/sign-in');
    expect((await visitor.send('/sign-in', { login: 'x'.repeat(10_000) })).status).toBe(413);
    const answer = await fetch(`${address}/sign-in`, { method: 'POST', body: '{', headers: { 'content-type': 'application/json' } });
    expect(answer.status).toBe(403);
    expect((await fetch(`${address}/assets/../app.ts`)).status).toBe(404);
    expect(await statusOf(address, '*')).toBe(404);
    expect((await fetch(`${address}/assets/%2e%2e/app.ts`)).status).toBe(404);
  });
});

describe('figures', () => {
  it('are those of the server', async () => {
    const visitor = new Visitor(await startSite(server, { sample_ms: 50 }));
    await visitor.signIn(...OLGA);
    await server.send('SESSION.CREATE', 'somebody');
    interface View {
      rows: { label: string; value: string }[];
      states: { title: string; value: string; level: string }[];
      latencies: { command: string }[];
      commands: { lines: string[]; text: string };
      samples: { n: number; created: number | null; commands: number[] | null; memories: number[][] | null }[];
    }
    const view = async (after = 0) => JSON.parse((await visitor.open(`/operator/figures?after=${after}`)).text) as View;
    const { rows, states, commands, latencies, samples } = await eventually(
      view,
      (given) => given.rows.some(({ label, value }) => label === 'Sessions' && value === '2') && given.samples.at(-1).commands !== null,
    );
    expect(rows).toContainEqual({ label: 'Sessions', value: '2' });
    expect(states).toContainEqual(expect.objectContaining({ title: 'session → CUSTOM.*', value: 'direct', level: 'good' }));
    expect(states).toContainEqual(expect.objectContaining({ title: 'Traps', value: 'none', level: 'good' }));
    expect(latencies.map(({ command }) => command)).toContain('session.create');
    expect(samples.at(-1).memories).toEqual([[expect.any(Number), expect.any(Number), expect.any(Number), expect.any(Number)]]);

    expect(commands.lines).toEqual(['hashmap', 'session', 'session → CUSTOM.*, direct']);
    // Signing in and creating a session look the user up, and map it.
    const calls = rows.find(({ label }) => label === 'Calls session → CUSTOM.*, direct, since the start');
    expect(Number(calls?.value)).toBeGreaterThanOrEqual(4);
    expect(commands.text).toBe('Served per second. session calls CUSTOM.* directly: its calls are no commands');
    expect(samples.at(-1).commands).toEqual([expect.any(Number), expect.any(Number), expect.any(Number)]);

    const last = samples.at(-1).n;
    const next = await eventually(
      () => view(last),
      (given) => given.samples.length > 0,
    );
    expect(next.samples[0]!.n).toBe(last + 1);
    expect((await view(last + 1_000_000)).samples[0]!.n).toBe(1);
    expect((await view(NaN)).samples[0]!.n).toBe(1);
  });

  it('stand on the page without a script', async () => {
    const visitor = new Visitor(await startSite(server));
    await visitor.signIn(...OLGA);
    const sessions = /<th scope="row">Sessions<\/th>\s*<td class="number">1<\/td>/;
    const { text } = await eventually(
      () => visitor.open('/operator'),
      (page) => sessions.test(page.text),
    );
    expect(text).toMatch(sessions);
    expect(text).toContain('These are the figures of this moment.');
    expect(text).toMatch(/session → CUSTOM\.\*<\/span> <b>direct/);
  });
});
