/**
 * What SESSION.GET takes for texts of other scripts, over ASCII of the same length in bytes.
 * It writes JSON: what is not ASCII is validated, and quotes, control characters and ill-formed bytes are
 * replaced, so these are measured too.
 * Instructions are counted where callgrind is there: they do not depend on what else the machine does.
 */
import type { Server } from '../../scripts/lib/servers.ts';
import { drive } from '../lib/connection.ts';
import { canCount, whileCounting } from '../lib/counting.ts';
import { batches, bulkBytes, command, creating, type Operation } from '../lib/load.ts';
import type { Context, Measure } from '../lib/measure.ts';
import { uuid } from '../lib/native-sessions.ts';
import { steady, takeTurns } from '../lib/rounds.ts';
import { withServer } from '../lib/server.ts';
import { CONNECTIONS } from '../lib/sizes.ts';
import { ratio, show } from '../lib/statistics.ts';

const LENGTHS = [16, 128, 1024, 8192];
/** Those whose instructions are counted, which takes minutes. */
const COUNTED_LENGTHS = [16, 8192];
const PIPELINE = 16;
const BYTES_PER_ROUND = 60_000_000;
const COMMANDS_PER_ROUND_MAX = 20_000;

const LATIN1 = 'Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich. ';
/** Texts that are repeated up to the length; the first is what the others are compared with. */
const SCRIPTS: Record<string, Buffer> = {
  ASCII: Buffer.from('The quick brown fox jumps over the lazy dog while it is raining. '),
  German: Buffer.from(LATIN1),
  Russian: Buffer.from('Съешь же ещё этих мягких французских булок, да выпей чаю. '),
  Chinese: Buffer.from('天地玄黃宇宙洪荒日月盈昃辰宿列張寒來暑往秋收冬藏。'),
  emoji: Buffer.from('😀🎉🚀🌍🔥💡🍕🎸'),
  'JSON in JSON': Buffer.from('{"name":"Ada","role":"admin","tags":["one","two"],"n":42},'),
  quotes: Buffer.from('"'),
  'control characters': Buffer.from('\u0001'),
  'German in Latin-1': Buffer.from(LATIN1, 'latin1'),
};
type Text = [name: string, text: Buffer];

/** `length` bytes of a text again and again: whole characters, and blanks for what is left of it. */
function textOf(script: Buffer, length: number): Buffer {
  const text = Buffer.alloc(length, script);
  const isCut = (end: number) => ((script[end % script.length] ?? 0) & 0xc0) === 0x80;
  let end = length;
  while (isCut(end)) end--;
  return text.fill(' ', end);
}

const textsOf = (length: number): Text[] => Object.entries(SCRIPTS).map(([name, script]) => [name, textOf(script, length)]);

/** Sessions with a field of each text, numbered as the texts. */
function storing(texts: Text[], from: number): Operation {
  return creating('Session created', (index) => ['user', 'NEW', 'ID', uuid(from + index), 'DATA', 'text', texts[index]?.[1] ?? '']);
}

/** SESSION.GET of the session with this number, whose field holds the text. */
function reading(number: number, [, text]: Text): Operation {
  const time = '2026-01-02T03:04:05.678Z';
  const data = { text: new TextDecoder('utf-8', { ignoreBOM: true }).decode(text) };
  const json = { id: uuid(number), user_key: 'user', created_at: time, last_accessed: time, data };
  return command(() => ['SESSION.GET', uuid(number)], bulkBytes(Buffer.byteLength(JSON.stringify(json))));
}

function measureCpu({ server, rounds, print }: Context): Promise<void> {
  return withServer(server, {}, async (measured) => {
    const connections = await measured.connections(CONNECTIONS);
    for (const [place, length] of LENGTHS.entries()) {
      const texts = textsOf(length);
      const from = place * texts.length;
      await drive(connections, batches(storing(texts, from), 0, texts.length, 1));
      const count = Math.min(COMMANDS_PER_ROUND_MAX, Math.round(BYTES_PER_ROUND / length));
      const contenders = texts.map((text, index) =>
        steady(text[0], measured, connections, { operation: reading(from + index, text), count, pipeline: PIPELINE }),
      );
      const timings = await takeTurns(contenders, rounds);
      for (const [name, { cpu_ns }] of Object.entries(timings)) {
        if (name !== 'ASCII')
          print(`SESSION.GET of ${length} bytes, ${name} / ASCII`, show(ratio(cpu_ns, timings.ASCII?.cpu_ns ?? [])), 'server CPU');
      }
    }
  });
}

function measureInstructions(server: Server, print: Context['print']): Promise<void> {
  return whileCounting(server, {}, async (counting) => {
    for (const [place, length] of COUNTED_LENGTHS.entries()) {
      const texts = textsOf(length);
      const from = place * texts.length;
      await counting.send(storing(texts, from), 0, texts.length);
      let ascii = Number.NaN;
      for (const [index, text] of texts.entries()) {
        const each = await counting.count(reading(from + index, text));
        if (index === 0) ascii = each;
        else
          print(
            `SESSION.GET of ${length} bytes, ${text[0]} / ASCII`,
            (each / ascii).toFixed(2),
            `${each.toFixed(0)} and ${ascii.toFixed(0)} instructions`,
          );
      }
    }
  });
}

export const json: Measure = {
  name: 'json',
  summary: 'SESSION.GET of texts of other scripts over ASCII: server CPU, and instructions where callgrind is there; only when named',
  onlyWhenNamed: true,
  async run(context) {
    await measureCpu(context);
    if (canCount()) await measureInstructions(context.server, context.print);
  },
};
