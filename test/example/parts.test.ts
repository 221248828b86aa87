/** The parts of the example by themselves. */
import { ClientOfflineError, ErrorReply, SocketClosedUnexpectedlyError } from 'redis';
import { describe, expect, it } from 'vitest';
import { SessionGoneError } from '../../client/express.ts';
import { Attempts } from '../../example/attempts.ts';
import { deviceOf } from '../../example/device.ts';
import { escaped, html } from '../../example/html.ts';
import { callsOf, countersOf, latenciesOf, memoriesOf, modulesOf, parseInfo } from '../../example/operator/info.ts';
import { bytesText, commandsOf, microsecondsText, statesOf } from '../../example/operator/view.ts';
import { problemOf } from '../../example/problems.ts';
import { agoText, durationText } from '../../example/time.ts';
import { DEMO_ACCOUNTS, demoUsers, Users } from '../../example/users.ts';

describe('html', () => {
  it('escapes values, in elements and in attributes', () => {
    const evil = `"><script>alert('&')</script>\0`;
    const safe = '&quot;&gt;&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;';
    expect(html`<p title="${evil}">${evil}</p>`.text).toBe(`<p title="${safe}">${safe}</p>`);
    expect(escaped('plain – ‘text’')).toBe('plain – ‘text’');
  });

  it('takes templates and lists as they are, and nothing for what is absent', () => {
    expect(html`${html`<b>${'<'}</b>`}${[html`<i></i>`, '>', 5]}${false}${null}${undefined}${0}`.text).toBe('<b>&lt;</b><i></i>&gt;50');
  });

  it('is not made of an object that looks like it', () => {
    expect(html`${{ text: '<script>' }}`.text).toBe('');
  });
});

describe('devices', () => {
  it.each([
    ['Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0', 'Firefox on Linux', 'computer'],
    [
      'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36',
      'Chrome on Windows',
      'computer',
    ],
    [
      'Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36 Edg/130.0',
      'Edge on Windows',
      'computer',
    ],
    [
      'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15) AppleWebKit/605.1 (KHTML, like Gecko) Version/18.0 Safari/605.1',
      'Safari on macOS',
      'computer',
    ],
    [
      'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1 Version/18.0 Mobile/1 Safari/604.1',
      'Safari on iPhone',
      'phone',
    ],
    [
      'Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Mobile Safari/537.36',
      'Chrome on Android',
      'phone',
    ],
    [
      'Mozilla/5.0 (Linux; Android 15; Tab) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36',
      'Chrome on Android',
      'tablet',
    ],
    ['curl/8.1.2', 'curl', 'unknown'],
    ['something else', 'something else', 'unknown'],
    ['', 'Unknown device', 'unknown'],
    [undefined, 'Unknown device', 'unknown'],
  ])('%s', (userAgent, title, kind) => {
    expect(deviceOf(userAgent)).toEqual({ title, kind });
  });

  it('shows the beginning of a long one', () => {
    expect(deviceOf('x'.repeat(200)).title).toBe(`${'x'.repeat(60)}…`);
  });
});

describe('times', () => {
  it.each([
    [0, '0 seconds'],
    [1000, '1 second'],
    [59_400, '59 seconds'],
    [59_600, '1 minute'],
    [30 * 60_000 - 40, '30 minutes'],
    [12 * 3_600_000 - 40, '12 hours'],
    [3_600_000, '1 hour'],
    [7_500_000, '2 h 5 min'],
    [3 * 86_400_000, '3 days'],
  ])('%i ms: %s', (duration_ms, text) => {
    expect(durationText(duration_ms)).toBe(text);
  });

  it('ago', () => {
    const now = new Date(1_000_000);
    expect(agoText(new Date(995_000), now)).toBe('just now');
    expect(agoText(new Date(700_000), now)).toBe('5 minutes ago');
  });
});

describe('problems', () => {
  const reply = (message: string) => new ErrorReply(message);
  it.each([
    [
      reply("ERR unknown command 'session.getall', with args beginning with: 'x' "),
      503,
      'lacks the session module',
      '--loadmodule',
      'Try again',
    ],
    [reply("OOM command not allowed when used memory > 'maxmemory'."), 503, 'is full', 'raise wasm.max-memory', 'Try again'],
    [reply('LOADING Redis is loading the dataset in memory'), 503, 'is not ready', 'Try again in a moment', 'Try again'],
    [reply("READONLY You can't write against a read only replica."), 503, 'is not ready', 'READONLY', 'Try again'],
    [reply('Session not found: x'), 401, 'Your session has ended', 'Sign in again', 'Sign in'],
    [new SessionGoneError(), 401, 'Your session has ended', 'Sign in again', 'Sign in'],
    [new SocketClosedUnexpectedlyError(), 503, 'does not answer', 'start it again', 'Try again'],
    [new ClientOfflineError(), 503, 'does not answer', 'start it again', 'Try again'],
    [Object.assign(new Error('too large'), { status: 413 }), 413, 'too long', 'shorter', 'Go to the start page'],
    [Object.assign(new Error('malformed'), { status: 400 }), 400, 'does not understand', 'reload the page', 'Go to the start page'],
    [new Error('a fault of the site'), 500, 'Something went wrong', 'the terminal of the site says more', 'Try again'],
  ] as [unknown, number, string, string, string][])('%s: says what to do next', (error, status, title, text, label) => {
    const problem = problemOf(error, true);
    expect(problem).toMatchObject({ status, next: { label } });
    expect(problem.title).toContain(title);
    expect(problem.message).toContain(text);
    expect(problem.message).not.toContain('a fault of');
  });

  it('whatever fails while the server is gone is that it is gone', () => {
    expect(problemOf(new Error('anything'), false).title).toBe('The session server does not answer');
  });
});

describe('users', () => {
  it('know their passwords, and keep none', async () => {
    const users = await demoUsers();
    for (const { user, password } of DEMO_ACCOUNTS) {
      expect(await users.authenticate(user.login, password)).toMatchObject(user);
      expect(await users.authenticate(user.login, `${password}x`)).toBeUndefined();
      expect(await users.authenticate(user.login, '')).toBeUndefined();
    }
    expect(await users.authenticate('nobody', 'wonderland')).toBeUndefined();
    expect(await users.authenticate('alice', 'x'.repeat(1_000_000))).toBeUndefined();
  });

  it('with the same password have different hashes', async () => {
    const users = new Users();
    await users.add({ login: 'one', name: 'One', isOperator: false }, 'same');
    await users.add({ login: 'other', name: 'Other', isOperator: false }, 'same');
    expect((await users.authenticate('one', 'same'))?.login).toBe('one');
    expect((await users.authenticate('other', 'same'))?.login).toBe('other');
  });
});

describe('attempts', () => {
  it('wait after eight failures, for five minutes, each by itself', () => {
    let now = 0;
    const attempts = new Attempts(() => now);
    for (let n = 0; n < 8; n++) {
      expect(attempts.wait_s('alice')).toBe(0);
      attempts.begin('alice');
    }
    expect(attempts.wait_s('alice')).toBe(300);
    expect(attempts.wait_s('bob')).toBe(0);
    now = 299_001;
    expect(attempts.wait_s('alice')).toBe(1);
    now = 300_000;
    expect(attempts.wait_s('alice')).toBe(0);
    attempts.begin('alice');
    expect(attempts.wait_s('alice')).toBe(0);
  });

  it('are forgotten by a success', () => {
    const attempts = new Attempts();
    for (let n = 0; n < 8; n++) attempts.begin('alice');
    attempts.succeeded('alice');
    expect(attempts.wait_s('alice')).toBe(0);
  });

  it('do not fill the memory', () => {
    const attempts = new Attempts();
    for (let n = 0; n < 8; n++) attempts.begin('first');
    for (let n = 0; n < 10_000; n++) attempts.begin(`guess ${n}`);
    expect(attempts.wait_s('first')).toBe(0);
  });
});

const INFO = `# Server
redis_version:7.0.15

# wasm
wasm_settings_undone:0

# wasm_hashmap
wasm_hashmap_memory_reserved:4000
wasm_hashmap_memory_used:3000
wasm_hashmap_memory_free:1000
wasm_hashmap_commands:2
wasm_hashmap_traps:1
wasm_hashmap_timeouts:0
wasm_hashmap_damaged:0
wasm_hashmap_heap_used:500

# wasm_session
wasm_session_link_CUSTOM:direct
wasm_session_link_CUSTOM_reason:linked to hashmap
wasm_session_memory_reserved:4000
wasm_session_memory_used:3000
wasm_session_memory_free:1000
wasm_session_commands:7
wasm_session_traps:0
wasm_session_timeouts:0
wasm_session_damaged:1
wasm_session_sessions:5
wasm_session_created:9
wasm_session_expired:3
wasm_session_evicted:1
wasm_session_storage_calls:12
wasm_session_heap_used:700

# Latencystats
latency_percentiles_usec_session.get:p50=2.5,p99=10.1,p99.9=99.9
latency_percentiles_usec_info:p50=1,p99=1,p99.9=1
latency_percentiles_usec_custom.set:p50=1,p99=2,p99.9=3
`.replaceAll('\n', '\r\n');

describe('INFO', () => {
  it('as modules, counters and latencies', () => {
    const info = parseInfo(INFO);
    expect(modulesOf(info)).toMatchObject([
      { name: 'hashmap', links: [], commands: 2, traps: 1, damaged: false },
      {
        name: 'session',
        links: [{ namespace: 'CUSTOM', way: 'direct', reason: 'linked to hashmap' }],
        commands: 7,
        calls: 12,
        damaged: true,
      },
    ]);
    expect(countersOf(info)).toEqual({ sessions: 5, created: 9, expired: 3, evicted: 1 });
    expect(latenciesOf(info)).toEqual([
      { command: 'custom.set', p50: 1, p99: 2, p999: 3 },
      { command: 'session.get', p50: 2.5, p99: 10.1, p999: 99.9 },
    ]);
  });

  it('directly linked modules share a memory, whose parts add up', () => {
    const memories = memoriesOf(modulesOf(parseInfo(INFO)));
    expect(memories.map(({ title, reserved }) => [title, reserved])).toEqual([['hashmap and session', 4000]]);
    expect(memories[0]?.parts.map(({ kind, bytes }) => [kind, bytes])).toEqual([
      ['data', 500],
      ['data', 700],
      ['other', 1800],
      ['free', 1000],
    ]);
  });

  it('modules linked by command have one each', () => {
    const text = INFO.replace('CUSTOM:direct', 'CUSTOM:command').replace('linked to hashmap', 'wasm.link is command');
    expect(memoriesOf(modulesOf(parseInfo(text))).map(({ title }) => title)).toEqual(['hashmap', 'session']);
  });

  it('as states: what has struck, and what to do', () => {
    const modules = modulesOf(parseInfo(INFO));
    const server = { name: 'Redis', version: '7.0.15', uptime_s: 60 };
    const counters = { sessions: 0, created: 0, expired: 0, evicted: 0 };
    const states = statesOf({ server, modules, memories: [], latencies: [], counters, settingsUndone: 2 });
    expect(states.map(({ title, value, level }) => [title, value, level])).toEqual([
      ['Server', 'Redis 7.0.15', 'good'],
      ['session → CUSTOM.*', 'direct', 'good'],
      ['Data', 'damaged', 'bad'],
      ['Traps', '1', 'fair'],
      ['Time-outs', 'none', 'good'],
      ['Settings undone', '2', 'fair'],
    ]);
    expect(states[2]?.text).toMatch(/^session: writes and saves are refused\. Restart the server/);
    const byCommand = modulesOf(
      parseInfo(INFO.replace('CUSTOM:direct', 'CUSTOM:command').replace('linked to hashmap', 'wasm.link is command')),
    );
    const [, link] = statesOf({ server, modules: byCommand, memories: [], latencies: [], counters, settingsUndone: 0 });
    expect(link).toMatchObject({ value: 'by command', level: 'fair', text: 'wasm.link is command' });
  });

  it('as commands: what a link by command adds to them', () => {
    expect(commandsOf(modulesOf(parseInfo(INFO))).text).toBe(
      'Served per second. session calls CUSTOM.* directly: its calls are no commands',
    );
    const byCommand = modulesOf(parseInfo(INFO.replace('CUSTOM:direct', 'CUSTOM:command')));
    expect(commandsOf(byCommand)).toEqual({
      lines: ['hashmap', 'session', 'session → CUSTOM.*, by command'],
      text: 'Served per second. session calls CUSTOM.* by command: each call is counted among those of its provider',
    });
  });

  it('as calls from one module to another, the way they go', () => {
    expect(callsOf(modulesOf(parseInfo(INFO)))).toEqual([{ title: 'session → CUSTOM.*, direct', count: 12 }]);
    expect(callsOf(modulesOf(parseInfo(INFO.replace('wasm_session_storage_calls:12\r\n', ''))))).toEqual([]);
  });

  it('less than the server measures is not nothing', () => {
    expect([0, 0.9, 1, 12.4, 1234].map(microsecondsText)).toEqual(['< 1', '< 1', '1', '12', '1,234']);
  });

  it('without the module has none', () => {
    expect(countersOf(parseInfo('# Server\r\nredis_version:7.0.15\r\n'))).toBeUndefined();
  });

  it.each([
    [0, '0 B'],
    [1536, '1.5 KiB'],
    [4_587_520, '4.4 MiB'],
    [2 ** 40, '1,024 GiB'],
  ])('%i bytes: %s', (bytes, text) => {
    expect(bytesText(bytes)).toBe(text);
  });
});
