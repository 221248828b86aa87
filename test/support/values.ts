/** Values that lie beside those which the storage keeps in fewer bytes than their text has. */

const UUID = '01234567-89ab-cdef-0123-456789abcdef';
/** The UUID with another character at this place. */
const changed = (at: number, character: string) => UUID.slice(0, at) + character + UUID.slice(at + 1);

/** Each with the bytes in which it is kept. */
export const VALUES: [text: string, bytes: number][] = [
  [UUID, 16],
  ['ffffffff-ffff-ffff-ffff-ffffffffffff', 16],
  ['00000000-0000-0000-0000-000000000000', 16],
  // Any wrong character: capitals, what stands before and after the digits, a hyphen moved or gone.
  ...[UUID.toUpperCase(), changed(2, 'A'), changed(35, 'g'), changed(0, '/'), changed(7, ':'), changed(20, '`'), changed(35, '\0')].map(
    plain,
  ),
  ...[changed(0, '-'), changed(8, '0'), changed(13, '_'), changed(18, '\xad'), changed(23, ' '), `${UUID}0`, UUID.slice(1)].map(plain),
  ...(['0', '1', '-1', '127', '-128'] as const).map((text): [string, number] => [text, 1]),
  ...(['128', '-129', '32767', '-32768'] as const).map((text): [string, number] => [text, 2]),
  ...(['32768', '-32769', '2147483647', '-2147483648'] as const).map((text): [string, number] => [text, 4]),
  ...(['2147483648', '-2147483649', '9223372036854775807', '-9223372036854775808'] as const).map((text): [string, number] => [text, 8]),
  // No integer, or not in its one spelling.
  ...['', '-', '-0', '00', '007', '+1', ' 1', '1 ', '1.0', '1e3', '0x10', '9223372036854775808', '-9223372036854775809'].map(plain),
  ...['18446744073709551616', '99999999999999999999', '1\0', '\x31\r\n', '\xb9', 'x'.repeat(20), 'x'.repeat(36)].map(plain),
];

function plain(text: string): [text: string, bytes: number] {
  return [text, text.length];
}
