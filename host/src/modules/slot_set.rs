//! Slots of a cluster.

use std::fmt;
use std::sync::OnceLock;

/// How many a cluster has.
pub const SLOTS: u16 = 16384;
const BYTES: usize = SLOTS as usize / 8;

/// A set of slots, one bit each: slot n is bit n % 8 of byte n / 8.
#[derive(Clone, PartialEq, Eq)]
pub struct SlotSet(Box<[u8; BYTES]>);

impl Default for SlotSet {
    fn default() -> SlotSet {
        SlotSet(Box::new([0; BYTES]))
    }
}

impl SlotSet {
    pub fn of(slot: u16) -> SlotSet {
        SlotSet::of_ranges([(slot, slot)])
    }

    /// The slots of these ranges, both ends included. What lies beyond the last slot is none.
    pub fn of_ranges(ranges: impl IntoIterator<Item = (u16, u16)>) -> SlotSet {
        let mut set = SlotSet::default();
        for (first, last) in ranges {
            (first..=last.min(SLOTS - 1)).for_each(|slot| set.add(slot));
        }
        set
    }

    /// The slots that a text like `0-99,200` names; `None` where it names none so.
    pub fn parse(text: &str) -> Option<SlotSet> {
        let slot = |text: &str| text.parse().ok().filter(|slot| *slot < SLOTS);
        let range = |text: &str| match text.split_once('-') {
            Some((first, last)) => Some((slot(first)?, slot(last)?)).filter(|(first, last)| first <= last),
            None => slot(text).map(|slot| (slot, slot)),
        };
        Some(SlotSet::of_ranges(text.split(',').map(range).collect::<Option<Vec<_>>>()?))
    }

    pub fn add(&mut self, slot: u16) {
        self.0[usize::from(slot / 8)] |= 1 << (slot % 8);
    }

    pub fn contains(&self, slot: u16) -> bool {
        self.0[usize::from(slot / 8)] & 1 << (slot % 8) != 0
    }

    /// Adds those of `other`.
    pub fn add_all(&mut self, other: &SlotSet) {
        self.0.iter_mut().zip(other.0.iter()).for_each(|(own, others)| *own |= others);
    }

    /// Removes those of `other`.
    pub fn remove_all(&mut self, other: &SlotSet) {
        self.0.iter_mut().zip(other.0.iter()).for_each(|(own, others)| *own &= !others);
    }

    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|byte| *byte == 0)
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = u16> {
        (0..SLOTS).filter(|slot| self.contains(*slot))
    }

    pub fn bytes(&self) -> &[u8] {
        &*self.0
    }
}

impl fmt::Display for SlotSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut slots = self.iter().peekable();
        let mut comma = "";
        while let Some(first) = slots.next() {
            let mut last = first;
            while let Some(next) = slots.next_if(|next| *next == last + 1) {
                last = next;
            }
            write!(formatter, "{comma}{first}")?;
            if last > first {
                write!(formatter, "-{last}")?;
            }
            comma = ",";
        }
        Ok(())
    }
}

/// The slot that a key lies in: of what stands between its first braces, where that is not empty, else of the
/// whole key. Source: the specification of Redis Cluster, "Hash tags".
pub fn slot_of(key: &[u8]) -> u16 {
    let tag = || {
        let rest = &key[key.iter().position(|byte| *byte == b'{')? + 1..];
        let length = rest.iter().position(|byte| *byte == b'}')?;
        (length > 0).then(|| &rest[..length])
    };
    crc16(tag().unwrap_or(key)) % SLOTS
}

/// CRC-16/XMODEM.
fn crc16(bytes: &[u8]) -> u16 {
    const POLYNOMIAL: u16 = 0x1021;
    static TABLE: [u16; 256] = {
        let mut table = [0; 256];
        let mut byte = 0;
        while byte < 256 {
            let mut crc = (byte as u16) << 8;
            let mut bit = 0;
            while bit < 8 {
                crc = if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ POLYNOMIAL };
                bit += 1;
            }
            table[byte] = crc;
            byte += 1;
        }
        table
    };
    bytes.iter().fold(0, |crc, byte| crc << 8 ^ TABLE[usize::from((crc >> 8) as u8 ^ byte)])
}

/// A key that begins with `prefix` and lies in this slot: behind it stands a short tag between braces.
pub fn key_in(prefix: &str, slot: u16) -> String {
    static TAGS: OnceLock<Vec<u32>> = OnceLock::new();
    format!("{prefix}{{{:x}}}", TAGS.get_or_init(first_tags)[usize::from(slot)])
}

/// For each slot the least number whose hexadecimal digits lie in it.
fn first_tags() -> Vec<u32> {
    let mut tags = vec![None; usize::from(SLOTS)];
    let mut left = tags.len();
    for number in 0u32.. {
        let tag = &mut tags[usize::from(crc16(digits(number, &mut [0; 8])) % SLOTS)];
        left -= usize::from(tag.is_none());
        tag.get_or_insert(number);
        if left == 0 {
            break;
        }
    }
    tags.into_iter().map(Option::unwrap_or_default).collect()
}

/// The hexadecimal digits of a number.
fn digits(number: u32, text: &mut [u8; 8]) -> &[u8] {
    let count = (u32::BITS - number.leading_zeros()).div_ceil(4).max(1) as usize;
    for (place, digit) in text[..count].iter_mut().enumerate() {
        *digit = b"0123456789abcdef"[(number >> (4 * (count - 1 - place)) & 15) as usize];
    }
    &text[..count]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_lie_where_the_specification_has_them() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        assert_eq!(slot_of(b"foo{}{bar}"), slot_of(b"foo{}{bar}"));
        assert_eq!(slot_of(b"{user1000}.following"), slot_of(b"user1000"));
        assert_eq!(slot_of(b"foo{{bar}}zap"), slot_of(b"{bar"));
        assert_eq!(slot_of(b"foo{bar}{zap}"), slot_of(b"bar"));
        assert_eq!(slot_of(b"foo"), 12182);
        for number in [0, 9, 15, 16, 0xabc, u32::MAX] {
            assert_eq!(digits(number, &mut [0; 8]), format!("{number:x}").as_bytes());
        }
        for slot in 0..SLOTS {
            let key = key_in("wasm.slot:", slot);
            assert_eq!(slot_of(key.as_bytes()), slot, "{key}");
        }
    }

    #[test]
    fn a_set_reads_what_it_writes() {
        for text in ["0", "16383", "0-16383", "1,3,5-7,16383"] {
            assert_eq!(SlotSet::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "16384", "-1", "3-2", "1,", "a", "1-", "1-2-3", " 1"] {
            assert!(SlotSet::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn sets_add_and_remove() {
        let mut set = SlotSet::parse("1-5").unwrap();
        set.add_all(&SlotSet::of(9));
        set.remove_all(&SlotSet::parse("2-3,16000").unwrap());
        assert_eq!(set.to_string(), "1,4-5,9");
        assert!(set.contains(4) && !set.contains(2));
        assert_eq!(SlotSet::of_ranges([(16380, u16::MAX)]).to_string(), "16380-16383");
        assert!(SlotSet::default().is_empty());
    }
}
