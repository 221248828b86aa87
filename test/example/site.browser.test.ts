/**
 * The example site in a real browser: what people see and do, on phones and desktops, with and without
 * scripts.
 */
import { chromium, type Browser, type BrowserContext, type BrowserContextOptions, type Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { eventually, startServer, useServer } from '../support/server.ts';
import { ALICE, OLGA, startSite, Visitor } from '../support/site.ts';

const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true } satisfies BrowserContextOptions;
const CHROME = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36';
const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0';
const FLAGS = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
];
const TIMEOUT_MS = 20_000;

const server = useServer();
let browser: Browser;
let address = '';
/** What browsers complained of: errors of scripts, breaches of the content security policy. */
let complaints: string[] = [];

beforeAll(async () => {
  browser = await chromium.launch({ executablePath: process.env.TEST_BROWSER!, args: FLAGS });
});
afterAll(() => browser.close());
beforeEach(async () => {
  address = await startSite(server);
  complaints = [];
  onTestFinished(() => {
    expect(complaints).toEqual([]);
  });
});

async function context(options: BrowserContextOptions = {}): Promise<BrowserContext> {
  const made = await browser.newContext({ baseURL: address, ...options });
  made.setDefaultTimeout(TIMEOUT_MS);
  onTestFinished(() => made.close());
  return made;
}

async function newPage(options: BrowserContextOptions = {}): Promise<Page> {
  const page = await (await context(options)).newPage();
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) complaints.push(message.text());
  });
  return page;
}

async function signIn(page: Page, [login, password]: readonly [string, string]): Promise<void> {
  await page.goto('/sign-in');
  await page.getByLabel('User name').fill(login);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: 'Your sessions' }).waitFor();
}

/**
 * A page of a browser that is signed in: by the forms of the pages, which is what takes most of the time
 * here, only where that is the matter.
 */
async function signedIn(who: readonly [string, string], options: BrowserContextOptions = {}): Promise<Page> {
  const visitor = new Visitor(address, { 'user-agent': options.userAgent ?? CHROME });
  await visitor.signIn(...who);
  const page = await newPage(options);
  await page.context().addCookies([...visitor.cookies].map(([name, value]) => ({ name, value, url: address })));
  return page;
}

const items = (page: Page) => page.getByRole('main').getByRole('listitem');

describe('sessions', () => {
  // All of it without scripts too: every form is a plain one.
  it.each([true, false])('are listed on each browser, and one ends another; scripts: %s', async (javaScriptEnabled) => {
    const one = await newPage({ javaScriptEnabled });
    const other = await newPage({ javaScriptEnabled, userAgent: FIREFOX });
    for (const page of [one, other]) await signIn(page, ALICE);
    await one.reload();
    expect(await items(one).count()).toBe(2);
    expect(await items(one).nth(0).innerText()).toMatch(/^Chrome on Linux\s+this device/);
    expect(await items(one).nth(1).innerText()).toMatch(/^Firefox on Linux\s+Last access\s+just now/);
    expect(await items(other).nth(0).innerText()).toMatch(/^Firefox on Linux\s+this device/);
    expect(await items(other).nth(1).innerText()).toMatch(/Ends if unused\s+in 30 minutes\s+Ends in any case\s+in 12 hours/);

    await one.getByRole('button', { name: 'End' }).click();
    await one.getByRole('status').getByText('The session was ended. Its browser is signed out.').waitFor();
    expect(await items(one).count()).toBe(1);
    await other.reload();
    await other.getByText('Sign in to go on').waitFor();
    await one.reload();
    expect(await one.getByRole('status').count()).toBe(0);
  });

  it.each([true, false])('all others end at once, this one stays; scripts: %s', async (javaScriptEnabled) => {
    const pages = [await signedIn(ALICE), await signedIn(ALICE, { userAgent: FIREFOX }), await signedIn(ALICE, { javaScriptEnabled })];
    const last = pages.pop()!;
    await last.goto('/sessions');
    await last.getByRole('button', { name: 'Sign out everywhere else' }).click();
    await last.getByText('2 other sessions were ended.').waitFor();
    await last.getByText('You are signed in here, and nowhere else.').waitFor();
    for (const page of pages) {
      await page.goto('/sessions');
      await page.getByText('Sign in to go on').waitFor();
    }
    await last.getByRole('button', { name: 'Sign out' }).click();
    await last.getByText('You are signed out.').waitFor();
    expect(await server.send('SESSION.COUNT')).toBe(':0\r\n');
  });

  it('a confirmed password changes the cookie and keeps the session; the cookie of before ends', async () => {
    address = await startSite(server, { grace_ms: 500 });
    const page = await newPage();
    await signIn(page, ALICE);
    const cookieOf = async () => (await page.context().cookies()).find(({ name }) => name === 'sid')!;
    const before = await cookieOf();
    expect(before).toMatchObject({ httpOnly: true, sameSite: 'Lax', expires: -1 });
    await page.getByRole('link', { name: 'Account' }).click();
    await page.getByRole('link', { name: 'Confirm your password to change it' }).click();
    await page.getByLabel('Password').fill('wonderland');
    await page.getByRole('button', { name: 'Confirm' }).click();
    await page.getByLabel('Your name').fill('Alice <i>Liddell</i>');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Your name was saved.').waitFor();
    expect(await page.locator('header .name').innerText()).toBe('Alice <i>Liddell</i>');
    expect((await cookieOf()).value).not.toBe(before.value);
    expect(await server.send('SESSION.COUNT')).toBe(':1\r\n');

    const thief = await context();
    await thief.addCookies([before]);
    const stolen = await thief.newPage();
    const open = async () => {
      await stolen.goto('/sessions');
      return stolen.url();
    };
    expect(await eventually(open, (url) => url.includes('/sign-in'))).toContain('because=ended');
    await page.goto('/sessions');
    await page.getByText('this device').waitFor();
  });
});

describe('use', () => {
  it('by keyboard alone, from the skip link to the end of the session', async () => {
    const page = await newPage();
    await page.goto('/account');
    await page.keyboard.press('Shift+Tab');
    const focused = () => page.evaluate<string>('document.activeElement.textContent.trim() || document.activeElement.name');
    // The user name has the focus at first; before it there are the link of the brand and the skip link.
    while ((await focused()) !== 'Skip to the content') await page.keyboard.press('Shift+Tab');
    await page.keyboard.press('Enter');
    expect(await page.evaluate('document.activeElement.id')).toBe('content');
    await page.keyboard.press('Tab');
    await page.keyboard.type('alice');
    await page.keyboard.press('Tab');
    await page.keyboard.type('wonderland');
    await page.keyboard.press('Tab');
    expect(await focused()).toBe('Sign in');
    const outline = await page.evaluate(
      'getComputedStyle(document.activeElement).outlineStyle + getComputedStyle(document.activeElement).outlineWidth',
    );
    expect(outline).toBe('solid3px');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Your account' }).waitFor();
    for (let n = 0; n < 10 && (await focused()) !== 'Sign out'; n++) await page.keyboard.press('Tab');
    await page.keyboard.press('Space');
    await page.getByText('You are signed out.').waitFor();
  });

  it.each([
    ['a phone', PHONE],
    ['a desktop', { viewport: { width: 1280, height: 900 } }],
  ])('on %s nothing is wider than the screen, and each page has its landmarks and names', async (_device, options) => {
    const page = await newPage(options);
    const check = async (path: string) => {
      await page.goto(path);
      // A phone makes its window as wide as the page: the screen is what counts.
      expect([path, await page.evaluate('document.documentElement.scrollWidth')]).toEqual([path, options.viewport.width]);
      expect(await page.getByRole('main').count()).toBe(1);
      expect(await page.getByRole('banner').count()).toBe(1);
      expect(await page.getByRole('contentinfo').count()).toBe(1);
      expect(await page.getByRole('heading', { level: 1 }).count()).toBe(1);
      // Every field has a label, every button a name, every id is there once.
      const nameless = `[...document.querySelectorAll('input:not([type=hidden],[aria-hidden])')].filter((input) => !input.labels.length).length +
        [...document.querySelectorAll('button,a')].filter((each) => each.textContent.trim() === '').length`;
      expect([path, await page.evaluate(nameless)]).toEqual([path, 0]);
      const ids = await page.evaluate<string[]>('[...document.querySelectorAll("[id]")].map(({ id }) => id)');
      expect(ids).toEqual([...new Set(ids)]);
    };
    await check('/sign-in');
    await new Visitor(address, { 'user-agent': 'x'.repeat(250) }).signIn(...OLGA);
    await signIn(page, OLGA);
    for (const path of ['/sessions', '/account', '/confirm?to=/account', '/nowhere', '/operator']) await check(path);
  });

  it.each([['light'], ['dark']] as const)('in %s colours, with enough contrast', async (colorScheme) => {
    const visitor = await newPage({ colorScheme });
    const person = await signedIn(OLGA, { colorScheme });
    const pages: [Page, string][] = [
      [visitor, '/sign-in?because=ended'],
      [visitor, '/sign-in?because=signed-out'],
      [person, '/sessions'],
      [person, '/confirm'],
      [person, '/nowhere'],
      [person, '/operator'],
    ];
    for (const [page, path] of pages) {
      await page.goto(path);
      if (path === '/operator') await page.locator('#charts').waitFor();
      const [back, lowest] = await page.evaluate<[number, { ratio: number; of: string }]>(CONTRASTS);
      if (colorScheme === 'dark') expect(back).toBeLessThan(0.1);
      else expect(back).toBeGreaterThan(0.8);
      expect(lowest.ratio, `${path}: ${lowest.of}`).toBeGreaterThanOrEqual(4.5);
    }
  });
});

/** The luminance of the page's background, and the lowest contrast of a text with what lies behind it. */
const CONTRASTS = `(() => {
  const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => [r, g, b].map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = channels(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return luminance(colour);
    }
    return 1;
  };
  const texts = [...document.querySelectorAll('body *')].filter((each) =>
    [...each.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== '') && each.getClientRects().length > 0 && each.tagName !== 'SCRIPT');
  const ratios = texts.map((each) => {
    const [one, other] = [luminance(channels(getComputedStyle(each).color)), behind(each)].sort((a, b) => b - a);
    return { ratio: (one + 0.05) / (other + 0.05), of: each.textContent };
  });
  return [behind(document.body), ratios.sort((a, b) => a.ratio - b.ratio)[0]];
})()`;

/** Has the page note each text that it draws, and whether an edge of the canvas cuts it. */
const NOTES_OF_TEXT = `(() => {
  window.texts = [];
  const { fillText } = CanvasRenderingContext2D.prototype;
  CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
    const { actualBoundingBoxLeft: left, actualBoundingBoxRight: right } = this.measureText(text);
    const { a, e } = this.getTransform();
    window.texts.push({ text, isCut: a * (x - left) + e < 0 || a * (x + right) + e > this.canvas.width });
    return fillText.call(this, text, x, y);
  };
})()`;

describe('the operator’s page', () => {
  /** How many pixels of the figure's canvas are drawn on. */
  const drawn = (page: Page, id: string) =>
    page.evaluate<number>(`(() => {
      const canvas = document.querySelector('#${id} canvas');
      if (!canvas || canvas.width === 0) return 0;
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      return data.filter((value, index) => index % 4 === 3 && value > 0).length;
    })()`);
  const figure = (page: Page, label: string) => page.locator('#figures tr', { hasText: label }).first().locator('td').innerText();

  it('draws its charts, and goes on with what happens', async () => {
    const page = await signedIn(OLGA, { viewport: { width: 1280, height: 900 } });
    await page.goto('/sessions');
    await page.getByRole('link', { name: 'Operator' }).click();
    for (const id of ['chart-sessions', 'chart-rates', 'chart-commands', 'chart-memory-0', 'chart-latencies']) {
      expect(
        await eventually(
          () => drawn(page, id),
          (pixels) => pixels > 1000,
        ),
        id,
      ).toBeGreaterThan(1000);
    }
    expect(await page.getByRole('img', { name: 'Chart of the number of sessions.' }).count()).toBe(1);
    const sessions = () => figure(page, 'Sessions');
    expect(await eventually(sessions, (text) => text === '1')).toBe('1');
    const before = await drawn(page, 'chart-sessions');
    for (let n = 0; n < 40; n++) await server.send('SESSION.CREATE', `user ${n}`);
    expect(
      await eventually(
        () => figure(page, 'Sessions'),
        (text) => text === '41',
      ),
    ).toBe('41');
    expect(await page.locator('#chart-sessions .u-legend').innerText()).toContain('41');
    expect(
      await eventually(
        () => drawn(page, 'chart-sessions'),
        (pixels) => pixels !== before,
      ),
    ).not.toBe(before);
    expect(await page.locator('#latency-table').innerText()).toContain('session.create');
    expect(await page.locator('#states').innerText()).toMatch(/session → CUSTOM\.\*\s+direct\s+linked to hashmap/);

    // In the other colours it is drawn anew; narrower, it fits.
    await page.emulateMedia({ colorScheme: 'dark' });
    expect(await drawn(page, 'chart-latencies')).toBeGreaterThan(1000);
    await page.setViewportSize(PHONE.viewport);
    const excess = () => page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
    expect(await eventually(excess, (pixels) => pixels === 0)).toBe(0);
  });

  it.each([360, 1280])('shows labels of large numbers whole, at a width of %i', async (width) => {
    const page = await signedIn(OLGA, { viewport: { width, height: 900 } });
    await page.addInitScript(NOTES_OF_TEXT);
    await Promise.all(Array.from({ length: 12_000 }, (_, n) => server.send('SESSION.CREATE', `user ${n}`)));
    await page.goto('/operator');
    const texts = () => page.evaluate<{ text: string; isCut: boolean }[]>('window.texts');
    const isSeen = (all: { text: string }[], pattern: RegExp) => all.some(({ text }) => pattern.test(text));
    // Of the numbers of sessions, of the memory, and of the latencies.
    const expected = [/^10,000$/, / MiB$/, /^1 ms$|µs$/];
    const seen = await eventually(texts, (all) => expected.every((pattern) => isSeen(all, pattern)));
    for (const pattern of expected) expect(isSeen(seen, pattern), String(pattern)).toBe(true);
    expect(seen.filter(({ isCut }) => isCut)).toEqual([]);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
  });

  it('says that the server is gone, and goes on when it is back; and that the session has ended', async () => {
    const own = await startServer();
    address = await startSite(own);
    const page = await signedIn(OLGA);
    await page.goto('/operator');
    await page.locator('#states b').first().waitFor();
    await own.kill();
    await page.getByRole('alert').getByText('The session server does not answer').waitFor();
    await page.getByRole('alert').getByText('start it again').waitFor();
    expect(await page.locator('.chart.stale').count()).toBe(5);
    expect(await page.locator('#states li').count()).toBe(0);
    // Without a save the server comes back without sessions.
    await own.start();
    await page.getByRole('alert').getByText('Your session has ended').waitFor();
    await page.getByRole('alert').getByRole('link', { name: 'Sign in' }).click();
    await page.getByLabel('User name').waitFor();
  });

  it('without scripts has its figures in tables', async () => {
    const page = await signedIn(OLGA, { javaScriptEnabled: false });
    const sessions = async () => {
      await page.goto('/operator');
      return figure(page, 'Sessions');
    };
    expect(await eventually(sessions, (text) => text === '1')).toBe('1');
    await page.getByText('These are the figures of this moment.').waitFor();
    expect(await page.locator('#charts').isVisible()).toBe(false);
  });
});
