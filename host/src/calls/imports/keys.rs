//! The server's own keys, and its commands.

use wasmtime::{Error, Linker, Result};

use super::{Guest, NS, allow, handed, host, parts};
use crate::calls::own::{Own, failed};
use crate::calls::server_call;
use crate::guest::answer::answer;
use crate::guest::call::To;
use crate::guest::memory;
use crate::guest::state::State;
use crate::modules::namespace::{
    CALL, DELETE_KEY, Function, GET_ABS_EXPIRE, HASH_DELETE, HASH_GET, HASH_GET_ALL, HASH_INCREMENT, HASH_SET, KEY_TYPE, LIST_GET,
    LIST_POP, LIST_PUSH, LIST_SET, SET_ABS_EXPIRE, STRING_APPEND, STRING_DELETE_IF, STRING_GET, STRING_INCREMENT, STRING_SET, VALUE_LENGTH,
    ZSET_ADD, ZSET_INCREMENT, ZSET_RANGE, ZSET_REMOVE, ZSET_SCORE,
};
use crate::server::strings::Held;
use crate::server::values::End;

/// A byte string of the module's: its pointer and its length.
type Text = (u32, u32);

/// Bytes that an answer of many values may have, as what a command of the kit makes.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Words of one call beyond those of the running command.
const WORDS_MAX: u32 = 1 << 16;

pub(super) fn define(linker: &mut Linker<State>) -> Result<()> {
    call(linker)?;
    whole(linker)?;
    strings(linker)?;
    hashes(linker)?;
    sorted_sets(linker)?;
    lists(linker)
}

/// Runs `action` with a key to be read, and the bytes of further texts.
#[inline]
fn read<T, const N: usize>(
    guest: &mut Guest<'_>,
    function: &Function,
    key: Text,
    texts: [Text; N],
    action: impl FnOnce(Own<'_>, [&[u8]; N]) -> Result<T>,
) -> Result<T> {
    on_key(guest, function, key, texts, false, action)
}

/// As `read`, of a key to be changed.
#[inline]
fn write<T, const N: usize>(
    guest: &mut Guest<'_>,
    function: &Function,
    key: Text,
    texts: [Text; N],
    action: impl FnOnce(Own<'_>, [&[u8]; N]) -> Result<T>,
) -> Result<T> {
    on_key(guest, function, key, texts, true, action)
}

#[inline]
fn on_key<T, const N: usize>(
    guest: &mut Guest<'_>,
    function: &Function,
    key: Text,
    texts: [Text; N],
    writes: bool,
    action: impl FnOnce(Own<'_>, [&[u8]; N]) -> Result<T>,
) -> Result<T> {
    allow(guest, function)?;
    let (all, state) = parts(guest)?;
    let call = &mut state.call;
    let key = handed(all, call, key.0, key.1)?;
    let mut bytes = [&[][..]; N];
    for (bytes, text) in bytes.iter_mut().zip(texts) {
        *bytes = handed(all, call, text.0, text.1)?;
    }
    let own = if writes { Own::to_write(host()?, call, key)? } else { Own::to_read(host()?, call, key)? };
    action(own, bytes)
}

/// Answers a value, 0 where there is none.
fn answer_held(guest: &mut Guest<'_>, value: Option<Held>) -> Result<u64> {
    value.map_or(Ok(0), |value| answer(guest, value.bytes()))
}

fn call(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(NS, CALL.name, |mut guest: Guest<'_>, argv: u32, argc: i32| -> Result<u64> {
        allow(&guest, &CALL)?;
        let reply = {
            let (all, state) = parts(&mut guest)?;
            // Counted before any is collected: a count costs the module nothing.
            let count = argc.cast_unsigned();
            if count > state.call.lent.arguments.count().unsigned_abs() + WORDS_MAX {
                return Err(Error::msg(format!("it calls the server with {count} words, more than it may")));
            }
            let words = memory::pairs(all, argv, count)?;
            state.call.hand(To::Server, memory::sum(&words), all.len())?;
            server_call::call(host()?, &mut state.call, &words)?
        };
        answer(&mut guest, &reply)
    })?;
    Ok(())
}

fn whole(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(NS, KEY_TYPE.name, |mut guest: Guest<'_>, key: u32, length: u32| -> Result<i32> {
        read(&mut guest, &KEY_TYPE, (key, length), [], |own, []| Ok(own.kind()))
    })?;
    linker.func_wrap(NS, VALUE_LENGTH.name, |mut guest: Guest<'_>, key: u32, length: u32, kind: i32| -> Result<i64> {
        read(&mut guest, &VALUE_LENGTH, (key, length), [], |own, []| own.length(kind))
    })?;
    linker.func_wrap(NS, DELETE_KEY.name, |mut guest: Guest<'_>, key: u32, length: u32| -> Result<i32> {
        write(&mut guest, &DELETE_KEY, (key, length), [], |own, []| own.delete().map(i32::from))
    })?;
    linker.func_wrap(NS, GET_ABS_EXPIRE.name, |mut guest: Guest<'_>, key: u32, length: u32| -> Result<i64> {
        read(&mut guest, &GET_ABS_EXPIRE, (key, length), [], |own, []| Ok(own.deadline()))
    })?;
    linker.func_wrap(NS, SET_ABS_EXPIRE.name, |mut guest: Guest<'_>, key: u32, length: u32, deadline: i64| -> Result<i32> {
        write(&mut guest, &SET_ABS_EXPIRE, (key, length), [], |own, []| own.expire_at(deadline).map(i32::from))
    })?;
    Ok(())
}

fn strings(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(NS, STRING_GET.name, |mut guest: Guest<'_>, key: u32, length: u32| -> Result<u64> {
        let value = read(&mut guest, &STRING_GET, (key, length), [], |own, []| own.text())?;
        answer_held(&mut guest, value)
    })?;
    linker.func_wrap(
        NS,
        STRING_SET.name,
        |mut guest: Guest<'_>, key: u32, key_length: u32, value: u32, length: u32, deadline: i64| -> Result<()> {
            write(&mut guest, &STRING_SET, (key, key_length), [(value, length)], |own, [value]| own.set(value, deadline))
        },
    )?;
    linker.func_wrap(
        NS,
        STRING_DELETE_IF.name,
        |mut guest: Guest<'_>, key: u32, key_length: u32, value: u32, length: u32| -> Result<i32> {
            let is_deleted = |own: Own<'_>, [value]: [&[u8]; 1]| own.delete_if(value).map(i32::from);
            write(&mut guest, &STRING_DELETE_IF, (key, key_length), [(value, length)], is_deleted)
        },
    )?;
    linker.func_wrap(
        NS,
        STRING_APPEND.name,
        |mut guest: Guest<'_>, key: u32, key_length: u32, value: u32, length: u32| -> Result<i64> {
            write(&mut guest, &STRING_APPEND, (key, key_length), [(value, length)], |own, [value]| own.append(value))
        },
    )?;
    linker.func_wrap(NS, STRING_INCREMENT.name, |mut guest: Guest<'_>, key: u32, length: u32, by: i64| -> Result<i64> {
        write(&mut guest, &STRING_INCREMENT, (key, length), [], |own, []| own.increment(by))
    })?;
    Ok(())
}

fn hashes(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(NS, HASH_GET.name, |mut guest: Guest<'_>, key: u32, key_length: u32, field: u32, length: u32| -> Result<u64> {
        let value = read(&mut guest, &HASH_GET, (key, key_length), [(field, length)], |own, [field]| own.field(field))?;
        answer_held(&mut guest, value)
    })?;
    linker.func_wrap(
        NS,
        HASH_SET.name,
        |mut guest: Guest<'_>, key: u32, key_length: u32, field: u32, field_length: u32, value: u32, length: u32| -> Result<i32> {
            let texts = [(field, field_length), (value, length)];
            write(&mut guest, &HASH_SET, (key, key_length), texts, |own, [field, value]| own.set_field(field, value).map(i32::from))
        },
    )?;
    linker.func_wrap(NS, HASH_DELETE.name, |mut guest: Guest<'_>, key: u32, key_length: u32, field: u32, length: u32| -> Result<i32> {
        write(&mut guest, &HASH_DELETE, (key, key_length), [(field, length)], |own, [field]| own.delete_field(field).map(i32::from))
    })?;
    linker.func_wrap(
        NS,
        HASH_INCREMENT.name,
        |mut guest: Guest<'_>, key: u32, key_length: u32, field: u32, length: u32, by: i64| -> Result<i64> {
            write(&mut guest, &HASH_INCREMENT, (key, key_length), [(field, length)], |own, [field]| own.increment_field(field, by))
        },
    )?;
    linker.func_wrap(NS, HASH_GET_ALL.name, |mut guest: Guest<'_>, key: u32, length: u32| -> Result<u64> {
        let mut packed = Vec::new();
        read(&mut guest, &HASH_GET_ALL, (key, length), [], |own, []| {
            own.each_field(|field, value| {
                if packed.len() <= ANSWER_BYTES_MAX {
                    pack(&mut packed, field);
                    pack(&mut packed, value);
                }
            })
        })?;
        answer_packed(&mut guest, &packed)
    })?;
    Ok(())
}

fn sorted_sets(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(
        NS,
        ZSET_ADD.name,
        |mut guest: Guest<'_>, key: u32, key_length: u32, score: f64, member: u32, length: u32| -> Result<i32> {
            write(&mut guest, &ZSET_ADD, (key, key_length), [(member, length)], |own, [member]| own.set_score(member, score).map(i32::from))
        },
    )?;
    linker.func_wrap(
        NS,
        ZSET_INCREMENT.name,
        |mut guest: Guest<'_>, key: u32, key_length: u32, by: f64, member: u32, length: u32| -> Result<f64> {
            write(&mut guest, &ZSET_INCREMENT, (key, key_length), [(member, length)], |own, [member]| own.increment_score(member, by))
        },
    )?;
    linker.func_wrap(NS, ZSET_REMOVE.name, |mut guest: Guest<'_>, key: u32, key_length: u32, member: u32, length: u32| -> Result<i32> {
        write(&mut guest, &ZSET_REMOVE, (key, key_length), [(member, length)], |own, [member]| own.delete_member(member).map(i32::from))
    })?;
    linker.func_wrap(NS, ZSET_SCORE.name, |mut guest: Guest<'_>, key: u32, key_length: u32, member: u32, length: u32| -> Result<f64> {
        let score = read(&mut guest, &ZSET_SCORE, (key, key_length), [(member, length)], |own, [member]| own.score(member))?;
        Ok(score.unwrap_or(f64::NAN))
    })?;
    linker.func_wrap(
        NS,
        ZSET_RANGE.name,
        |mut guest: Guest<'_>, key: u32, length: u32, min: f64, max: f64, limit: i32| -> Result<u64> {
            let mut packed = Vec::new();
            let mut left = limit;
            read(&mut guest, &ZSET_RANGE, (key, length), [], |own, []| {
                own.each_member(min, max, |member, score| {
                    if left <= 0 || packed.len() > ANSWER_BYTES_MAX {
                        return false;
                    }
                    left -= 1;
                    packed.extend_from_slice(&score.to_le_bytes());
                    pack(&mut packed, member);
                    true
                })
            })?;
            answer_packed(&mut guest, &packed)
        },
    )?;
    Ok(())
}

fn lists(linker: &mut Linker<State>) -> Result<()> {
    let end = |number: i32| if number == 0 { End::Head } else { End::Tail };
    linker.func_wrap(
        NS,
        LIST_PUSH.name,
        move |mut guest: Guest<'_>, key: u32, key_length: u32, at: i32, value: u32, length: u32| -> Result<i64> {
            write(&mut guest, &LIST_PUSH, (key, key_length), [(value, length)], |own, [value]| own.push(end(at), value))
        },
    )?;
    linker.func_wrap(NS, LIST_POP.name, move |mut guest: Guest<'_>, key: u32, length: u32, at: i32| -> Result<u64> {
        let value = write(&mut guest, &LIST_POP, (key, length), [], |own, []| own.pop(end(at)))?;
        answer_held(&mut guest, value)
    })?;
    linker.func_wrap(NS, LIST_GET.name, |mut guest: Guest<'_>, key: u32, length: u32, index: i64| -> Result<u64> {
        let value = read(&mut guest, &LIST_GET, (key, length), [], |own, []| own.element(index))?;
        answer_held(&mut guest, value)
    })?;
    linker.func_wrap(
        NS,
        LIST_SET.name,
        |mut guest: Guest<'_>, key: u32, key_length: u32, index: i64, value: u32, length: u32| -> Result<()> {
            write(&mut guest, &LIST_SET, (key, key_length), [(value, length)], |own, [value]| own.set_element(index, value))
        },
    )?;
    Ok(())
}

/// Adds a byte string to those that a module reads: its length as a u32, and its bytes.
fn pack(packed: &mut Vec<u8>, bytes: &[u8]) {
    packed.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    packed.extend_from_slice(bytes);
}

fn answer_packed(guest: &mut Guest<'_>, packed: &[u8]) -> Result<u64> {
    if packed.len() > ANSWER_BYTES_MAX {
        return Err(failed("ERR the key holds more than a command may have: 64 MiB"));
    }
    answer(guest, packed)
}
